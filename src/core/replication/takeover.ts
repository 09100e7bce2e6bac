/**
 * Moves bindings to another owner: when theirs has died, when it drains, or to balance the load.
 *
 * Of each binding of a dead owner one backup decides: the first in the list that is alive. The others tell it what they
 * hold, so that it has the newest registration before it serves; then it picks the least loaded backup, which may be
 * itself.
 */

import type { Binding } from "../bindings/binding.ts";
import { encodeBindingRow } from "../bindings/binding-row.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import { compareOwnerships, compareVersions, mergeBindings, versionOf } from "../bindings/merge.ts";
import type { Membership } from "../members/membership.ts";
import type { Candidate } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { HeldVersion, StreamMessage } from "../protocol/stream-messages.ts";
import { addLoad, decider, leastLoaded, push, takers } from "./designation.ts";
import { PagedList } from "./paged-list.ts";
import type { Replicator } from "./replicator.ts";

/** Bindings moved in one go, so that registrations are not held up. */
const CHUNK = 200;
/** Bindings given to others that have not claimed them yet. */
const MAXIMUM_GIVEN = 2000;
/** How long a decider waits for what other survivors hold. */
const COLLECTION_TIMEOUT_MS = 400;
const CLAIM_TIMEOUT_MS = 1000;
const REVIEW_INTERVAL_MS = 1000;

/** What another survivor has told of the copies that it holds of a dead member's bindings. */
interface Told {
  complete: boolean;
  unansweredWants: number;
}

interface Collection {
  readonly deadlineMs: number;
  /** Bindings to claim or hand over, once collected. */
  queue: MobileKey[] | undefined;
  moved: number;
}

/** A binding of a dead member that was handed over, until its receiver is known to have claimed it. */
interface Given {
  readonly formerOwner: MemberId;
  readonly receiver: MemberId;
  readonly atMs: number;
}

export interface TakeoverOptions {
  readonly self: MemberId;
  readonly table: BindingTable;
  readonly membership: Membership;
  readonly replicator: Replicator;
  readonly observer: Observer;
  readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  /** Backups for a binding of this member's. */
  readonly designate: (row: Binding) => readonly MemberId[];
  readonly send: (to: MemberId, message: StreamMessage) => void;
  /** A row is this member's from now on, which was another's before. */
  readonly tookOver: (row: Binding) => void;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  /** By the dead member whose bindings are being collected or claimed. */
  readonly #collections = new Map<MemberId, Collection>();
  /** By dead member and survivor; it may be told before we know ourselves. */
  readonly #told = new Map<MemberId, Map<MemberId, Told>>();
  /** By dead member and survivor: what we hold, on its way. */
  readonly #telling = new Map<MemberId, Map<MemberId, PagedList<HeldVersion>>>();
  /** The first given first. */
  readonly #given = new Map<MobileKey, Given>();
  #nextReviewMs = 0;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /**
   * A binding whose owner has died is not served while it is not certain that it is the newest copy, nor while somebody
   * else is about to claim it.
   */
  isUndecided(
    { mobile, formerOwner }: { readonly mobile: MobileKey; readonly formerOwner: MemberId },
    now: Now,
  ): boolean {
    const owner = this.#options.table.get(mobile)?.ownership.owner;
    if (owner !== undefined && owner !== formerOwner) return false;
    return this.#collections.has(formerOwner) || this.#isGiven(mobile, now);
  }

  /** When `work` should be called at the latest; monotonic ms. */
  get nextDeadlineMs(): number {
    const deadlines = [...this.#collections].map(([member, { deadlineMs }]) =>
      this.#haveAllTold(member) ? Number.NEGATIVE_INFINITY : deadlineMs,
    );
    return Math.min(...deadlines, Number.POSITIVE_INFINITY);
  }

