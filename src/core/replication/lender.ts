/**
 * Tells members that hold no row of our mobiles how their packets reach them. The homes of the address always know: packets
 * that come to a member without knowledge go on to them. Whoever has asked, and the ingress of the last registration, know for
 * a while. All of them hear at once of what changes.
 */
import type { Binding } from "../bindings/binding.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { isTombstone } from "../bindings/mobility-bindings.ts";
import { forwardingEntry } from "../forwarding/forwarding-entry.ts";
import type { Lease } from "../forwarding/lease.ts";
import type { Membership } from "../members/membership.ts";
import type { Placement } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import { TokenBucket } from "../registration/token-bucket.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";
import { homesOfAddress } from "./homes.ts";

/** Leases are noted for longer than they last by so much: what they take to arrive. */
const NOTED_LONGER_MS = 5000;
/** More than a member can learn of is a flood of addresses that nobody has. */
const MAXIMUM_ASKED_PER_SECOND = 2000;
/** Boot counts are seconds (adapters/store/directory.ts): a start that lends less often than this never uses a number of a later one. */
const NUMBERS_PER_BOOT_COUNT = 2 ** 21;

export interface LenderOptions {
  readonly self: MemberId;
  readonly bootCount: number;
  readonly leaseMs: number;
  readonly table: BindingTable;
  readonly locations: LocationTable;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly send: (to: MemberId, message: StreamMessage) => void;
}

/** A mobile's row before all changes since the last flush, and after them. */
interface Change {
  readonly homeAddress: Ipv4Address;
  readonly before: Binding | undefined;
  readonly after: Binding | undefined;
}

export class Lender {
  readonly #options: LenderOptions;
  #isLending = false;
  /** Who has the way to an address until it is taken back. */
  readonly #standing = new Map<Ipv4Address, ReadonlySet<MemberId>>();
  /** Who has it for a while, and until when that is noted, monotonic ms; the address that was lent last goes last. */
  readonly #leases = new Map<Ipv4Address, Map<MemberId, number>>();
  /** By address and mobile. */
  readonly #changes = new Map<string, Change>();
  readonly #asked = new TokenBucket(MAXIMUM_ASKED_PER_SECOND);
  #nextNumber: number;

  constructor(options: LenderOptions) {
    this.#options = options;
    this.#nextNumber = options.bootCount * NUMBERS_PER_BOOT_COUNT + 1;
  }

  /** Only where members forward. */
  start(): void {
    this.#isLending = true;
    this.#options.table.listen((before, after) => this.#rowChanged(before, after));
  }

