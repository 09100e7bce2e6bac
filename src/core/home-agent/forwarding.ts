/** What this member's data plane is told: how packets reach mobiles, by rows and by what owners tell. Absent where nobody forwards. */
import type { BindingTable } from "../bindings/binding-table.ts";
import { isTombstone } from "../bindings/mobility-bindings.ts";
import { ForwardingChanges } from "../forwarding/forwarding-changes.ts";
import type { ForwardingEntry } from "../forwarding/forwarding-entry.ts";
import type { Lease } from "../forwarding/lease.ts";
import { LeasedEntries } from "../forwarding/leased-entries.ts";
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import type { Output } from "./io.ts";

export class Forwarding {
  readonly #table: BindingTable;
  readonly #alive: () => readonly MemberId[];
  readonly #changes = new ForwardingChanges();
  readonly #leased: LeasedEntries;
  #isStarted = false;
  /** As was told last. */
  #told = "";

  constructor(table: BindingTable, alive: () => readonly MemberId[], leaseMs: number) {
    this.#table = table;
    this.#alive = alive;
    this.#leased = new LeasedEntries(leaseMs, (homeAddress) => this.#changes.changed(homeAddress));
  }

  /** From here on, outputs say what changes in `entries`. */
  start(): void {
    this.#isStarted = true;
    this.#table.listen((before, after) => {
      this.#changes.rowChanged(before, after);
      if (after !== undefined) this.#leased.holds(after);
    });
  }

  /** As they are now. */
  *entries(): Generator<ForwardingEntry> {
    for (const row of this.#table.values()) {
      if (!isTombstone(row) && this.#table.findByHomeAddress(row.homeAddress) === row)
        yield this.entryOf(row.homeAddress);
    }
    for (const homeAddress of this.#leased.homeAddresses) {
      const row = this.#table.findByHomeAddress(homeAddress);
      const entry = this.entryOf(homeAddress);
      if ((row === undefined || isTombstone(row)) && entry.tunnels.length > 0) yield entry;
    }
  }

  learn(lease: Lease, owner: MemberId, now: Now): void {
    if (this.#isStarted) this.#leased.learn(lease, owner, now);
  }

  /** Its stream has ended: what it told can't be taken back. */
  silent(owner: MemberId, now: Now): void {
    this.#leased.silent(owner, now);
  }

  /** `isCertain`: whether lifetimes can be told by the clock. */
  passTime(now: Now, isCertain: boolean): void {
    this.#leased.passTime(now);
    if (isCertain) this.#leased.expire(now);
  }

  /** Epoch ms. */
  get nextExpiryMs(): number {
    return this.#leased.nextDueMs;
  }

  /** Monotonic ms. */
  get nextDueMs(): number {
    return this.#leased.nextSilenceEndsMs;
  }

  takeOutputs(): Output[] {
    const entries = this.#changes.take((homeAddress) => this.entryOf(homeAddress));
    if (!this.#isStarted) return [];
    return [...(entries.length > 0 ? [{ type: "forward" as const, entries }] : []), ...this.#takeAlive()];
  }

  #takeAlive(): Output[] {
    const members = this.#alive();
    const news = members.join();
    if (news === this.#told) return [];
    this.#told = news;
    return [{ type: "alive", members }];
  }

  /** Without tunnels where the way is not known. */
  entryOf(homeAddress: Ipv4Address): ForwardingEntry {
    return this.#leased.entry(homeAddress, this.#table.findByHomeAddress(homeAddress));
  }
}
