/** Remembered at least; twice as many at most. At a thousand requests per second that is half a minute. */
const REMEMBERED = 32_768;

/** The newest requests, by their authenticators: the same comes from whoever has the same key and signs the same, and from nobody else. */
export class RecentRequests {
  #newest = new Set<string>();
  #older = new Set<string>();

  /** Once for each. */
  isNew(authenticator: string): boolean {
    if (this.#newest.has(authenticator) || this.#older.has(authenticator)) return false;
    if (this.#newest.size >= REMEMBERED) {
      this.#older = this.#newest;
      this.#newest = new Set();
    }
    this.#newest.add(authenticator);
    return true;
  }
}
