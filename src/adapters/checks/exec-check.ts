/** A check that the operator configures: a command that is run at intervals and passes if it exits with 0. */

import type { Finding, Hysteresis } from "../../core/health/settled-check.ts";
import { runCommand, SYSTEM_PATH } from "../kernel/command.ts";

export interface ExecSettings extends Hysteresis {
  readonly name: string;
  /** Program and arguments; no shell in between. */
  readonly command: readonly [string, ...string[]];
  /** From the end of one run to the start of the next: runs never overlap. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** `withdraw`: a failure makes the member unfit; `degrade`: others are preferred. */
  readonly onFailure: "withdraw" | "degrade";
}

const OUTPUT_LIMIT_BYTES = 4096;
const REASON_LENGTH = 200;

export class ExecCheck {
  readonly #settings: ExecSettings;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #found: (finding: Finding) => void;
  #timer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();

  /** `environment` is all that the command is given, apart from a search path. */
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
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  async #runAgainAndAgain(): Promise<void> {
    const finding = await this.#run();
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#runAgainAndAgain(), this.#settings.intervalMs);
    this.#found(finding);
  }

  async #run(): Promise<Finding> {
    const { command, timeoutMs, onFailure } = this.#settings;
    const { stdout, stderr, exitCode, problem } = await runCommand(command, {
      env: { PATH: SYSTEM_PATH, LANG: "C.UTF-8", ...this.#environment },
      cwd: "/",
      timeoutMs,
      signal: this.#stop.signal,
      outputLimitBytes: OUTPUT_LIMIT_BYTES,
      // A script is killed together with what it has started.
      hasOwnGroup: true,
    });
    if (problem === undefined) return { state: "pass", reason: firstLine(stdout) || "it exits with 0" };
    const said = exitCode === undefined ? "" : firstLine(stderr || stdout);
    return { state: onFailure === "withdraw" ? "fail" : "degraded", reason: said || firstLine(problem) };
  }
}

function firstLine(text: string): string {
  const [line = ""] = text.trim().split("\n", 1);
  return line
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, REASON_LENGTH);
}