  died(member: MemberId, now: Now): void {
    const { observer, table } = this.#options;
    observer.event("takeover-started", { member, bindings: table.ownedBy(member).size });
    this.#collect(member, now);
    for (const survivor of this.#survivors()) this.#tellHolding(member, survivor);
  }

  revived(member: MemberId): void {
    this.#collections.delete(member);
    this.#told.delete(member);
    this.#telling.delete(member);
  }

  /** Nothing that was under way to or from this peer will arrive. */
  closed(peer: MemberId): void {
    for (const survivors of [...this.#telling.values(), ...this.#told.values()]) survivors.delete(peer);
  }

  // What peers say

  holding(from: MemberId, { of, versions, last }: StreamMessage<"holding">): void {
    const { table, send } = this.#options;
    const told = this.#toldBy(of, from);
    const wanted = versions.filter((theirs) => {
      const ours = table.get(theirs.mobile);
      return ours === undefined || compareVersions(versionOf(ours), theirs) < 0;
    });
    told.unansweredWants++;
    send(from, { type: "want", of, mobiles: wanted.map(({ mobile }) => mobile) });
    if (last) told.complete = true;
  }

  wanted(from: MemberId, { of, mobiles }: StreamMessage<"want">, now: Now): void {
    const { table, replicator, send } = this.#options;
    for (const mobile of mobiles) {
      const row = table.get(mobile);
      if (row !== undefined) replicator.tell(from, row);
    }
    replicator.flush(now);
    send(from, { type: "sent", of });
    this.#telling.get(of)?.get(from)?.answered();
  }

  sent(from: MemberId, { of }: StreamMessage<"sent">): void {
    this.#toldBy(of, from).unansweredWants--;
  }

  handedOver(from: MemberId, { rows }: StreamMessage<"handover">, now: Now): void {
    for (const bytes of rows) {
      const row = this.#options.replicator.read(bytes, from);
      if (row !== undefined) this.#handedOver(row, from, now);
    }
  }

  /** Moves some of the bindings that are to be moved. */
  work(now: Now): void {
    for (const [member, collection] of this.#collections) {
      if (now.monotonicMs >= collection.deadlineMs || this.#haveAllTold(member)) {
        this.#claimSome(member, collection, now);
      }
    }
    this.#settleGiven(now);
    if (now.monotonicMs < this.#nextReviewMs) return;
    this.#nextReviewMs = now.monotonicMs + REVIEW_INTERVAL_MS;
    this.#review(now);
  }

  #tellHolding(dead: MemberId, survivor: MemberId): void {
    const telling = this.#telling.get(dead) ?? new Map<MemberId, PagedList<HeldVersion>>();
    this.#telling.set(dead, telling);
    const list = new PagedList<HeldVersion>();
    telling.set(survivor, list);
    list.start(this.#heldFor(dead, survivor), (versions, last) =>
      this.#options.send(survivor, { type: "holding", of: dead, versions, last }),
    );
  }

  /** What we hold of the dead member's bindings that the survivor decides about. */
  *#heldFor(dead: MemberId, survivor: MemberId): Generator<HeldVersion> {
    const { table } = this.#options;
    for (const mobile of table.ownedBy(dead)) {
      const row = table.get(mobile);
      const decides = row && decider(row.ownership.backups, this.#options.membership);
      if (row !== undefined && decides === survivor) yield { mobile, ...versionOf(row) };
    }
  }

  #collect(member: MemberId, now: Now): void {
    const deadlineMs = now.monotonicMs + COLLECTION_TIMEOUT_MS;
    this.#collections.set(member, { deadlineMs, queue: undefined, moved: 0 });
  }

  /** Copies of a dead member's bindings may turn up after it was dealt with, from a survivor that was slow. */
  #review(now: Now): void {
    const { table } = this.#options;
    for (const owner of table.owners) {
      if (!this.#isDead(owner) || this.#collections.has(owner)) continue;
      for (const mobile of table.ownedBy(owner)) {
        if (!this.#decidesOn(mobile) || this.#given.has(mobile)) continue;
        this.#collect(owner, now);
        break;
      }
    }
  }

  #claimSome(dead: MemberId, collection: Collection, now: Now): void {
    const { table, self, send, candidates, observer } = this.#options;
    collection.queue ??= [...table.ownedBy(dead)].filter(
      (mobile) => this.#decidesOn(mobile) && !this.#given.has(mobile),
    );
    const loads = new Map(candidates(now));
    const pages = new Map<MemberId, Uint8Array[]>();
    const room = MAXIMUM_GIVEN - this.#given.size;
    for (const mobile of collection.queue.splice(0, Math.min(CHUNK, room))) {
      const row = table.get(mobile);
      if (row?.ownership.owner !== dead) continue;
      const receiver = leastLoaded([self, ...row.ownership.backups], takers(loads)) ?? self;
      addLoad(loads, receiver);
      collection.moved++;
      if (receiver === self) this.#claim(row);
      else {
        push(pages, receiver, encodeBindingRow(row));
        this.#given.set(mobile, { formerOwner: dead, receiver, atMs: now.monotonicMs });
      }
    }
    for (const [receiver, rows] of pages) send(receiver, { type: "handover", rows });
    if (collection.queue.length > 0) return;
    observer.event("takeover-finished", { member: dead, bindings: collection.moved });
    this.#collections.delete(dead);
  }

  /** A member that claims a binding ships it to those that held it, so we see that it has. */
  #isGiven(mobile: MobileKey, now: Now): boolean {
    const given = this.#given.get(mobile);
    if (given === undefined || given.atMs < now.monotonicMs - CLAIM_TIMEOUT_MS) return false;
    return (
      this.#options.membership.isAlive(given.receiver) &&
      this.#options.table.get(mobile)?.ownership.owner === given.formerOwner
    );
  }

  /** What was given to a member that has not claimed it in time is claimed here. */
  #settleGiven(now: Now): void {
    for (const [mobile, { formerOwner }] of this.#given) {
      if (this.#isGiven(mobile, now)) return;
      this.#given.delete(mobile);
      const row = this.#options.table.get(mobile);
      if (row?.ownership.owner === formerOwner && this.#isDead(formerOwner) && this.#decidesOn(mobile))
        this.#claim(row);
    }
  }

  #isDead(member: MemberId): boolean {
    // Or no member at all, any more.
    return member !== this.#options.self && (this.#options.membership.get(member)?.state ?? "dead") === "dead";
  }

  #decidesOn(mobile: MobileKey): boolean {
    const { table, self, membership } = this.#options;
    const row = table.get(mobile);
    return row !== undefined && decider(row.ownership.backups, membership) === self;
  }

