/** A check that the operator brings along: a command that is run again and again, and passes if it exits with 0. */
import type { Readable } from "node:stream";
import { execa } from "execa";
import type { Finding, Hysteresis } from "../../core/health/settled-check.ts";

export interface ExecSettings extends Hysteresis {
  readonly name: string;
  /** Program and arguments; no shell in between. */
  readonly command: readonly [string, ...string[]];
  /** From the end of one run to the start of the next: runs never overlap. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly onFailure: "degraded" | "fail";
}

/** Of what a command prints; the rest is read, so that it isn't held up, and forgotten. */
const OUTPUT_LIMIT = 4096;
const REASON_LENGTH = 200;
const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class ExecCheck {
  readonly #settings: ExecSettings;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #found: (finding: Finding) => void;
  #timer: NodeJS.Timeout | undefined;
  #kill: (() => void) | undefined;
  #stopped = false;

  /** `environment` is all that the command gets, besides a search path. */
  constructor(
    settings: ExecSettings,
    environment: Readonly<Record<string, string>>,
    found: (finding: Finding) => void,
  ) {
    this.#settings = settings;
    this.#environment = environment;
    this.#found = found;
  }

  start(): void {
    void this.#runAgainAndAgain();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#kill?.();
  }

  async #runAgainAndAgain(): Promise<void> {
    const finding = await this.#run();
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#runAgainAndAgain(), this.#settings.intervalMs);
    this.#found(finding);
  }

  async #run(): Promise<Finding> {
    const { command, timeoutMs, onFailure } = this.#settings;
    const [program, ...options] = command;
    const running = execa(program, options, {
      stdin: "ignore",
      buffer: false,
      reject: false,
      // A process group of its own, so that a script is killed together with what it has started.
      detached: true,
      extendEnv: false,
      env: { PATH: SEARCH_PATH, LANG: "C.UTF-8", ...this.#environment },
      cwd: "/",
    });
    this.#kill = () => killGroup(running.pid);
    const output = collect(running.stdout);
    const errors = collect(running.stderr);
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      deadline = setTimeout(resolve, timeoutMs, undefined);
    });
    // What it has started may have left the group, and hold on to its output: that isn't waited for.
    const result = await Promise.race([running, late]);
    clearTimeout(deadline);
    if (result === undefined) killGroup(running.pid);
    this.#kill = undefined;
    const said = firstLine(result?.exitCode === 0 ? output() : errors() || output());
    if (result === undefined)
      return { state: onFailure, reason: `it was killed after ${timeoutMs / 1000} s without an end` };
    if (result.exitCode === 0) return { state: "pass", reason: said || "it exits with 0" };
    if (result.exitCode !== undefined) return { state: onFailure, reason: said || `it exits with ${result.exitCode}` };
    return {
      state: onFailure,
      reason: result.signal ? `it was ended by ${result.signal}` : firstLine(result.shortMessage ?? ""),
    };
  }
}

function collect(stream: Readable): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < OUTPUT_LIMIT) text += chunk.toString("utf8").slice(0, OUTPUT_LIMIT - text.length);
  });
  return () => text;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

function firstLine(text: string): string {
  const [line = ""] = text.trim().split("\n", 1);
  return line
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, REASON_LENGTH);
}
