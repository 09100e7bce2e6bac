/** Where a request goes: to the owner of its mobile, as far as this member knows, or to the member that placement picks. */

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
import { UNSPECIFIED } from "../wire/ipv4.ts";

/** A mobile whose owner is dead or can't store, and whose next one isn't certain yet. */
export interface Orphan {
  readonly mobile: MobileKey;
  readonly formerOwner: MemberId;
}

/** The member that serves a mobile, and the least ownership generation that a binding made there must have. */
export interface Route {
  readonly owner: MemberId;
  readonly generation: number;
}

/** Of a mobile: from its row or its location. */
interface Known extends Ownership {
  readonly mobile: MobileKey;
}

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

  /** A binding names the owner; without one, placement picks it. */
  route(identity: MobileIdentity, now: Now): Route | Undecided {
    const { self } = this.#options;
    if (!this.#options.replication.isConfirmed(now)) return "unconfirmed";
    const known = this.known(identity);
    if (known !== undefined) {
      if (known.owner === self) return this.handedOver(identity, now) ?? known;
      if (this.#options.membership.isAlive(known.owner)) return known;
      const heir = this.#heir(known, now);
      if (heir !== undefined) return heir;
    }
    const generation = known === undefined ? 0 : known.generation + 1;
    return { owner: this.#place(identity, {}, now), generation };
  }

  /**
   * Who is to serve a mobile that is unknown here. The home of its NAI knows whether there is such a mobile, and the home
   * of the address that it names whether another mobile has it, as owners tell them; so the request goes by way of these,
   * and is placed by the last: only one decides, or members with different loads in mind would decide differently. Mobiles
   * are placed by their address if they name one, so that the member that holds their rows is also asked about the address.
   * `from`: the members that it was relayed by, the last and the first.
   */
  #place(
    identity: MobileIdentity,
    from: { readonly sender?: MemberId; readonly ingress?: MemberId },
    now: Now,
  ): MemberId {
    const { self, loadFactor, candidates } = this.#options;
    const { byNai, byAddress } = namesOf(identity);
    const [homeOfNai, homeOfAddress] = [byNai, byAddress].map((name) => this.#home(name));
    const placer = homeOfAddress ?? homeOfNai;
    const isAsked = homeOfNai === self && from.sender === from.ingress;
    const isChosen = from.sender !== undefined && from.sender !== self && from.sender === placer && !isAsked;
    if (isChosen) return self;
    if (homeOfNai !== undefined && homeOfNai !== self && homeOfNai !== from.sender) return homeOfNai;
    const holder = byNai && byAddress && this.#find(byAddress);
    if (holder !== undefined && this.#options.membership.isAlive(holder.owner)) return holder.owner;
    if (placer !== undefined && placer !== self) return placer;
    return chooseOwner(this.#ranking(byAddress ?? byNai), candidates(now), loadFactor) ?? self;
  }

  /** The member that owners tell about the mobile of this name: the first in its ranking that is alive. */
  #home(name: MobileIdentity | undefined): MemberId | undefined {
    return this.#ranking(name).find((id) => this.#options.membership.isAlive(id));
  }

  #ranking(name: MobileIdentity | undefined): readonly MemberId[] {
    const mobile = name && mobileKeyOf(name);
    return mobile === undefined ? [] : this.#options.placement.rank(mobile);
  }

  /**
   * Where a request goes that others have relayed to this member: usually no further. `stale`: members that would not have
   * passed it on as the owner.
   */
  onwards(
    identity: MobileIdentity,
    sender: MemberId,
    stale: readonly MemberId[],
    message: RelayRequest,
    now: Now,
  ): Route | Undecided {
    const { self } = this.#options;
    if (!this.#options.replication.isConfirmed(now)) return "unconfirmed";
    const known = this.known(identity);
    const { minimumGeneration, hopLimit, ingress } = message;
    if (known === undefined) {
      const owner = hopLimit > 1 ? this.#place(identity, { sender, ingress }, now) : self;
      return { owner, generation: owner === self ? Math.max(minimumGeneration, 1) : minimumGeneration };
    }
    if (known.owner === self) {
      const generation = Math.max(minimumGeneration, known.generation);
      return this.handedOver(identity, now) ?? { owner: self, generation };
    }
    if (!this.#options.membership.isAlive(known.owner)) {
      const heir = this.#heir(known, now);
      if (heir !== undefined && (!("owner" in heir) || !stale.includes(heir.owner))) return heir;
    } else if (!stale.includes(known.owner) && known.generation >= minimumGeneration) return known;
    // If what we know names a member that can't serve, our binding supersedes its own.
    return { owner: self, generation: Math.max(minimumGeneration, known.generation + 1) };
  }

  /**
   * A mobile of ours while this member can't store: alive isn't able. Who holds a copy and is able gets the binding, as it
   * is here, and the request once it has claimed it. `undefined`: it can be served here, or nowhere better.
   */
  handedOver(identity: MobileIdentity, now: Now): Orphan | undefined {
    const { self, table, membership, replication } = this.#options;
    if (membership.isAble(self)) return undefined;
    const row = table.find(identity);
    if (row?.ownership.owner !== self || !replication.handOver(row.mobile, now)) return undefined;
    return { mobile: row.mobile, formerOwner: self };
  }

  /**
   * By the row itself, as owner or backup, or by what was learned of it. An NAI names one mobile, no matter which mobile
   * has its address.
   */
  known(identity: MobileIdentity): Known | undefined {
    const { byNai, byAddress } = namesOf(identity);
    const name = byNai ?? byAddress;
    return name && this.#find(name);
  }

  #find(name: MobileIdentity): Known | undefined {
    const row = this.#options.table.find(name);
    return row === undefined ? this.#options.locations.find(name) : { mobile: row.mobile, ...row.ownership };
  }

  /**
   * Who serves a mobile whose owner is gone: the backup that decides about it; none, before that or another has claimed
   * it.
   */
  #heir({ mobile, owner, backups, generation }: Known, now: Now): Route | Orphan | undefined {
    const heir = this.#options.replication.decider(backups);
    if (heir === undefined) return undefined;
    if (heir !== this.#options.self) return { owner: heir, generation: 0 };
    const orphan = { mobile, formerOwner: owner };
    return this.#options.replication.isUndecided(orphan, now) ? orphan : { owner: heir, generation: generation + 1 };
  }
}

/** The names of its sender in a request, each by itself. */
function namesOf({ nai, homeAddress }: MobileIdentity): {
  readonly byNai: MobileIdentity | undefined;
  readonly byAddress: MobileIdentity | undefined;
} {
  return {
    byNai: nai === undefined ? undefined : { homeAddress: UNSPECIFIED, nai },
    byAddress: homeAddress === UNSPECIFIED ? undefined : { homeAddress, nai: undefined },
  };
}
