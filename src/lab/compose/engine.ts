/**
 * A Docker engine of a lab's own, for machines where none runs. It lives in namespaces of its own: when its first process
 * ends, however that happens, the kernel ends every container, and removes every bridge and mount. What stays are files,
 * in two directories, and empty control groups.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { LabError } from "../lab-error.ts";
import { doIn, ipBatch, isRunning, kill, namespaces, removeNamespace, startIn } from "../namespaces/namespace.ts";
import { waitFor } from "../wait.ts";
import { Docker } from "./docker.ts";

const START_MS = 60_000;
const CONTROL_GROUPS = "/sys/fs/cgroup";

export interface EnginePlace {
  /** Also the name of its network namespace, and of its control group. */
  readonly name: string;
  /** For sockets, process ids and the log; a short path. */
  readonly runDirectory: string;
  /** For images, containers and volumes. */
  readonly dataDirectory: string;
}

export class Engine {
  readonly docker: Docker;
  readonly #place: EnginePlace;

  constructor(place: EnginePlace) {
    this.#place = place;
    this.docker = new Docker(this.#socket);
  }

  get #socket(): string {
    return join(this.#place.runDirectory, "docker.sock");
  }

  get #log(): string {
    return join(this.#place.runDirectory, "dockerd.log");
  }

  /** Starts it in a network namespace of its own, where only containers of the lab are. It goes on when we are gone. */
  async start(signal?: AbortSignal): Promise<void> {
    const { name } = this.#place;
    if (!(await namespaces()).has(name)) {
      await ipBatch([`netns add ${name}`]);
      await doIn(name, ["ip", "link", "set", "lo", "up"]);
    }
    this.#clearWay();
    giveWeight(name);
    const pid = startIn(name, this.#command(), this.#log);
    await this.#untilItAnswers(() => isRunning(pid), signal);
  }

  /**
   * Runs an action with the engine in the network of this machine, where what images are built from can be fetched. It
   * dies with us, and is gone when the action has ended.
   */
  async whileOnline<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#clearWay();
    giveWeight(this.#place.name);
    const output = { file: this.#log, append: true };
    const child = execa("setpriv", ["--pdeathsig", "KILL", "--", ...this.#command()], {
      stdin: "ignore",
      stdout: output,
      stderr: output,
      reject: false,
    });
    try {
      await this.#untilItAnswers(() => isRunning(child.pid ?? 0), signal);
      return await action();
    } finally {
      // dockerd itself, so that it tidies up; unshare ends with it.
      for (const pid of childrenOf(child.pid)) kill(pid, "SIGTERM");
      const overdue = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await child;
      clearTimeout(overdue);
    }
  }

  isUp(): Promise<boolean> {
    return this.docker.answers();
  }

  /** Ends it with all that it runs, and removes what it had but for its data; does nothing where there is nothing. */
  async stop(): Promise<void> {
    const { name, runDirectory } = this.#place;
    if ((await namespaces()).has(name)) await removeNamespace(name);
    for (const hierarchy of hierarchies()) removeGroups(join(hierarchy, name));
    rmSync(runDirectory, { recursive: true, force: true });
  }

  removeData(): void {
    rmSync(this.#place.dataDirectory, { recursive: true, force: true });
  }

  #clearWay(): void {
    const { runDirectory, dataDirectory } = this.#place;
    mkdirSync(runDirectory, { recursive: true });
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    // An engine that was killed has left it behind; process ids begin at 1 in each of its namespaces.
    for (const file of ["dockerd.pid", "exec"]) rmSync(join(runDirectory, file), { recursive: true, force: true });
  }

  #command(): string[] {
    const { name, runDirectory, dataDirectory } = this.#place;
    return [
      ..."unshare --mount --pid --fork --kill-child --mount-proc dockerd".split(" "),
      `--host=unix://${this.#socket}`,
      `--data-root=${dataDirectory}`,
      `--exec-root=${join(runDirectory, "exec")}`,
      `--pidfile=${join(runDirectory, "dockerd.pid")}`,
      `--cgroup-parent=/${name}`,
      // Nothing of this machine is changed: no bridge of its own, no rules, no settings.
      ...["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
      "--userland-proxy=false",
      "--oom-score-adjust=0",
      "--group=root",
      "--log-level=warn",
    ];
  }

  async #untilItAnswers(isAlive: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const outcome = await waitFor(async () => (isAlive() ? (await this.isUp()) && "up" : "ended"), {
      deadlineMs: START_MS,
      what: "dockerd to answer",
      intervalMs: 100,
      signal,
    });
    if (outcome === "ended") throw new LabError(`dockerd has ended\n${endOf(this.#log)}`);
  }
}

function childrenOf(pid: number | undefined): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Where control groups may be: version 1 has a hierarchy per controller, version 2 is one. */
function hierarchies(): string[] {
  const entries = readdirSync(CONTROL_GROUPS, { withFileTypes: true });
  return [CONTROL_GROUPS, ...entries.filter((it) => it.isDirectory()).map(({ name }) => join(CONTROL_GROUPS, name))];
}

/**
 * All containers together weigh as much as one process of this machine, where engine and processes share a control group.
 * Beside whatever else runs they would starve.
 */
function giveWeight(name: string): void {
  const group = join(CONTROL_GROUPS, "cpu", name);
  if (!existsSync(dirname(group))) return;
  mkdirSync(group, { recursive: true });
  writeFileSync(join(group, "cpu.shares"), String(USUAL_SHARES * PROCESSES));
}

const USUAL_SHARES = 1024;
/** Of a lab, about; they are rarely busy all at once. */
const PROCESSES = 16;

function removeGroups(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(directory, entry.name));
  }
  rmdirSync(directory);
}

function endOf(file: string): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-15).join("\n");
}
