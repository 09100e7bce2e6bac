/**
 * Runs commands until their process ends, not until their output does: a child that a command leaves behind holds the
 * output open for as long as it lives, and waiting for that would be waiting for a stranger.
 */
import type { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { execa } from "execa";

export type Command = readonly [string, ...string[]];

export interface CommandOptions {
  /** The whole environment of the command; by default a search path and a locale. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What the command reads on stdin. */
  readonly input?: string;
  /** The command is killed after this time. */
  readonly timeoutMs?: number;
  /** Aborting it kills the command. */
  readonly signal?: AbortSignal | undefined;
  /** How much of each output is kept; the rest is read and discarded, so that the command isn't held up. */
  readonly outputLimitBytes?: number;
  /** Whether it gets a process group of its own, nothing of which is left when the command has ended. */
  readonly hasOwnGroup?: boolean;
}

interface Ended {
  /** `undefined` if a signal ended it or it could not be started. */
  readonly exitCode: number | undefined;
  /** Why it did not succeed, in words; `undefined` if the exit code is 0. */
  readonly problem: string | undefined;
}

export interface CommandResult extends Ended {
  /** Both outputs come without a final line end. */
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_LIMIT_BYTES = 64 << 20;
/** What a killed group is given to be gone, and what a command is that may end in order first: for 5 s of it. */
const KILLED_MS = 1000;
const TERMINATED_MS = 6000;
/** The bound for output that doesn't end with its command because something that was left behind goes on printing. */
const LEFTOVER_OUTPUT_MS = 100;

/**
 * Debian keeps many programs in /usr/sbin, which not every search path includes; the search path may also be missing or
 * empty.
 */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The environment of commands that the daemon needs, so that nothing in its own environment changes what they do or print.
 */
export function commandEnvironment(): Record<string, string> {
  return { PATH: [process.env.PATH, SYSTEM_PATH].filter(Boolean).join(":"), LC_ALL: "C.UTF-8" };
}

/** Never rejects: the result says how it went. */
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
      // A command that hangs in the kernel, for example on a dead file system, isn't waited for.
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

/** Resolves with the output of a command that must succeed. @throws an error with what it printed */
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

  /** What the command printed. A process that goes on printing gets an error, as the pipe has no reader any more. */
  close(): string {
    this.#stream.destroy();
    return Buffer.concat(this.#chunks)
      .subarray(0, this.#limitBytes)
      .toString()
      .replace(/\r?\n$/, "");
  }
}

/**
 * Everything a process has printed is in the pipe when it ends, so all of it has been read once a turn of the event loop
 * finds no more.
 */
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
