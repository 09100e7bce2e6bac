/** Lets a steady rate through, and at most one second's worth at once. */
export class TokenBucket {
  readonly #perSecond: number;
  #tokens = 0;
  /** Long ago, so that the bucket starts full. */
  #filledAtMs = 0;

  /** 0 lets nothing through. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** `nowMs`: epoch ms. It may go back, as wall clocks do; then nothing is added to the bucket. */
  take(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(Math.max(1, this.#perSecond), this.#tokens + (elapsedMs / 1000) * this.#perSecond);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
