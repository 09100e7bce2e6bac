const SPAN_SECONDS = 5;

/** Rate over the last whole seconds, from counts alone. */
export class LoadMeter {
  readonly #counts = new Array<number>(SPAN_SECONDS + 1).fill(0);
  #second = 0;

  count(monotonicMs: number): void {
    this.#advance(monotonicMs);
    const slot = this.#second % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  /** Events per second over the last `SPAN_SECONDS` completed seconds. */
  perSecond(monotonicMs: number): number {
    this.#advance(monotonicMs);
    const current = this.#second % this.#counts.length;
    const total = this.#counts.reduce((sum, count, slot) => (slot === current ? sum : sum + count), 0);
    return total / SPAN_SECONDS;
  }

  #advance(monotonicMs: number): void {
    const second = Math.floor(monotonicMs / 1000);
    const steps = Math.min(second - this.#second, this.#counts.length);
    for (let step = 0; step < steps; step++) this.#counts[(second - step) % this.#counts.length] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
