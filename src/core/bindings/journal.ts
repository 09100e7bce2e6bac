import type { LoggedChange, StoreChange } from "./row-change.ts";

/** Hands row changes to the store under consecutive positions, and knows which of them are on disk. */
export class Journal {
  readonly #write: (changes: readonly LoggedChange[]) => void;
  #position = 0;
  #durable = 0;
  #writable = true;

  constructor(write: (changes: readonly LoggedChange[]) => void) {
    this.#write = write;
  }

  /** False from a store failure to its recovery. */
  get writable(): boolean {
    return this.#writable;
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

  failed(): void {
    this.#writable = false;
  }

  recovered(): void {
    this.#writable = true;
  }
}
