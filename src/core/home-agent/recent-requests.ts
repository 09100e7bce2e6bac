/** Remembered at least; twice as many at most. At a thousand requests per second that is half a minute. */
const REMEMBERED = 32_768;

/**
 * The newest requests, by their authenticators: only a sender with the same key that signs the same bytes produces the same
 * one.
 */
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
