/** What other members, as owners, have told this one of the ways to their mobiles. It is gone with a restart. */
import type { Binding } from "../bindings/binding.ts";
import { ExpiryWheel } from "../bindings/expiry-wheel.ts";
import { isNewerOwnership } from "../bindings/location.ts";
import { isTombstone } from "../bindings/mobility-bindings.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import { type ForwardingEntry, forwardingEntry } from "./forwarding-entry.ts";
import type { Lease } from "./lease.ts";

interface Told extends Lease {
  readonly owner: MemberId;
  /** Monotonic ms. */
  readonly toldAtMs: number;
}

/** An owner that can't take anything back at the moment: what it has told before ends then. Both monotonic ms. */
interface Silence {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export class LeasedEntries {
  readonly #leaseMs: number;
  readonly #changed: (homeAddress: Ipv4Address) => void;
  /** Of two mobiles that were given one address, as on two sides of a partition, neither hides the other. */
  readonly #byAddress = new Map<Ipv4Address, Map<MobileKey, Told>>();
  readonly #due = new ExpiryWheel<Ipv4Address>();
  readonly #silences = new Map<MemberId, Silence>();

  constructor(leaseMs: number, changed: (homeAddress: Ipv4Address) => void) {
    this.#leaseMs = leaseMs;
    this.#changed = changed;
  }

  /** Addresses of which something was told. */
  get homeAddresses(): Iterable<Ipv4Address> {
    return this.#byAddress.keys();
  }

  /** How packets reach the address: by the row that this member has of it, unless it was told of a newer ownership than that. */
  entry(homeAddress: Ipv4Address, row: Binding | undefined): ForwardingEntry {
    const told = this.#byAddress.get(homeAddress);
    if (row !== undefined && !isTombstone(row)) {
      const toldOfRow = told?.get(row.mobile);
      if (toldOfRow === undefined || !isNewerOwnership(toldOfRow, row.ownership)) return forwardingEntry(row);
    }
    const live = [...(told?.values() ?? [])].findLast(({ tunnels }) => tunnels.length > 0);
    return { homeAddress, tunnels: live?.tunnels ?? [] };
  }

  /** Unless something newer is known. */
  learn(lease: Lease, owner: MemberId, now: Now): void {
    const { homeAddress, mobile } = lease;
    const told = { ...lease, owner, toldAtMs: now.monotonicMs };
    const known = this.#byAddress.get(homeAddress)?.get(mobile);
    if (known !== undefined && isNewer(known, told)) return;
    const ofAddress = this.#byAddress.get(homeAddress) ?? new Map<MobileKey, Told>();
    this.#byAddress.set(homeAddress, ofAddress);
    // Whoever was told last goes last.
    ofAddress.delete(mobile);
    ofAddress.set(mobile, told);
    this.#reschedule(homeAddress, now);
    this.#changed(homeAddress);
  }

  /** This member holds the mobile's row: by a newer ownership than what it was told, it goes by the row alone. */
  holds({ mobile, homeAddress, ownership }: Pick<Binding, "mobile" | "homeAddress" | "ownership">): void {
    const told = this.#byAddress.get(homeAddress)?.get(mobile);
    if (told !== undefined && isNewerOwnership(ownership, told)) this.#forget(told);
  }

  /** This owner's stream has ended: it tells again what holds when there is a new one. */
  silent(owner: MemberId, { monotonicMs }: Now): void {
    this.#silences.set(owner, { sinceMs: monotonicMs, untilMs: monotonicMs + this.#leaseMs });
  }

  passTime(now: Now): void {
    for (const [owner, { sinceMs, untilMs }] of this.#silences) {
      if (untilMs > now.monotonicMs) continue;
      this.#silences.delete(owner);
      for (const told of this.#all()) if (told.owner === owner && told.toldAtMs <= sinceMs) this.#forget(told);
    }
  }

  expire(now: Now): void {
    for (const homeAddress of this.#due.takeDue(now.wallMs)) {
      for (const told of this.#byAddress.get(homeAddress)?.values() ?? [])
        if (this.#endsAtMs(told, now) <= now.wallMs) this.#forget(told);
      this.#reschedule(homeAddress, now);
    }
  }

  /** Epoch ms. */
  get nextDueMs(): number {
    return this.#due.nextDueMs;
  }

  /** Monotonic ms. */
  get nextSilenceEndsMs(): number {
    return Math.min(...this.#silences.values().map(({ untilMs }) => untilMs), Number.POSITIVE_INFINITY);
  }

  *#all(): Generator<Told> {
    for (const ofAddress of this.#byAddress.values()) yield* ofAddress.values();
  }

  #forget({ homeAddress, mobile }: Told): void {
    const ofAddress = this.#byAddress.get(homeAddress);
    ofAddress?.delete(mobile);
    if (ofAddress?.size === 0) this.#byAddress.delete(homeAddress);
    this.#changed(homeAddress);
  }

  #reschedule(homeAddress: Ipv4Address, now: Now): void {
    const ends = [...(this.#byAddress.get(homeAddress)?.values() ?? [])].map((told) => this.#endsAtMs(told, now));
    this.#due.set(homeAddress, Math.min(...ends, Number.POSITIVE_INFINITY));
  }

  /** What has no tunnels is remembered for a while, or a reply that was late would bring them back. Epoch ms. */
  #endsAtMs({ tunnels, toldAtMs }: Told, { wallMs, monotonicMs }: Now): number {
    if (tunnels.length === 0) return wallMs + toldAtMs + this.#leaseMs - monotonicMs;
    return Math.max(...tunnels.map(({ expiresAtMs }) => expiresAtMs));
  }
}

function isNewer(a: Told, b: Told): boolean {
  const isSameOwnership = a.generation === b.generation && a.owner === b.owner;
  return isSameOwnership ? a.number > b.number : isNewerOwnership(a, b);
}
