/**
 * Commands that are run to their end: of the process, not of its output. A child that a command leaves behind holds the
 * output open for as long as it lives, and whoever waits for that waits for a stranger.
 */
import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { execa } from "execa";

export type Command = readonly [string, ...string[]];

export interface CommandOptions {
  /** All that the command gets. Default: a search path and a locale. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What the command reads on stdin. */
  readonly input?: string;
  /** It is ended after this long. */
  readonly timeoutMs?: number;
  /** Has it ended. */
  readonly signal?: AbortSignal | undefined;
  /** Of each output; the rest is read, so that the command isn't held up, and forgotten. */
  readonly outputLimitBytes?: number;
  /** It gets a process group of its own, of which nothing is left when it has ended. */
  readonly hasOwnGroup?: boolean;
}

interface Ended {
  /** `undefined` where a signal ended it, or it could not be started. */
  readonly exitCode: number | undefined;
  /** In words, why it is no success; `undefined` where the exit code is 0. */
  readonly problem: string | undefined;
}

export interface CommandResult extends Ended {
  /** Both without a final line end. */
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_LIMIT_BYTES = 64 << 20;
/** What a killed group is given to be gone, and what a command is that may end in order first: for 5 s of it. */
const KILLED_MS = 1000;
const TERMINATED_MS = 6000;
/** Of output that doesn't end with its command, as something that was left behind goes on printing. */
const LEFTOVER_OUTPUT_MS = 100;

/** Debian keeps much in /usr/sbin, which not every path has; there may also be none, or an empty one. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of commands that the daemon needs: nothing of its own may change what they do, or what they print. */
export function commandEnvironment(): Record<string, string> {
  return { PATH: [process.env.PATH, SYSTEM_PATH].filter(Boolean).join(":"), LC_ALL: "C.UTF-8" };
}

/** Never rejects: how it went is in the result. */
export async function runCommand([file, ...args]: Command, options: CommandOptions = {}): Promise<CommandResult> {
  const { env = commandEnvironment(), cwd, input, timeoutMs, signal, hasOwnGroup = false } = options;
  const child = execa(file, args, {
    env,
    extendEnv: false,
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    buffer: false,
    reject: false,
    detached: hasOwnGroup,
    forceKillAfterDelay: TERMINATED_MS - KILLED_MS,
  });
  const { pid } = child;
  if (pid === undefined) {
    const { shortMessage } = await child;
    return { stdout: "", stderr: "", exitCode: undefined, problem: shortMessage ?? `${file} can't be started` };
  }
  const outputs = [child.stdout, child.stderr].map(
    (stream) => new Output(stream, options.outputLimitBytes ?? OUTPUT_LIMIT_BYTES),
  );
  const ended = await new Promise<Ended>((resolve) => {
    const kill = (problem: string) => {
      if (hasOwnGroup) killGroup(pid);
      else child.kill();
      // One that hangs in the kernel, as on a dead file system, isn't waited for.
      killed = setTimeout(resolve, hasOwnGroup ? KILLED_MS : TERMINATED_MS, { exitCode: undefined, problem });
      because = problem;
    };
    let because: string | undefined;
    let killed: NodeJS.Timeout | undefined;
    const late = () => kill(`it was killed after ${(timeoutMs ?? 0) / 1000} s without an end`);
    const aborted = () => kill("it was not wanted any more");
    const deadline = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
    signal?.addEventListener("abort", aborted);
    if (signal?.aborted) aborted();
    child.nodeChildProcess.once("exit", (code, endedBy) => {
      clearTimeout(deadline);
      clearTimeout(killed);
      signal?.removeEventListener("abort", aborted);
      const how = endedBy === null ? `it exits with ${code}` : `it was ended by ${endedBy}`;
      resolve({ exitCode: code ?? undefined, problem: because ?? (code === 0 ? undefined : how) });
    });
  });
  if (hasOwnGroup) killGroup(pid);
  await untilRead(outputs);
  const [stdout = "", stderr = ""] = outputs.map((output) => output.close());
  return { stdout, stderr, ...ended };
}

/** Resolves with what a command printed that must succeed. @throws an error with what it said */
export async function mustRun(command: Command, options: CommandOptions = {}): Promise<string> {
  const { stdout, stderr, problem } = await runCommand(command, options);
  if (problem === undefined) return stdout;
  const said = lastLines(stderr || stdout);
  throw new Error(`${command.join(" ")}: ${problem}${said === "" ? "" : `: ${said}`}`);
}

const SAID_LINES = 15;

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-SAID_LINES).join("\n");
}

class Output {
  bytes = 0;
  readonly #stream: Readable;
  readonly #limitBytes: number;
  readonly #chunks: Buffer[] = [];

  constructor(stream: Readable, limitBytes: number) {
    this.#stream = stream;
    this.#limitBytes = limitBytes;
    stream.on("data", (chunk: Buffer) => {
      if (this.bytes < this.#limitBytes) this.#chunks.push(chunk);
      this.bytes += chunk.length;
    });
    stream.on("error", () => {});
  }

  /** What it printed; whoever still prints learns that nobody reads. */
  close(): string {
    this.#stream.destroy();
    return Buffer.concat(this.#chunks)
      .subarray(0, this.#limitBytes)
      .toString()
      .replace(/\r?\n$/, "");
  }
}

/** What a process has printed is in the pipe when it ends: it is read once a turn of the event loop finds no more. */
async function untilRead(outputs: readonly Output[]): Promise<void> {
  const deadlineMs = performance.now() + LEFTOVER_OUTPUT_MS;
  const total = () => outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  let before: number;
  do {
    before = total();
    await nextTurn();
    await nextTurn();
  } while (total() > before && performance.now() < deadlineMs);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}
