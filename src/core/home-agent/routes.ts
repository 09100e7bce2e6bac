/** Where a request goes: to the owner of its mobile, as far as this member knows, or to whom placement picks (mission M14). */

import type { Ownership } from "../bindings/binding.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import type { Membership } from "../members/membership.ts";
import { type Candidate, chooseOwner, type Placement } from "../members/placement.ts";
import type { MemberId, MobileIdentity, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { RelayRequest } from "../protocol/datagrams.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import type { Replication } from "../replication/replication.ts";

/** A mobile whose owner is dead or can't store, and whose next one isn't certain yet. */
export interface Orphan {
  readonly mobile: MobileKey;
  readonly formerOwner: MemberId;
}

/** Who is to serve a mobile, and the ownership generation that a binding made there must at least have. */
export interface Route {
  readonly owner: MemberId;
  readonly generation: number;
}

/** Known of a mobile: from its row or its location. */
type Known = Ownership;

export type Undecided = "unconfirmed" | Orphan;

export interface OwnerFinderOptions {
  readonly self: MemberId;
  readonly table: BindingTable;
  readonly locations: LocationTable;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly replication: Replication;
  readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  readonly loadFactor: number;
}

export class OwnerFinder {
  #options: OwnerFinderOptions;

  constructor(options: OwnerFinderOptions) {
    this.#options = options;
  }

  configure({ loadFactor }: Pick<OwnerFinderOptions, "loadFactor">): void {
    this.#options = { ...this.#options, loadFactor };
  }

  /** Mission M14: a binding names the owner; without one, placement picks it. */
  route(identity: MobileIdentity, now: Now): Route | Undecided {
    const { self } = this.#options;
    if (!this.#options.replication.isConfirmed(now)) return "unconfirmed";
    const known = this.known(identity);
    if (known !== undefined) {
      if (known.owner === self) return this.handedOver(identity, now) ?? known;
      if (this.#options.membership.isAlive(known.owner)) return known;
      const heir = this.#heir(identity, known, now);
      if (heir !== undefined) return heir;
    }
    const generation = known === undefined ? 0 : known.generation + 1;
    return { owner: this.#home(identity) ?? this.#placeNew(identity, now), generation };
  }

  /**
   * The member that knows whether somebody owns the mobile: the first in its ranking that is alive, as owners tell it where
   * their mobiles are. `undefined` if that is this member.
   */
  #home(identity: MobileIdentity): MemberId | undefined {
    const home = this.#ranking(identity).find((id) => this.#options.membership.isAlive(id));
    return home === this.#options.self ? undefined : home;
  }

  /** Who is to own a mobile that nobody knows. Only its home decides, or members with different loads in mind would decide differently. */
  #placeNew(identity: MobileIdentity, now: Now): MemberId {
    const { self, loadFactor, candidates } = this.#options;
    if (this.#home(identity) !== undefined) return self;
    return chooseOwner(this.#ranking(identity), candidates(now), loadFactor) ?? self;
  }

  #ranking(identity: MobileIdentity): readonly MemberId[] {
    const mobile = mobileKeyOf(identity);
    return mobile === undefined ? [] : this.#options.placement.rank(mobile);
  }

  /**
   * Where a request that others have relayed to this member goes: usually no further. `stale`: members that would not have
   * passed it on as the owner.
   */
  onwards(identity: MobileIdentity, stale: readonly MemberId[], message: RelayRequest, now: Now): Route | Undecided {
    const { self } = this.#options;
    if (!this.#options.replication.isConfirmed(now)) return "unconfirmed";
    const known = this.known(identity);
    const { minimumGeneration } = message;
    if (known === undefined) {
      const owner = message.hopLimit > 1 ? this.#placeNew(identity, now) : self;
      return { owner, generation: owner === self ? Math.max(minimumGeneration, 1) : minimumGeneration };
    }
    if (known.owner === self) {
      const generation = Math.max(minimumGeneration, known.generation);
      return this.handedOver(identity, now) ?? { owner: self, generation };
    }
    if (!this.#options.membership.isAlive(known.owner)) {
      const heir = this.#heir(identity, known, now);
      if (heir !== undefined && (!("owner" in heir) || !stale.includes(heir.owner))) return heir;
    } else if (!stale.includes(known.owner) && known.generation >= minimumGeneration) return known;
    // Where what we know names somebody who can't serve, our binding supersedes theirs.
    return { owner: self, generation: Math.max(minimumGeneration, known.generation + 1) };
  }

  /**
   * A mobile of ours while this member can't store: alive isn't able. Who holds a copy and is able gets the binding, as it is
   * here, and the request once it has claimed it. `undefined`: it can be served here, or nowhere better.
   */
  handedOver(identity: MobileIdentity, now: Now): Orphan | undefined {
    const { self, table, membership, replication } = this.#options;
    if (membership.isAble(self)) return undefined;
    const row = table.find(identity);
    if (row?.ownership.owner !== self || !replication.handOver(row.mobile, now)) return undefined;
    return { mobile: row.mobile, formerOwner: self };
  }

  /** By the row itself, as owner or backup, or by what was learned of it. */
  known(identity: MobileIdentity): Known | undefined {
    return this.#options.table.find(identity)?.ownership ?? this.#options.locations.find(identity);
  }

  /** Who serves a mobile whose owner is gone: the backup that decides about it; nobody, before that or another has claimed it. */
  #heir(identity: MobileIdentity, { owner, backups, generation }: Known, now: Now): Route | Orphan | undefined {
    const heir = this.#options.replication.decider(backups);
    if (heir === undefined) return undefined;
    if (heir !== this.#options.self) return { owner: heir, generation: 0 };
    const mobile = this.#options.table.find(identity)?.mobile ?? mobileKeyOf(identity);
    const orphan = mobile && { mobile, formerOwner: owner };
    return orphan && this.#options.replication.isUndecided(orphan, now)
      ? orphan
      : { owner: heir, generation: generation + 1 };
  }
}
