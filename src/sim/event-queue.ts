interface Entry {
  readonly atMs: number;
  /** Events of the same time come in the order in which they were set. */
  readonly order: number;
  readonly run: () => void;
}

/** What is to happen, in the order of simulated time: a binary heap. */
export class EventQueue {
  nowMs = 0;
  readonly #heap: Entry[] = [];
  #order = 0;

  at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run };
    let index = this.#heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, this.#at(parent))) break;
      this.#heap[index] = this.#at(parent);
      index = parent;
    }
    this.#heap[index] = entry;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Everything up to a time. */
  runUntil(untilMs: number): void {
    while (this.#heap.length > 0 && this.#at(0).atMs <= untilMs) {
      const entry = this.#take();
      this.nowMs = entry.atMs;
      entry.run();
    }
    this.nowMs = untilMs;
  }

  #at(index: number): Entry {
    const entry = this.#heap[index];
    if (entry === undefined) throw new RangeError("no such entry");
    return entry;
  }

  #take(): Entry {
    const first = this.#at(0);
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && isBefore(this.#at(child + 1), this.#at(child))) child++;
      if (!isBefore(this.#at(child), last)) break;
      this.#heap[index] = this.#at(child);
      index = child;
    }
    this.#heap[index] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
