const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** A run of this length counts as a success, so that the next failure is the first again. */
const STABLE_MS = 30_000;

/** How long to wait before a process that has failed is started again: doubled from one failure to the next. */
export class RestartBackoff {
  #delayMs = FIRST_DELAY_MS;

  /** @param ranMs how long the process worked before it failed */
  nextDelayMs(ranMs: number): number {
    if (ranMs >= STABLE_MS) this.#delayMs = FIRST_DELAY_MS;
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    return delayMs;
  }
}