  #survivors(): MemberId[] {
    const { membership } = this.#options;
    return [...membership.values()].filter(({ id }) => membership.isAlive(id)).map(({ id }) => id);
  }

  #haveAllTold(dead: MemberId): boolean {
    return this.#survivors().every((survivor) => {
      const { complete, unansweredWants } = this.#toldBy(dead, survivor);
      return complete && unansweredWants <= 0;
    });
  }

  #toldBy(dead: MemberId, survivor: MemberId): Told {
    const bySurvivor = this.#told.get(dead) ?? new Map<MemberId, Told>();
    this.#told.set(dead, bySurvivor);
    const told = bySurvivor.get(survivor) ?? { complete: false, unansweredWants: 0 };
    bySurvivor.set(survivor, told);
    return told;
  }

  #handedOver(received: Binding, from: MemberId, now: Now): void {
    const { table, replicator } = this.#options;
    const ours = table.get(received.mobile);
    const merged = ours === undefined ? received : mergeBindings(ours, received);
    // Another member may have it by now, or we do.
    if (compareOwnerships(merged.ownership, received.ownership) > 0) replicator.apply(received, from, now);
    else this.#claim(merged);
  }

  #claim(before: Binding): void {
    const { self, table, designate, replicator, tookOver } = this.#options;
    const { generation } = before.ownership;
    const claimed: Binding = { ...before, ownership: { owner: self, generation: generation + 1, backups: [] } };
    const row: Binding = { ...claimed, ownership: { ...claimed.ownership, backups: designate(claimed) } };
    table.put(row);
    replicator.ship(row, before);
    tookOver(row);
  }
}
