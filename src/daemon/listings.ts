import { ControlError } from "../adapters/api/requests.ts";

/** Listings that were begun and may be continued; the oldest is forgotten when there are too many. */
const MAXIMUM_LISTINGS = 32;

/**
 * Keeps the iterators of paged listings. Iterators of a Map continue after changes of the Map, so that nothing is left out
 * or listed twice, and a page costs the same wherever it begins.
 */
export class Listings<Rows> {
  readonly #byCursor = new Map<string, Rows>();
  #count = 0;

  /** Returns the cursor by which `take` finds the listing again, once. */
  keep(rows: Rows): string {
    const [oldest] = this.#byCursor.keys();
    if (oldest !== undefined && this.#byCursor.size >= MAXIMUM_LISTINGS) this.#byCursor.delete(oldest);
    const cursor = String(++this.#count);
    this.#byCursor.set(cursor, rows);
    return cursor;
  }

  /** The listing of a cursor, or a new one where there is none. @throws ControlError "stale-cursor" */
  resume(cursor: string | undefined, begin: () => Rows): Rows {
    const rows = cursor === undefined ? begin() : this.take(cursor);
    if (rows !== undefined) return rows;
    throw new ControlError("stale-cursor", `the listing ${JSON.stringify(cursor)} can't be continued: begin anew`);
  }

  take(cursor: string): Rows | undefined {
    const rows = this.#byCursor.get(cursor);
    this.#byCursor.delete(cursor);
    return rows;
  }
}
