/** Remembered at least; twice as many at most. At a thousand requests per second that is half a minute. */
const REMEMBERED = 32_768;

/** The Identifications of the newest requests. Two requests hardly ever have the same, unless one is the other sent again. */
export class RecentIdentifications {
  #newest = new Set<bigint>();
  #older = new Set<bigint>();

  /** Once for each. */
  isNew(identification: bigint): boolean {
    if (this.#newest.has(identification) || this.#older.has(identification)) return false;
    if (this.#newest.size >= REMEMBERED) {
      this.#older = this.#newest;
      this.#newest = new Set();
    }
    this.#newest.add(identification);
    return true;
  }
}
