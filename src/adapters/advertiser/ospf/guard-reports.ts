/** What the guard of ospfd tells its daemon: one report a line, as JSON, on the guard's stdout. */
import type { Writable } from "node:stream";
import { z } from "zod";

const guardReport = z.strictObject({
  /** What ospfd went on announcing, so that it was ended now. */
  ended: z.array(z.string()).readonly().optional(),
  /** Why it can't be, though it should. */
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
 * Tells at most one report that its reader has not taken: a daemon that is stopped reads none for as long as that lasts. The
 * latest says how things stand, and that ospfd was ended is told with it, however long ago.
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
