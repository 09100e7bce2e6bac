/**
 * How many rows the mobiles of one security association have here. Whoever holds the key of a realm or of a range of
 * addresses can make up mobiles: each leaves a row, and a tombstone outlasts its deregistration. They count for the key
 * that has authenticated them, whatever they call themselves: nobody fills the quota of others, whose names anybody can
 * show.
 */
import type { Binding } from "../bindings/binding.ts";
import type { MemberId } from "../names.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";

export class MobileQuota {
  readonly #self: MemberId;
  readonly #maximum: number;
  readonly #counts = new Map<string, number>();

  constructor(self: MemberId, maximum: number) {
    this.#self = self;
    this.#maximum = maximum;
  }

  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    const [from, to] = [this.#countedFor(before), this.#countedFor(after)];
    if (from === to) return;
    if (from !== undefined) this.#add(from, -1);
    if (to !== undefined) this.#add(to, 1);
  }

  /** The mobile may have this row. `before`: what it has already, which may count for another association, or for none. */
  hasRoom(row: Binding, before: Binding | undefined): boolean {
    const { association } = row.registration;
    const isCounted = this.#countedFor(before) === association;
    return isCounted || (this.#counts.get(association) ?? 0) < this.#maximum;
  }

  /**
   * What a mobile leaves behind under a name that it no longer uses counts for no association, as it is bounded by time.
   */
  #countedFor(row: Binding | undefined): string | undefined {
    if (row?.ownership.owner !== this.#self) return undefined;
    const isLeftBehind = row.nai === undefined && row.homeAddress === UNSPECIFIED;
    return isLeftBehind ? undefined : row.registration.association;
  }

  #add(association: string, amount: number): void {
    const count = (this.#counts.get(association) ?? 0) + amount;
    if (count > 0) this.#counts.set(association, count);
    else this.#counts.delete(association);
  }
}
