const WINDOW_BITS = 1024;
const WORD_BITS = 32;

/**
 * Anti-replay window of one start of a sender, as in RFC 4303 3.4.3: each sequence number is accepted once, and reordering is
 * tolerated up to the window's size.
 */
export class ReplayWindow {
  readonly #seen = new Uint32Array(WINDOW_BITS / WORD_BITS);
  readonly #first: number;
  #highest = 0;

  /** `first`: what comes before it was refused, and stays so. */
  constructor(first = 1) {
    this.#first = first;
  }

  /** Call only for authenticated frames. */
  accept(sequence: number): boolean {
    if (sequence < this.#first) return false;
    if (sequence > this.#highest) {
      this.#slideTo(sequence);
    } else if (sequence <= this.#highest - WINDOW_BITS || this.#has(sequence)) {
      return false;
    }
    this.#mark(sequence);
    return true;
  }

  #slideTo(sequence: number): void {
    if (sequence - this.#highest >= WINDOW_BITS) {
      this.#seen.fill(0);
    } else {
      for (let passed = this.#highest + 1; passed <= sequence; passed++) this.#clear(passed);
    }
    this.#highest = sequence;
  }

  #has(sequence: number): boolean {
    return ((this.#word(sequence) >>> (sequence % WORD_BITS)) & 1) === 1;
  }

  #mark(sequence: number): void {
    this.#seen[this.#index(sequence)] = this.#word(sequence) | (1 << (sequence % WORD_BITS));
  }

  #clear(sequence: number): void {
    this.#seen[this.#index(sequence)] = this.#word(sequence) & ~(1 << (sequence % WORD_BITS));
  }

  #word(sequence: number): number {
    return this.#seen[this.#index(sequence)] ?? 0;
  }

  #index(sequence: number): number {
    return Math.floor((sequence % WINDOW_BITS) / WORD_BITS);
  }
}
