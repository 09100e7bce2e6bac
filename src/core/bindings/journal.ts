import type { LoggedChange, StoreChange } from "../../adapters/store/store.ts";
import type { Emit } from "../home-agent/io.ts";

/** Hands row changes to the store under consecutive positions, and knows which of them are on disk. */
export class Journal {
  readonly #emit: Emit;
  #position = 0;
  #durable = 0;
  #writable = true;

  constructor(emit: Emit) {
    this.#emit = emit;
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
    this.#emit({ type: "append", changes: logged });
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
