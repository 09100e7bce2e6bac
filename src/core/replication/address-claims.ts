/**
 * A home address belongs to one mobile in the whole cluster. Who decides about that is the address's home, the first in its
 * ranking that is alive: owners tell it who has the address, and ask it before they give the address to a mobile. What two
 * sides of a partition gave away twice is settled when they meet, by who has had it longer.
 */
import type { Binding } from "../bindings/binding.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { addressClaim, hasAddressBefore } from "../bindings/mobility-bindings.ts";
import { revised } from "../bindings/revision.ts";
import type { Membership } from "../members/membership.ts";
import type { Placement } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import { formatIpv4, type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";
import { homesOfAddress } from "./homes.ts";

/** From the answer until the owner has told the home that the mobile was accepted, generously. */
const ANSWER_LIFETIME_MS = 2000;
const MAXIMUM_ANSWERS = 65_536;

/** As far as a row or a location says. */
interface Claim {
  readonly mobile: MobileKey;
  readonly sinceMs: number;
  readonly owner: MemberId;
}

export interface AddressClaimsOptions {
  readonly self: MemberId;
  readonly table: BindingTable;
  readonly locations: LocationTable;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly observer: Observer;
  readonly send: (to: MemberId, message: StreamMessage) => void;
  /** Who has the address is known now: what waits for it can go on. */
  readonly answered: (homeAddress: Ipv4Address, now: Now) => void;
  /** A row of ours is changed. */
  readonly change: (row: Binding) => void;
}

export class AddressClaims {
  readonly #options: AddressClaimsOptions;
  /** Who has an address, or is about to get it: as its home has said, or as we have said as its home. The oldest first. */
  readonly #answers = new Map<Ipv4Address, { readonly mobile: MobileKey; readonly untilMs: number }>();
  /** Addresses of which two mobiles may have come together. */
  readonly #doubtful = new Set<Ipv4Address>();

  constructor(options: AddressClaimsOptions) {
    this.#options = options;
    options.table.listen((_, after) => {
      if (after !== undefined) this.learned(after.homeAddress);
    });
  }

  /** Which mobile has the address, live or reserved, as far as this member knows. */
  holder(homeAddress: Ipv4Address, now: Now): MobileKey | undefined {
    const { table, locations } = this.#options;
    const answer = this.#answer(homeAddress, now);
    return (answer ?? table.findByHomeAddress(homeAddress) ?? locations.findByHomeAddress(homeAddress))?.mobile;
  }

  /** Another member must be asked before this one may give the address to a mobile. */
  mustAsk(homeAddress: Ipv4Address, now: Now): boolean {
    return this.#answer(homeAddress, now) === undefined && this.#homes(homeAddress)[0] !== this.#options.self;
  }

  ask(homeAddress: Ipv4Address, mobile: MobileKey): void {
    const { self, send } = this.#options;
    const [home] = this.#homes(homeAddress);
    if (home !== undefined && home !== self) send(home, { type: "claim", homeAddress, mobile, claimant: self });
  }

  /** Something was heard of who has the address. */
  learned(homeAddress: Ipv4Address): void {
    if (homeAddress !== UNSPECIFIED) this.#doubtful.add(homeAddress);
  }

  /** Settles what has come together. */
  work(now: Now): void {
    for (const homeAddress of this.#doubtful) this.#settle(homeAddress, now);
    this.#doubtful.clear();
  }

  claimed(from: MemberId, { homeAddress, mobile, claimant }: StreamMessage<"claim">, now: Now): void {
    const { self, send } = this.#options;
    const own = this.#claims(homeAddress).find(({ owner }) => owner === self);
    // The home of the address has found it twice, and asks the owner of the one that has had it longer whether that is so.
    if (claimant !== from) {
      if (own !== undefined && own.mobile !== mobile) send(claimant, holderOf(homeAddress, own));
      return;
    }
    const reserved = this.#answer(homeAddress, now);
    if (reserved !== undefined && reserved.mobile !== mobile) {
      send(claimant, holderOf(homeAddress, { mobile: reserved.mobile, sinceMs: Number.POSITIVE_INFINITY }));
      return;
    }
    // The claimant knows its own mobiles better than we do.
    const holder = this.#claims(homeAddress).find((claim) => claim.mobile !== mobile && claim.owner !== claimant);
    if (holder === undefined) this.#keep(homeAddress, mobile, now);
    send(claimant, holderOf(homeAddress, holder ?? { mobile, sinceMs: Number.POSITIVE_INFINITY }));
  }

  told({ homeAddress, mobile, sinceMs }: StreamMessage<"holder">, now: Now): void {
    this.#keep(homeAddress, mobile, now);
    const { self, table } = this.#options;
    for (const row of table.allByHomeAddress(homeAddress)) {
      const isLoser = row.mobile !== mobile && hasAddressBefore({ mobile, sinceMs }, addressClaim(row));
      if (isLoser && row.ownership.owner === self) this.#cede(row, mobile, now);
    }
    this.#options.answered(homeAddress, now);
  }

  #settle(homeAddress: Ipv4Address, now: Now): void {
    const { self, send, table } = this.#options;
    const [first, ...losers] = this.#claims(homeAddress).filter(({ sinceMs }) => Number.isFinite(sinceMs));
    if (first === undefined || losers.length === 0) return;
    const isHome = this.#homes(homeAddress).includes(self);
    for (const loser of losers) {
      if (loser.owner === self && first.owner === self) {
        const row = table.get(loser.mobile);
        if (row !== undefined) this.#cede(row, first.mobile, now);
      } else if (first.owner === self) send(loser.owner, holderOf(homeAddress, first));
      // What we know of the first may be old: its owner is to say so.
      else if (isHome || loser.owner === self)
        send(first.owner, { type: "claim", homeAddress, mobile: loser.mobile, claimant: loser.owner });
    }
  }

  /** Another mobile has had the address for longer: ours ends. */
  #cede(row: Binding, holder: MobileKey, now: Now): void {
    const { self, observer, change } = this.#options;
    observer.count("home-address-conflicts");
    observer.event("home-address-conflict", { mobile: row.mobile, holder, address: formatIpv4(row.homeAddress) });
    const registration = { careOfAddresses: [] };
    change(revised(row, { homeAddress: UNSPECIFIED, dynamic: false, registration }, self, now.wallMs));
  }

  /** Of all mobiles that are said to have the address, the one that has it first. */
  #claims(homeAddress: Ipv4Address): Claim[] {
    const { table, locations } = this.#options;
    const claims = new Map<MobileKey, Claim>();
    for (const { mobile, homeAddressSinceMs, owner } of locations.allByHomeAddress(homeAddress))
      claims.set(mobile, { mobile, sinceMs: homeAddressSinceMs, owner });
    for (const row of table.allByHomeAddress(homeAddress))
      claims.set(row.mobile, { ...addressClaim(row), owner: row.ownership.owner });
    // A mobile that has moved on may still be said to be here by a location that is older than its row.
    const isHere = ({ mobile }: Claim) => (table.get(mobile)?.homeAddress ?? homeAddress) === homeAddress;
    return [...claims.values()].filter(isHere).sort((a, b) => (hasAddressBefore(a, b) ? -1 : 1));
  }

  #homes(homeAddress: Ipv4Address): MemberId[] {
    const { placement, membership } = this.#options;
    return homesOfAddress(homeAddress, placement, (id) => membership.isAlive(id));
  }

  #answer(homeAddress: Ipv4Address, now: Now): { readonly mobile: MobileKey } | undefined {
    const answer = this.#answers.get(homeAddress);
    return answer !== undefined && answer.untilMs > now.monotonicMs ? answer : undefined;
  }

  #keep(homeAddress: Ipv4Address, mobile: MobileKey, now: Now): void {
    this.#answers.delete(homeAddress);
    this.#answers.set(homeAddress, { mobile, untilMs: now.monotonicMs + ANSWER_LIFETIME_MS });
    for (const [oldest, { untilMs }] of this.#answers) {
      if (untilMs > now.monotonicMs && this.#answers.size <= MAXIMUM_ANSWERS) break;
      this.#answers.delete(oldest);
    }
  }
}

function holderOf(homeAddress: Ipv4Address, { mobile, sinceMs }: Omit<Claim, "owner">): StreamMessage {
  return { type: "holder", homeAddress, mobile, sinceMs };
}
