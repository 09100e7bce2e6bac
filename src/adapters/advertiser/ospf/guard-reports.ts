/** What the guard of ospfd reports to its daemon: one JSON object per line on the guard's stdout. */
import type { Writable } from "node:stream";
import { z } from "zod";

const guardReport = z.strictObject({
  /** What ospfd went on announcing, for which it has now been ended. */
  ended: z.array(z.string()).readonly().optional(),
  /** Why it can't be ended although it should. */
  failure: z.string().optional(),
});

export type GuardReport = z.infer<typeof guardReport>;

/** `undefined` if the line is no report. */
export function parseGuardReport(line: string): GuardReport | undefined {
  try {
    return guardReport.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/**
 * Keeps at most one report that its reader has not taken, as a daemon that is stopped reads none for as long as that lasts.
 * The latest report gives the current state, and it includes that ospfd was ended, however long ago.
 */
export class GuardReporter {
  readonly #output: Writable;
  #ended: readonly string[] | undefined;

  constructor(output: Writable) {
    this.#output = output;
  }

  tell({ ended = this.#ended, failure }: GuardReport): void {
    this.#ended = ended;
    if (this.#output.writableLength > 0) return;
    this.#output.write(`${JSON.stringify({ ended, failure } satisfies GuardReport)}\n`);
    this.#ended = undefined;
  }
}
