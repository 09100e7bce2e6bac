import type { StatusView } from "../adapters/api/members.ts";

const KEPT = 5;

/** The last takeovers that this member decided about, oldest first. */
export class TakeoverHistory {
  readonly #finished: StatusView["takeovers"] = [];

  get recent(): StatusView["takeovers"] {
    return [...this.#finished];
  }

  note(member: string, bindings: number, atMs: number): void {
    this.#finished.push({ at: new Date(atMs).toISOString(), member, bindings });
    if (this.#finished.length > KEPT) this.#finished.shift();
  }
}