  /** These members have come or gone, or could not be told for a while: a row of ours may have got other homes. */
  review(row: Binding, changed: ReadonlySet<MemberId>): void {
    if (!this.#isLending || isTombstone(row)) return;
    const homes = this.#homesOf(row);
    const standing = this.#standing.get(row.homeAddress) ?? NOBODY;
    const isSame = homes.size === standing.size && [...homes].every((home) => standing.has(home) && !changed.has(home));
    if (!isSame) this.#note(row.homeAddress, row, row);
  }

  /** For a member that asks, or that a request of the mobile came in by. `undefined`: it isn't ours, or the member has the row itself. */
  leaseFor(member: MemberId, mobile: MobileKey, now: Now): Lease | undefined {
    const { self, leaseMs, table } = this.#options;
    const row = table.get(mobile);
    if (!this.#isLending || row?.ownership.owner !== self || isHolder(member, row)) return undefined;
    const { homeAddress } = row;
    if (this.#standing.get(homeAddress)?.has(member)) return this.#lease(row, Number.POSITIVE_INFINITY, now);
    const leases = this.#leases.get(homeAddress) ?? new Map<MemberId, number>();
    this.#leases.delete(homeAddress);
    this.#leases.set(homeAddress, leases.set(member, now.monotonicMs + leaseMs + NOTED_LONGER_MS));
    return this.#lease(row, now.wallMs + leaseMs, now);
  }

  /** This member has passed packets on, and wants to know the way itself. */
  ask(homeAddress: Ipv4Address, now: Now): void {
    const { self, table, locations, membership, placement, send } = this.#options;
    const isAlive = (member: MemberId) => membership.isAlive(member);
    const known = table.findByHomeAddress(homeAddress)?.ownership ?? locations.findByHomeAddress(homeAddress);
    const [home] = homesOfAddress(homeAddress, placement, isAlive);
    const asked = known !== undefined && isAlive(known.owner) ? known.owner : home;
    if (asked === undefined || asked === self || !this.#asked.take(now.wallMs)) return;
    send(asked, { type: "lease-request", homeAddress, borrower: self });
  }

  asked(from: MemberId, { homeAddress, borrower }: StreamMessage<"lease-request">, now: Now): void {
    const { self, table, locations, membership, send } = this.#options;
    const row = table.findByHomeAddress(homeAddress);
    const lease = row && this.leaseFor(borrower, row.mobile, now);
    if (lease !== undefined) send(borrower, { type: "lease", ...lease });
    // A home knows who does. Whoever that is passes it on to nobody.
    const owner = row?.ownership.owner ?? locations.findByHomeAddress(homeAddress)?.owner;
    if (owner === undefined || owner === self || owner === from || borrower !== from) return;
    if (membership.isAlive(owner)) send(owner, { type: "lease-request", homeAddress, borrower });
  }

  /** Tells of what has changed: behind the rows, as who has one goes by that. */
  flush(now: Now): void {
    for (const change of this.#changes.values()) this.#tell(change, now);
    this.#changes.clear();
    for (const [homeAddress, leases] of this.#leases) {
      for (const [member, untilMs] of leases) if (untilMs <= now.monotonicMs) leases.delete(member);
      if (leases.size > 0) break;
      this.#leases.delete(homeAddress);
    }
  }

  #rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    const { self } = this.#options;
    if (before?.ownership.owner !== self && after?.ownership.owner !== self) return;
    for (const homeAddress of new Set([before?.homeAddress, after?.homeAddress])) {
      if (homeAddress !== undefined && homeAddress !== UNSPECIFIED) this.#note(homeAddress, before, after);
    }
  }

  #note(homeAddress: Ipv4Address, before: Binding | undefined, after: Binding | undefined): void {
    const key = `${homeAddress} ${(before ?? after)?.mobile}`;
    const earlier = this.#changes.get(key);
    this.#changes.set(key, { homeAddress, before: earlier === undefined ? before : earlier.before, after });
  }

  #tell({ homeAddress, before, after }: Change, now: Now): void {
    const { self, leaseMs, table } = this.#options;
    const standing = this.#standing.get(homeAddress) ?? NOBODY;
    const borrowers = new Set([...standing, ...(this.#leases.get(homeAddress)?.keys() ?? [])]);
    const row = table.findByHomeAddress(homeAddress);
    const isOurs = row !== undefined && row.ownership.owner === self && !isTombstone(row);
    if (isOurs && row.mobile === after?.mobile) {
      const homes = this.#homesOf(row);
      if (homes.size > 0) this.#standing.set(homeAddress, homes);
      else this.#standing.delete(homeAddress);
      // Who is no home any more may be taken for one by others for a while.
      for (const member of new Set([...homes, ...borrowers]))
        this.#send(member, this.leaseFor(member, row.mobile, now));
      return;
    }
    if (!isOurs) {
      this.#standing.delete(homeAddress);
      this.#leases.delete(homeAddress);
    }
    if (before === undefined || before.homeAddress !== homeAddress) return;
    // Its next owner tells what holds from now on; till then what was told still does.
    const isHandedOver = after !== undefined && after.ownership.owner !== self;
    const untilMs = isHandedOver ? now.wallMs + leaseMs : Number.NEGATIVE_INFINITY;
    for (const member of isHandedOver ? standing : borrowers) this.#send(member, this.#lease(before, untilMs, now));
  }

  #send(member: MemberId, lease: Lease | undefined): void {
    if (lease !== undefined) this.#options.send(member, { type: "lease", ...lease });
  }

  #lease(row: Binding, untilMs: number, { wallMs }: Now): Lease {
    const { homeAddress, tunnels } = forwardingEntry(row);
    const { mobile, ownership } = row;
    return {
      homeAddress,
      mobile,
      generation: ownership.generation,
      number: this.#nextNumber++,
      tunnels: tunnels.flatMap((tunnel) => {
        const expiresAtMs = Math.min(tunnel.expiresAtMs, untilMs);
        return expiresAtMs > wallMs ? [{ ...tunnel, expiresAtMs }] : [];
      }),
    };
  }

  /** Those that don't have the row anyway. */
  #homesOf(row: Binding): ReadonlySet<MemberId> {
    const { placement, membership } = this.#options;
    const homes = homesOfAddress(row.homeAddress, placement, (member) => membership.isAlive(member));
    return new Set(homes.filter((home) => !isHolder(home, row)));
  }
}

const NOBODY: ReadonlySet<MemberId> = new Set();

function isHolder(member: MemberId, { ownership: { owner, backups } }: Binding): boolean {
  return member === owner || backups.includes(member);
}
