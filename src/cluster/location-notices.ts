/**
 * Keeps a mobile findable by members that never saw it: its owner tells the first in the ranking of each of its identifiers,
 * which is where a member without knowledge will send a request.
 */
import type { Binding, MemberId } from "../registration/binding.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";
import type { Observer } from "./io.ts";
import { isNewerOwnership } from "./location.ts";
import type { LocationTable } from "./location-table.ts";
import type { Membership } from "./membership.ts";
import type { LocationNotice, Message } from "./message.ts";
import type { Owner } from "./owner.ts";
import type { Placement } from "./placement.ts";

export class LocationNotices {
  readonly #self: MemberId;
  readonly #owner: Owner;
  readonly #locations: LocationTable;
  readonly #membership: Membership;
  readonly #placement: Placement;
  readonly #observer: Observer;
  readonly #send: (to: MemberId, message: Message) => void;

  constructor(options: {
    readonly self: MemberId;
    readonly owner: Owner;
    readonly locations: LocationTable;
    readonly membership: Membership;
    readonly placement: Placement;
    readonly observer: Observer;
    readonly send: (to: MemberId, message: Message) => void;
  }) {
    this.#self = options.self;
    this.#owner = options.owner;
    this.#locations = options.locations;
    this.#membership = options.membership;
    this.#placement = options.placement;
    this.#observer = options.observer;
    this.#send = options.send;
  }

  /** This member has just accepted a registration; its ingress learns the same from the reply. */
  tell(binding: Binding, ingress: MemberId): void {
    const { homeAddress, nai } = binding;
    const byAddress = mobileKeyOf({ homeAddress, nai: undefined });
    const byNai = nai === undefined ? undefined : mobileKeyOf({ homeAddress: UNSPECIFIED, nai });
    const first = new Set<MemberId>();
    for (const name of [byAddress, byNai]) {
      const [member] = name === undefined ? [] : this.#placement.rank(name);
      if (member !== undefined) first.add(member);
    }
    first.delete(this.#self);
    first.delete(ingress);
    for (const member of first) {
      if (this.#membership.isAlive(member)) this.#send(member, this.#notice(binding));
    }
  }

  told(sender: MemberId, notice: LocationNotice): void {
    const { type: _, ...told } = notice;
    // Only the owner speaks of its own mobiles: hearsay could resurrect what it has given away.
    if (sender !== notice.owner) {
      this.#observer.countBy("frames-rejected", "hearsay");
      return;
    }
    const mobile = mobileKeyOf(notice);
    if (mobile === undefined) {
      this.#observer.countBy("frames-rejected", "malformed-body");
      return;
    }
    const owned = this.#owner.find(notice);
    if (owned !== undefined) {
      this.#observer.count("binding-conflicts");
      this.#observer.event("binding-conflict", { mobile, ours: describe(owned.ownership), theirs: describe(notice) });
      if (isNewerOwnership(owned.ownership, notice)) {
        this.#send(sender, this.#notice(owned));
        return;
      }
      this.#owner.remove(owned);
    }
    const known = this.#locations.find(notice);
    if (known !== undefined && isNewerOwnership(known, notice)) return;
    if (known !== undefined && known.mobile !== mobile) this.#locations.delete(known.mobile);
    this.#locations.put({ ...told, mobile, ingress: known?.ingress });
  }

  #notice({ homeAddress, nai, ownership, registration }: Binding): LocationNotice {
    const { owner, generation } = ownership;
    return { type: "location", owner, generation, homeAddress, nai, knownUntilMs: registration.retainUntilMs };
  }
}

function describe({ owner, generation }: { readonly owner: MemberId; readonly generation: number }): string {
  return `${owner}/${generation}`;
}
