import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { faultOfSocketPath } from "../../kernel/path-limits.ts";

/** Three directories up from here lies `exabgp/`, in a checkout (`src`) as in a package (`dist`). */
export const HELPER_SOURCE = fileURLToPath(new URL("../../../../exabgp/anyhome_exabgp.py", import.meta.url));

const LEFTOVER_DEADLINE_MS = 2000;
const WRITABLE_BY_OTHERS = 0o002;

/** Who may look into the directory besides ourselves. */
export interface Access {
  /** Owner of the files; ourselves if absent. */
  readonly uid?: number;
  /** Group of directory and files; our own if absent. */
  readonly gid?: number;
  /** Whether all of that group may read the files and use the socket; otherwise only the owner may. */
  readonly isGroupShared?: boolean;
}

export function runtimeFiles(directory: string) {
  return {
    socket: join(directory, "helper.sock"),
    /** A copy: the account that ExaBGP runs as may not be able to read our own files. */
    helper: join(directory, "anyhome_exabgp.py"),
    config: join(directory, "exabgp.conf"),
    environment: join(directory, "exabgp.env"),
    /** Names the ExaBGP that runs. */
    speakerRecord: join(directory, "exabgp.pid"),
  } as const;
}

/** The directory that holds what ExaBGP and the daemon share; only these two can look into it. */
export class RuntimeDirectory {
  readonly path: string;
  readonly files: ReturnType<typeof runtimeFiles>;
  readonly #access: Access;

  /** @param path absolute; made if it is not there. The directories above must let ExaBGP's account pass. */
  constructor(path: string, access: Access) {
    this.path = path;
    this.files = runtimeFiles(path);
    this.#access = access;
    const fault = faultOfSocketPath(this.files.socket);
    if (fault !== undefined) throw new RangeError(fault);
  }

  /** Makes the directory ours: ends what an earlier daemon left behind, and rejects if that daemon still runs. */
  async claim(): Promise<void> {
    this.#make();
    if (await somebodyListens(this.files.socket)) throw new Error(`another daemon uses ${this.path}`);
    await this.#endLeftoverSpeaker();
    rmSync(this.files.socket, { force: true });
    chmodSync(this.path, 0o750);
    if (this.#access.gid !== undefined) lchownSync(this.path, -1, this.#access.gid);
    const copy = `${this.files.helper}.new`;
    rmSync(copy, { force: true });
    copyFileSync(HELPER_SOURCE, copy, constants.COPYFILE_EXCL);
    this.#handOver(copy, 0o400);
    renameSync(copy, this.files.helper);
  }

  /** Writes a file that no other account can read. */
  write(path: string, text: string): void {
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { mode: 0o600, flag: "wx" });
    this.#handOver(draft, 0o600);
    renameSync(draft, path);
  }

  /** Sets the permissions of the socket, once it is there. Connecting to it requires the right to write. */
  shareSocket(): void {
    this.#handOver(this.files.socket, 0o600);
    if (this.#access.isGroupShared) chmodSync(this.files.socket, 0o660);
  }

  /** Remembers the running ExaBGP, for a daemon that finds it left over. */
  recordSpeaker(pid: number): void {
    rmSync(this.files.speakerRecord, { force: true });
    writeFileSync(this.files.speakerRecord, `${pid} ${processStart(pid)}\n`, { mode: 0o600, flag: "wx" });
  }

  /** Removes the files; the directory stays, as it may have been made by others. */
  clear(): void {
    for (const file of Object.values(this.files)) {
      rmSync(file, { force: true });
    }
  }

  /**
   * No untrusted account may be able to write in it: what we do there is usually done as root, and a link placed there
   * would redirect it.
   */
  #make(): void {
    mkdirSync(dirname(this.path), { recursive: true });
    try {
      mkdirSync(this.path, { mode: 0o750 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const found = lstatSync(this.path);
    if (!found.isDirectory()) throw new Error(`${this.path} is not a directory`);
    if (found.uid !== 0 && found.uid !== process.getuid?.()) {
      throw new Error(
        `${this.path} belongs to another user (${found.uid}), who could lead us elsewhere by links in it`,
      );
    }
    if ((found.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new Error(`${this.path} can be written by every user, who could lead us elsewhere by links in it`);
    }
  }

  #handOver(path: string, mode: number): void {
    const { uid, gid, isGroupShared } = this.#access;
    if (uid !== undefined || gid !== undefined) lchownSync(path, uid ?? -1, gid ?? -1);
    chmodSync(path, isGroupShared ? mode | 0o040 : mode);
  }

  /** Normally ExaBGP dies with its daemon; one whose daemon died while it was being started does not. */
  async #endLeftoverSpeaker(): Promise<void> {
    const [pid, start] = readSpeakerRecord(this.files.speakerRecord);
    if (pid === undefined) return;
    const deadline = performance.now() + LEFTOVER_DEADLINE_MS;
    // Process ids are reused, but not together with the same start time.
    while (processStart(pid) === start) {
      if (performance.now() > deadline) throw new Error(`ExaBGP of an earlier daemon (process ${pid}) can't be ended`);
      process.kill(pid, "SIGKILL");
      await delay(10);
    }
    rmSync(this.files.speakerRecord, { force: true });
  }
}

/** Reads only a file that we have written, as the process that it names is killed. */
function readSpeakerRecord(path: string): [number, string] | [undefined] {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (fstatSync(file).uid !== process.getuid?.()) return [undefined];
      const [, pid, start] = /^(\d+) (\d+)\n$/.exec(readFileSync(file, "utf8")) ?? [];
      return pid === undefined || start === undefined ? [undefined] : [Number(pid), start];
    } finally {
      closeSync(file);
    }
  } catch {
    return [undefined];
  }
}

/** When a process was started, in clock ticks since the machine was; `undefined` if it doesn't run. */
function processStart(pid: number): string | undefined {
  try {
    // The name in parentheses may hold anything: fields are counted from its end, where the third is the state.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function somebodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}
