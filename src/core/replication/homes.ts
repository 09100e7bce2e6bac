/**
 * Keeps a mobile findable by members that never saw it: its owner tells the *home* of each of its identifiers, which is the
 * first in their ranking that is alive, and where a member without knowledge sends a request. By streams, and again
 * whenever a home comes or goes, so that the home always knows: two owners whose copies have no member in common, as two
 * sides of a partition may make, find each other there.
 */

import type { Binding } from "../bindings/binding.ts";
import type { Location } from "../bindings/location.ts";
import { isNewerOwnership } from "../bindings/location.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { addressClaim, neededAtLeastUntilMs, neededUntilMs } from "../bindings/mobility-bindings.ts";
import type { Membership } from "../members/membership.ts";
import type { Placement } from "../members/placement.ts";
import { type MemberId, naiOf } from "../names.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";

const HOMES_OF_ADDRESS = 2;

/** Until when a mobile is known that its owner has forgotten. */
const FORGOTTEN = 0;

type Named = Pick<Binding, "mobile" | "homeAddress">;

export class Whereabouts {
  readonly #options: WhereaboutsOptions;

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
  }

  /** A mobile of ours: its homes get to know, but for those that do already as its backup or its ingress. */
  tell(row: Binding, ingress: MemberId): void {
    for (const home of this.#homes(row, this.#isPresent)) if (home !== ingress) this.#tell(home, row);
  }

  /** A mobile of ours has left this home address: the members that are asked about it have to know. */
  tellFormer(row: Binding, homeAddress: Ipv4Address): void {
    for (const home of this.#homes({ mobile: row.mobile, homeAddress }, this.#isPresent)) this.#tell(home, row);
  }

  /**
   * A mobile of ours is forgotten, maybe early: its homes, which count on its tombstone for as long as may be, get to know.
   */
  forgotten(row: Binding): void {
    if (neededUntilMs(row) <= neededAtLeastUntilMs(row)) return;
    for (const home of this.#homes(row, this.#isPresent)) this.#tell(home, row, FORGOTTEN);
  }

  /** As `tell`, where one of these members is home now, or was until it went. */
  tellAfter(changed: ReadonlySet<MemberId>, row: Binding): void {
    const affected = this.#homes(row, (member) => changed.has(member) || this.#isPresent(member));
    if (affected.some((member) => changed.has(member))) this.tell(row, this.#options.self);
  }

  /** This member has taken the mobile over: all who may have noted its former owner get to know. */
  tellAll(row: Binding): void {
    this.tell(row, this.#options.self);
    for (const { ingress } of row.registration.careOfAddresses) if (this.#isPresent(ingress)) this.#tell(ingress, row);
  }

  /**
   * A member says who owns a mobile that has no row here. Whichever knows less, that member or the former owner, is told.
   */
  learn(told: Omit<Location, "ingress">, from: MemberId): void {
    const { self, locations, send } = this.#options;
    const known = locations.get(told.mobile);
    if (known !== undefined && isNewerOwnership(known, told)) {
      if (known.owner !== self) send(from, movedTo(known));
      return;
    }
    locations.learn(told);
    this.#options.learned(told.homeAddress);
    if (known !== undefined && known.owner !== told.owner && known.owner !== self) send(known.owner, movedTo(told));
  }

  /** This member has got a copy of the row: what it noted as a home or an ingress before doesn't outlive that. */
  holds(row: Binding): void {
    const { self, locations } = this.#options;
    const known = locations.get(row.mobile);
    if (known !== undefined && known.knownUntilMs > this.#knownUntilMs(self, row))
      locations.learn(this.locationFor(self, row));
  }

  /** What a member is to note of the row. */
  locationFor(member: MemberId, row: Binding): Omit<Location, "ingress"> {
    const { mobile, homeAddress, nai, ownership } = row;
    const homeAddressSinceMs = addressClaim(row).sinceMs;
    const knownUntilMs = this.#knownUntilMs(member, row);
    return { mobile, homeAddress, nai, homeAddressSinceMs, ...ownership, knownUntilMs };
  }

  /**
   * How long. A tombstone may end early, as its home address is given to another mobile, or no old copy is left: homes
   * alone are told then, and no other member counts on it, or locations would outlive their rows by a day.
   */
  #knownUntilMs(member: MemberId, row: Binding): number {
    const certainUntilMs = neededAtLeastUntilMs(row);
    const possiblyUntilMs = neededUntilMs(row);
    if (possiblyUntilMs <= certainUntilMs) return certainUntilMs;
    return this.#homes(row, this.#isPresent).includes(member) ? possiblyUntilMs : certainUntilMs;
  }

  readonly #isPresent = (member: MemberId): boolean => this.#options.membership.isAlive(member);

  /**
   * Who is asked about the mobile's names: the first in the ranking of its key that is present, and those of its home
   * address.
   */
  #homes({ mobile, homeAddress }: Named, isPresent: (member: MemberId) => boolean): MemberId[] {
    const { placement } = this.#options;
    const ofKey = placement.rank(mobile).find(isPresent);
    const ofAddress = homesOfAddress(homeAddress, placement, isPresent);
    return [...new Set([ofKey, ...ofAddress])].filter((home) => home !== undefined);
  }

  #tell(member: MemberId, row: Binding, knownUntilMs = this.#knownUntilMs(member, row)): void {
    const { owner, backups } = row.ownership;
    if (member !== owner && !backups.includes(member))
      this.#options.send(member, movedTo({ ...this.locationFor(member, row), knownUntilMs }));
  }
}

export interface WhereaboutsOptions {
  readonly self: MemberId;
  readonly locations: LocationTable;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly send: (to: MemberId, message: StreamMessage) => void;
  /** A mobile was said to have this home address. */
  readonly learned: (homeAddress: Ipv4Address) => void;
}

/**
 * Who is asked about a home address: the first in its ranking that is present, and the next one, which thus knows already
 * when the first dies.
 */
export function homesOfAddress(
  homeAddress: Ipv4Address,
  placement: Placement,
  isPresent: (member: MemberId) => boolean,
): MemberId[] {
  const address = mobileKeyOf({ homeAddress, nai: undefined });
  return address === undefined ? [] : placement.rank(address).filter(isPresent).slice(0, HOMES_OF_ADDRESS);
}

export function movedTo(location: Omit<Location, "ingress">): StreamMessage<"moved"> {
  const { mobile, homeAddress, homeAddressSinceMs, owner, backups, generation, knownUntilMs } = location;
  return { type: "moved", mobile, homeAddress, homeAddressSinceMs, owner, backups, generation, knownUntilMs };
}

export function locationOf({ type: _, ...location }: StreamMessage<"moved">): Omit<Location, "ingress"> {
  return { ...location, nai: naiOf(location.mobile) };
}
