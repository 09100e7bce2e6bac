import type { LoggedChange } from "../../core/bindings/row-change.ts";

/** Holds the writer of a store to its promise: positions without gaps, except after a failure. */
export class Positions {
  /** The last one taken; after a failure, the last durable one. */
  #last = 0;
  #mayJump = false;

  /** @throws RangeError */
  take(changes: readonly LoggedChange[]): void {
    for (const { position } of changes) {
      const follows = this.#mayJump
        ? Number.isSafeInteger(position) && position > this.#last
        : position === this.#last + 1;
      if (!follows) throw new RangeError(`position ${position} does not follow position ${this.#last}`);
      this.#last = position;
      this.#mayJump = false;
    }
  }

  restartAfter(durablePosition: number): void {
    this.#last = durablePosition;
    this.#mayJump = true;
  }
}
