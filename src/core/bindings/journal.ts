import type { Now } from "../now.ts";
import type { LoggedChange, StoreChange } from "./row-change.ts";

/** A write that takes longer isn't waited for: as long as is waited for a backup (replication/peer-progress.ts), and half of a relay timeout. */
const COMMIT_TIMEOUT_MS = 1000;

/** Hands row changes to the store under consecutive positions, and knows which of them are on disk. */
export class Journal {
  readonly #write: (changes: readonly LoggedChange[]) => void;
  #position = 0;
  #durable = 0;
  #writable = true;
  /** A position that the disk doesn't have yet, and since when it has been waited for; monotonic ms. */
  #awaited: { readonly position: number; readonly sinceMs: number } | undefined;
  #hangs = false;

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

  /** Answers the position of the last of `changes`. While the store can't write, they are dropped: see `writable`. */
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
    if (this.#awaited !== undefined && this.isDurable(this.#awaited.position)) this.#awaited = undefined;
    if (!this.isDurable(this.#position)) this.#awaited ??= { position: this.#position, sinceMs: monotonicMs };
    this.#hangs = this.#awaited !== undefined && monotonicMs - this.#awaited.sinceMs > COMMIT_TIMEOUT_MS;
  }

  /** This process did not run, and neither did what writes for it: the disk gets its time anew. */
  stalled(): void {
    this.#awaited = undefined;
  }

  failed(): void {
    this.#writable = false;
  }

  recovered(): void {
    this.#writable = true;
    this.#awaited = undefined;
  }
}
