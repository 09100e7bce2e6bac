/** Remembered at most; the oldest are forgotten. */
const MAXIMUM_EXPLAINED = 256;

/** Who is refused tries again and again: it is explained once, and once more after it had been let in. */
export class Explanations {
  readonly #explained = new Set<string>();

  /** Not told of this source since it was last let in. */
  isNews(source: string, reason: string): boolean {
    const explanation = `${source} ${reason}`;
    if (this.#explained.has(explanation)) return false;
    const [oldest] = this.#explained;
    if (this.#explained.size >= MAXIMUM_EXPLAINED && oldest !== undefined) this.#explained.delete(oldest);
    this.#explained.add(explanation);
    return true;
  }

  /** It got in: the next time that it does not is news again. */
  forgive(source: string): void {
    if (this.#explained.size === 0) return;
    for (const explanation of this.#explained)
      if (explanation.startsWith(`${source} `)) this.#explained.delete(explanation);
  }
}
