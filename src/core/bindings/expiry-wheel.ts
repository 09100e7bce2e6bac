/** Finds what is due without looking at everything: keys in buckets of one second. Setting and clearing cost O(1). */
export class ExpiryWheel<Key> {
  readonly #buckets = new Map<number, Set<Key>>();
  readonly #bucketOf = new Map<Key, number>();
  #earliest = Number.POSITIVE_INFINITY;

  /** `Infinity` never comes due. */
  set(key: Key, dueAtMs: number): void {
    this.clear(key);
    if (dueAtMs === Number.POSITIVE_INFINITY) return;
    // Rounded up: nothing comes due early, and at most a second late.
    const second = Math.ceil(dueAtMs / 1000);
    let bucket = this.#buckets.get(second);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(second, bucket);
    }
    bucket.add(key);
    this.#bucketOf.set(key, second);
    this.#earliest = Math.min(this.#earliest, second);
  }

  clear(key: Key): void {
    const second = this.#bucketOf.get(key);
    if (second === undefined) return;
    this.#bucketOf.delete(key);
    const bucket = this.#buckets.get(second);
    bucket?.delete(key);
    if (bucket?.size === 0) this.#buckets.delete(second);
  }

  /** Removes and returns everything due at `nowMs`, also after a clock that jumped far ahead. */
  takeDue(nowMs: number): Key[] {
    const now = Math.floor(nowMs / 1000);
    if (now < this.#earliest) return [];
    const due: Key[] = [];
    let earliest = Number.POSITIVE_INFINITY;
    for (const [second, bucket] of this.#buckets) {
      if (second > now) {
        earliest = Math.min(earliest, second);
        continue;
      }
      for (const key of bucket) {
        this.#bucketOf.delete(key);
        due.push(key);
      }
      this.#buckets.delete(second);
    }
    this.#earliest = earliest;
    return due;
  }

  /** Epoch ms of the earliest due time (or somewhat before it); `Infinity` if there is none. */
  get nextDueMs(): number {
    return this.#earliest * 1000;
  }
}
