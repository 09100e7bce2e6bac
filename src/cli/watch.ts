/** Shows something at intervals until interrupted. */
import { setTimeout as delay } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { visibleLines } from "../text/visible.ts";
import { CliError, ExitCode } from "./exit.ts";
import { parsePositiveNumber } from "./option-values.ts";
import { type OutputFormat, serialize, tell } from "./output.ts";

/** Moves the cursor to the top left and clears everything from there on. */
const REDRAW = "\u001b[H\u001b[J";
const SHORTEST_SECONDS = 0.1;
const LONGEST_SECONDS = 86_400;

export interface WatchOptions<T> {
  readonly intervalSeconds: number;
  readonly output: OutputFormat;
  /**
   * Returns what is shown. If it throws a CliError because the daemon can't be reached, that is shown instead, and it is
   * called again.
   */
  readonly look: () => Promise<T>;
  readonly toText: (value: T) => string;
}

/**
 * On a terminal each text replaces the one before; elsewhere they follow each other, without any control characters.
 * JSON is printed as one line each time.
 */
export async function watch<T>({ intervalSeconds, output, look, toText }: WatchOptions<T>): Promise<void> {
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    while (!interrupted.signal.aborted) {
      const text = await look().then((value) => render(value, output, toText), explain);
      process.stdout.write(process.stdout.isTTY && output === "table" ? frame(text) : `${text}\n`);
      await delay(intervalSeconds * 1000, undefined, { signal: interrupted.signal }).catch(() => {});
    }
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

async function render<T>(value: T, output: OutputFormat, toText: (value: T) => string): Promise<string> {
  if (output === "json") return serialize(value, output, 0);
  if (output === "table") return `${visibleLines(toText(value))}\n`;
  return `---\n${await serialize(value, output)}`;
}

function explain(error: unknown): string {
  if (!(error instanceof CliError) || error.exitCode !== ExitCode.unreachable) throw error;
  tell(`anyhome: ${error.message}`);
  return "";
}

/** The part that fits on the terminal, as a wrapped line would move all lines after it. */
function frame(text: string): string {
  const { columns = 80, rows = 24 } = process.stdout;
  const lines = text.split("\n").slice(0, rows - 1);
  return REDRAW + lines.map((line) => line.slice(0, columns)).join("\n");
}

export function parseInterval(text: string): number {
  const seconds = parsePositiveNumber(text);
  if (seconds >= SHORTEST_SECONDS && seconds <= LONGEST_SECONDS) return seconds;
  throw new InvalidArgumentError(`Expected ${SHORTEST_SECONDS} to ${LONGEST_SECONDS} seconds.`);
}
