import type { Now } from "../now.ts";
import type { LoggedChange, StoreChange } from "./row-change.ts";

/**
 * A disk that finishes nothing for longer isn't waited for: as long as is waited for a backup
 * (replication/peer-progress.ts), and half of a relay timeout.
 */
const COMMIT_TIMEOUT_MS = 1000;

/** Hands row changes to the store under consecutive positions, and knows which of them are on disk. */
export class Journal {
  readonly #write: (changes: readonly LoggedChange[]) => void;
  #position = 0;
  #durable = 0;
  #writable = true;
  /** What the disk had when it was last seen to get on while something waits, and since when it hasn't; monotonic ms. */
  #stuck: { readonly durable: number; readonly sinceMs: number } | undefined;
  #hangs = false;
  /** What was waiting at the last failure: it will never be on disk under its position. */
  #lost = 0;

  constructor(write: (changes: readonly LoggedChange[]) => void) {
    this.#write = write;
  }

  /** False from a store failure to its recovery. */
  get writable(): boolean {
    return this.#writable;
  }

  /** False while the store has failed, and also while its disk hangs: nothing can be promised here. */
  get canStore(): boolean {
    return this.#writable && !this.#hangs;
  }

  /** Of the last change; not yet on disk unless `isDurable` says so. */
  get position(): number {
    return this.#position;
  }

  isDurable(position: number): boolean {
    return position <= this.#durable;
  }

  /** Returns the position of the last of `changes`. While the store can't write, they are dropped: see `writable`. */
  append(...changes: StoreChange[]): number {
    if (!this.#writable || changes.length === 0) return this.#position;
    const logged: LoggedChange[] = changes.map((change) => ({ ...change, position: ++this.#position }));
    this.#write(logged);
    return this.#position;
  }

  durable(position: number): void {
    this.#durable = Math.max(this.#durable, position);
  }

  passTime({ monotonicMs }: Now): void {
    // Much to write at once, as in a takeover, makes a queue; a disk that gets on with it doesn't hang.
    if (this.#position <= Math.max(this.#durable, this.#lost)) this.#stuck = undefined;
    else if (this.#stuck?.durable !== this.#durable) this.#stuck = { durable: this.#durable, sinceMs: monotonicMs };
    this.#hangs = this.#stuck !== undefined && monotonicMs - this.#stuck.sinceMs > COMMIT_TIMEOUT_MS;
  }

  /** This process did not run, and neither did its writers, so the disk gets its full time again. */
  stalled(): void {
    this.#stuck = undefined;
  }

  failed(): void {
    this.#writable = false;
    this.#lost = this.#position;
  }

  recovered(): void {
    this.#writable = true;
    this.#stuck = undefined;
  }
}
