import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { entryFile } from "../../kernel/entry-file.ts";
import { LineSplitter } from "../../kernel/line-splitter.ts";
import type { EventLog } from "../../telemetry/log.ts";
import { type GuardOrder, stale } from "./guard.ts";
import { type GuardReport, parseGuardReport } from "./guard-reports.ts";

const ENTRY = entryFile(new URL("./guard-process.ts", import.meta.url));

const WATCH_INTERVAL_MS = 1000;
/**
 * Silent intervals in a row. They are counted, not timed, as a daemon that was stopped must not blame others. The guard
 * speaks ten times a second.
 */
const MAXIMUM_SILENT_INTERVALS = 5;
const REPORT_LIMIT_BYTES = 64 << 10;

/** The daemon's end of a guard of ospfd. */
export interface GuardKeeper {
  /** Why no guard works. */
  readonly problem: string | undefined;
  /** Leaves the guard alone; it ends by itself when ospfd announces nothing any more. */
  release(): void;
}

export type KeepGuard = (order: GuardOrder, log: EventLog) => GuardKeeper;

/** Starts a guard of ospfd, and another one whenever it ends or falls silent. */
export class GuardProcess implements GuardKeeper {
  readonly #order: GuardOrder;
  readonly #log: EventLog;
  readonly #program: URL;
  readonly #watch: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #silentIntervals = 0;
  #problem: string | undefined;
  /** Why ospfd can't be ended. */
  #failure: string | undefined;

  /** @param program tests use others */
  constructor(order: GuardOrder, log: EventLog, program: URL = ENTRY) {
    this.#order = order;
    this.#log = log;
    this.#program = program;
    this.#start();
    this.#watch = setInterval(() => this.#look(), WATCH_INTERVAL_MS);
  }

  get problem(): string | undefined {
    return this.#problem ?? this.#failure;
  }

  release(): void {
    clearInterval(this.#watch);
    this.#child?.unref();
    this.#child?.stdin?.end();
    this.#child = undefined;
  }

  #start(): void {
    this.#silentIntervals = 0;
    try {
      this.#child = this.#spawn();
    } catch (error) {
      this.#problem = `the guard of ospfd can't be started: ${(error as Error).message}`;
    }
  }

  #spawn(): ChildProcess {
    // There are no pipes if descriptors have run out; the error is reported later then.
    const child: ChildProcess = spawn(process.execPath, [fileURLToPath(this.#program), JSON.stringify(this.#order)], {
      stdio: ["pipe", "pipe", "ignore"],
      // Its own session: an interrupt from the terminal is for the daemon.
      detached: true,
      cwd: "/",
      env: {},
    });
    child.once("error", (error) => this.#lost(child, error.message));
    child.once("exit", (code, signal) => this.#lost(child, signal ? `killed by ${signal}` : `exited with ${code}`));
    child.stdin?.on("error", () => {});
    child.stdout?.on("error", () => {});
    const lines = new LineSplitter(REPORT_LIMIT_BYTES);
    child.stdout?.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        if (child === this.#child) this.#take(child, line === undefined ? undefined : parseGuardReport(line));
      }
    });
    return child;
  }

  #lost(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#problem = `the guard of ospfd ended: ${how}`;
  }

  #look(): void {
    this.#silentIntervals += 1;
    if (this.#child === undefined) this.#start();
    else if (this.#silentIntervals > MAXIMUM_SILENT_INTERVALS) this.#child.kill("SIGKILL");
  }

  #take(child: ChildProcess, report: GuardReport | undefined): void {
    if (report === undefined) {
      child.kill("SIGKILL");
      this.#lost(child, "it was killed, as it sent what is no report");
      return;
    }
    const { ended, failure } = report;
    this.#silentIntervals = 0;
    this.#problem = undefined;
    if (ended !== undefined) this.#log.event("speaker-problem", { problem: `${stale(ended)}, so it was ended` });
    this.#failure = failure;
  }
}
