/**
 * Keeps a mobile findable by members that never saw it: its owner tells the first in the ranking of each of its identifiers,
 * which is where a member without knowledge will send a request.
 */
import type { Binding, MemberId } from "../registration/binding.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";
import type { BindingTable } from "./binding-table.ts";
import type { Observer } from "./io.ts";
import { isNewerOwnership } from "./location.ts";
import type { LocationTable } from "./location-table.ts";
import type { Membership } from "./membership.ts";
import type { LocationNotice, Message } from "./message.ts";

import type { Placement } from "./placement.ts";

export class LocationNotices {
  readonly #self: MemberId;
  readonly #table: BindingTable;
  readonly #locations: LocationTable;
  readonly #membership: Membership;
  readonly #placement: Placement;
  readonly #observer: Observer;
  readonly #send: (to: MemberId, message: Message) => void;
  readonly #sendRow: (to: MemberId, row: Binding) => void;

  constructor(options: {
    readonly self: MemberId;
    readonly table: BindingTable;
    readonly locations: LocationTable;
    readonly membership: Membership;
    readonly placement: Placement;
    readonly observer: Observer;
    readonly send: (to: MemberId, message: Message) => void;
    /** By the stream. */
    readonly sendRow: (to: MemberId, row: Binding) => void;
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#locations = options.locations;
    this.#membership = options.membership;
    this.#placement = options.placement;
    this.#observer = options.observer;
    this.#send = options.send;
    this.#sendRow = options.sendRow;
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

  /** This member has taken the mobile over: all who may have noted its former owner get to know. */
  tellAll(binding: Binding): void {
    this.tell(binding, this.#self);
    for (const { ingress } of binding.registration.careOfAddresses) {
      if (this.#membership.isAlive(ingress)) this.#send(ingress, this.#notice(binding));
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
    const row = this.#table.find(notice);
    if (row !== undefined) {
      // Two rows are merged, registrations too: that is for replication.
      if (isNewerOwnership(notice, row.ownership)) this.#sendRow(sender, row);
      else if (row.ownership.owner !== sender) this.#send(sender, this.#notice(row));
      return;
    }
    this.#locations.learn({ ...told, mobile });
  }

  #notice({ homeAddress, nai, ownership, registration }: Binding): LocationNotice {
    const { owner, backups, generation } = ownership;
    return { type: "location", owner, backups, generation, homeAddress, nai, knownUntilMs: registration.retainUntilMs };
  }
}
