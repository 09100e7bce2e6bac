/** Who is a member, in the configuration file of each and as each has read it: for a while they may differ. */
import type { EventQueue } from "./event-queue.ts";
import { RELAY_TIMEOUT_MS } from "./settings.ts";

export class Memberships {
  readonly #everyone: readonly string[];
  readonly #queue: EventQueue;
  readonly #configured = new Map<string, readonly string[]>();
  readonly #read = new Map<string, readonly string[]>();
  /** The fewest that a configuration had lately. */
  #fewest: { readonly count: number; readonly untilMs: number };
  #changedAtMs = Number.NEGATIVE_INFINITY;

  constructor(everyone: readonly string[], queue: EventQueue) {
    this.#everyone = everyone;
    this.#queue = queue;
    for (const id of everyone) this.#configured.set(id, everyone);
    this.#fewest = { count: everyone.length, untilMs: Number.POSITIVE_INFINITY };
  }

  /** As this member has read it. */
  of(id: string): readonly string[] {
    return this.#read.get(id) ?? [];
  }

  /** Each has the other in its configuration. */
  areMembers(one: string, other: string): boolean {
    return this.of(one).includes(other) && this.of(other).includes(one);
  }

  /** Members in the smallest configuration, while requests may wait that were taken in by it. */
  get fewest(): number {
    const { count, untilMs } = this.#fewest;
    return untilMs > this.#queue.nowMs ? count : this.#countFewest();
  }

  configure(id: string, change: (members: readonly string[]) => readonly string[]): void {
    const members = change(this.#configured.get(id) ?? []);
    this.#configured.set(
      id,
      this.#everyone.filter((other) => members.includes(other)),
    );
  }

  /** A member reads its configuration file. Returns whether something has changed. */
  read(id: string): boolean {
    const members = this.#configured.get(id) ?? [];
    if (members.join() === this.of(id).join()) return false;
    const before = this.#countFewest();
    this.#read.set(id, members);
    const fewest = this.#countFewest();
    if (fewest > before) this.#fewest = { count: before, untilMs: this.#queue.nowMs + RELAY_TIMEOUT_MS };
    else this.#fewest = { count: fewest, untilMs: Number.POSITIVE_INFINITY };
    this.#changedAtMs = this.#queue.nowMs;
    return true;
  }

  /** These have had the same members in mind since then. */
  agreeSince(ms: number, ids: () => readonly string[]): boolean {
    if (this.#changedAtMs >= ms) return false;
    // As it nearly always is; this is asked often.
    if (this.#countFewest() === this.#everyone.length) return true;
    const [first, ...others] = ids().map((id) => this.of(id));
    return others.every((members) => members.join() === first?.join());
  }

  #countFewest(): number {
    return Math.min(...[...this.#read.values()].map(({ length }) => length));
  }
}
