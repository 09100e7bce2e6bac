/**
 * Keeps copies where they belong: ships what this member owns to its backups, takes in what it backs up for others, and
 * brings a peer that was away up to date while service goes on (docs/replication.md).
 */

import type { Binding } from "../bindings/binding.ts";
import { decodeBindingRow, encodeBindingRow } from "../bindings/binding-row.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { Journal } from "../bindings/journal.ts";
import { isNewerOwnership } from "../bindings/location.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { compareOwnerships, compareRegistrations, mergeBindings } from "../bindings/merge.ts";
import { canForget, isAbandoned, withoutExpired } from "../bindings/mobility-bindings.ts";
import { LayoutError } from "../layout/byte-cursor.ts";
import type { Membership } from "../members/membership.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { ForgottenRow, StreamMessage } from "../protocol/stream-messages.ts";
import { bucketOf, type Digests } from "./digests.ts";
import { forgottenRow, isKnownTo } from "./forgotten-row.ts";
import { locationOf, movedTo, type Whereabouts } from "./homes.ts";
import { Link, type LinkState } from "./peer-progress.ts";

const CONFIRMATION_TIMEOUT_MS = 2000;

export interface ReplicatorOptions {
  readonly self: MemberId;
  readonly peers: readonly MemberId[];
  readonly table: BindingTable;
  readonly locations: LocationTable;
  readonly journal: Journal;
  readonly membership: Membership;
  readonly digests: Digests;
  readonly observer: Observer;
  readonly digestIntervalMs: number;
  readonly whereabouts: Whereabouts;
  /** How many backups make a row safe, where there are as many. */
  readonly necessaryBackups: () => number;
  readonly send: (to: MemberId, message: StreamMessage) => void;
}

export class Replicator {
  #options: ReplicatorOptions;
  readonly #links = new Map<MemberId, Link>();
  /**
   * Rows held here that are no business of ours any more, but newer than what their owners are known to have. Kept until
   * the owner has acknowledged what was sent to it under the number.
   */
  readonly #strays = new Map<MobileKey, { readonly owner: MemberId; readonly number: number }>();
  #nextDigestsMs = 0;
  #unconfirmedUntilMs = 0;
  /** Since when this member has been level with all others, without a break; wall clock, `Infinity` while it isn't. */
  #levelSinceMs = Number.POSITIVE_INFINITY;

  constructor(options: ReplicatorOptions) {
    this.#options = options;
    this.configure(options);
  }

  configure({ peers, digestIntervalMs }: Pick<ReplicatorOptions, "peers" | "digestIntervalMs">): void {
    this.#options = { ...this.#options, peers, digestIntervalMs };
    // Who was a member may come back, and with it what it had.
    this.#levelSinceMs = Number.POSITIVE_INFINITY;
    for (const peer of [...this.#links.keys()]) if (!peers.includes(peer)) this.#links.delete(peer);
    for (const peer of peers) if (!this.#links.has(peer)) this.#links.set(peer, new Link());
  }

  linkState(peer: MemberId): LinkState {
    return this.#links.get(peer)?.state ?? "down";
  }

  /** Rows on their way to the peer, or still to be sent. */
  backlogOf(peer: MemberId): number {
    return this.#links.get(peer)?.unacknowledgedRows ?? 0;
  }

  /** Rows sent or queued, and not acknowledged. */
  rowsUnderWayTo(peer: MemberId): number {
    return this.#links.get(peer)?.rowsUnderWay ?? 0;
  }

  /** The peer takes rows, and acknowledges them soon. */
  isAvailable(peer: MemberId): boolean {
    return this.#options.membership.isAlive(peer) && (this.#links.get(peer)?.isAvailable ?? false);
  }

  /** Every peer that takes rows can take many more. */
  get hasRoom(): boolean {
    return [...this.#links.values()].every((link) => !link.isAvailable || link.hasRoom);
  }

  /** How many backups of the row have its last change, at `position`, on their disks. */
  coverage(row: Binding, position: number): number {
    return row.ownership.backups.filter((backup) => this.#links.get(backup)?.covers(position)).length;
  }

  /**
   * The row was made while all members had heard of each other, here and by this member, and has not changed hands since:
   * neither a member that is away now, nor the other side of a partition, can have one of the same mobile.
   */
  hasNoOtherCopies({ ownership: { owner, generation }, createdAtMs }: Binding): boolean {
    return owner === this.#options.self && generation === 1 && createdAtMs > this.#levelSinceMs;
  }

  /** Peers that this member is not yet level with: it must not take over from them, nor be announced, before it is. */
  get catchingUpWith(): MemberId[] {
    return [...this.#links]
      .filter(([peer, link]) => this.#options.membership.isAlive(peer) && !isLevel(link))
      .map(([peer]) => peer);
  }

  /**
   * False from a stall until all peers that we hear have confirmed what we own, and hear us, or have had the time to.
   * Before that we would be alone with mobiles of which we know nothing.
   */
  isConfirmed(now: Now): boolean {
    if (this.#unconfirmedUntilMs <= now.monotonicMs) return true;
    for (const [peer, link] of this.#links) {
      const state = this.#options.membership.get(peer)?.state;
      // A peer that doesn't hear us had taken us for dead: it is alive, and we can't relay to it yet.
      if (state === "one-way" || (state === "alive" && !isLevel(link))) return false;
    }
    this.#unconfirmedUntilMs = 0;
    return true;
  }

  /** Has every peer check again what we believe to own. */
  recheck(now: Now): void {
    this.#unconfirmedUntilMs = now.monotonicMs + CONFIRMATION_TIMEOUT_MS;
    this.#levelSinceMs = Number.POSITIVE_INFINITY;
    for (const [peer, link] of this.#links) {
      if (link.isUp) this.#sendOwned(peer, link);
    }
  }

  opened(peer: MemberId, now: Now): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    link.opened(this.#options.journal.position);
    this.#sendDigests(peer, now);
    this.#sendOwned(peer, link);
    this.#startStrays(peer, link);
  }

  /** It can be relayed to: what was kept because it couldn't be may go. */
  revived(peer: MemberId): void {
    const link = this.#links.get(peer);
    if (link?.isAvailable) this.#startStrays(peer, link);
  }

  closed(peer: MemberId): void {
    this.#levelSinceMs = Number.POSITIVE_INFINITY;
    this.#links.get(peer)?.closed();
    // What was under way is not acknowledged any more: numbers begin anew with the next stream.
    for (const [mobile, { owner }] of this.#strays) if (owner === peer) this.#strays.delete(mobile);
  }

  /**
   * A row of ours has changed: ship it to its backups, and to those that owned it or were its backups before, as far as we
   * know.
   */
  ship(row: Binding, before: Binding | undefined): void {
    const receivers = new Set([...row.ownership.backups, ...(before?.ownership.backups ?? [])]);
    const former = before?.ownership ?? this.#options.locations.get(row.mobile);
    if (former !== undefined) receivers.add(former.owner);
    receivers.delete(this.#options.self);
    if (receivers.size === 0) return;
    const bytes = encodeBindingRow(row);
    for (const receiver of receivers) {
      const number = this.#links.get(receiver)?.enqueue(bytes);
      // Who lags gets no rows; but a former owner that doesn't hear of its successor goes on serving.
      if (number === Number.POSITIVE_INFINITY && receiver === former?.owner)
        this.#options.send(receiver, movedTo(this.#options.whereabouts.locationFor(receiver, row)));
    }
  }

  /**
   * A row that another member should have, no matter which member owns it. Returns the number with which it will be
   * acknowledged.
   */
  tell(peer: MemberId, row: Binding): number {
    return this.#links.get(peer)?.enqueue(encodeBindingRow(row)) ?? Number.POSITIVE_INFINITY;
  }

  /** This member, as the owner, has forgotten a mobile. */
  forgotten(row: Binding): void {
    for (const backup of row.ownership.backups) this.#links.get(backup)?.forget(forgottenRow(row));
  }

  // What peers say

  rows(from: MemberId, { rows, number }: StreamMessage<"rows">, now: Now): void {
    for (const bytes of rows) {
      const row = this.read(bytes, from);
      if (row !== undefined) this.apply(row, from, now);
    }
    this.#oweAcknowledgement(from, number);
  }

  acknowledged(from: MemberId, { number }: StreamMessage<"ack">): void {
    this.#links.get(from)?.acknowledged(number);
    this.#dropStrays(from, number);
  }

  digests(owner: MemberId, { level, buckets: told }: StreamMessage<"digests">, now: Now): void {
    const { digests, observer, self } = this.#options;
    const link = this.#links.get(owner);
    const buckets = digests.differing(owner, told);
    if (link === undefined) return;
    if (level && buckets.length > 0) observer.count("digests-differing");
    const lasting = link.compared(level ? buckets : []);
    if (lasting.length > 0) observer.event("digests-differ", { member: owner, buckets: lasting.length });
    // What we hold goes first: the owner may have lost it.
    const copies = this.#heldIn(buckets, owner, (row) => row.ownership.backups.includes(self));
    this.#startBacklog(owner, link, "copies", copies, () => ({ type: "differing", buckets }), now);
  }

  /** The peer has answered our digests: it gets all of our rows in the buckets that differ. */
  differing(peer: MemberId, { buckets }: StreamMessage<"differing">, now: Now): void {
    const link = this.#links.get(peer);
    if (!link?.digestsAnswered()) return;
    const mobiles = this.#heldIn(buckets, this.#options.self, (row) => row.ownership.backups.includes(peer));
    // Nothing more to send, and level with each other before: no need to say so again.
    if (mobiles.length === 0 && link.isSynchronized) return;
    this.#startBacklog(peer, link, "owned", mobiles, () => link.synchronized(now.monotonicMs), now);
  }

  synchronized(from: MemberId, { number }: StreamMessage<"synchronized">): void {
    const link = this.#links.get(from);
    if (link !== undefined) link.peerSynchronized = true;
    this.#oweAcknowledgement(from, number);
  }

  owned(from: MemberId, { entries }: StreamMessage<"owned">, now: Now): void {
    for (const entry of entries) this.#checkOwned(from, entry);
    this.#sendBehindRows(from, { type: "owned-checked" }, now);
  }

  ownedChecked(from: MemberId): void {
    this.#links.get(from)?.check.answered();
  }

  /** A mobile may have another owner than we thought. If we hold its row, that owner gets it: it may not have it all. */
  moved(from: MemberId, told: StreamMessage<"moved">): void {
    const { table, whereabouts, send } = this.#options;
    const row = table.get(told.mobile);
    if (row === undefined) {
      whereabouts.learn(locationOf(told), from);
      return;
    }
    if (!isNewerOwnership(told, row.ownership)) {
      if (row.ownership.owner !== told.owner) send(from, movedTo(whereabouts.locationFor(from, row)));
      return;
    }
    const { owner, backups, generation } = told;
    table.put({ ...row, ownership: { owner, backups, generation } });
    if (backups.includes(this.#options.self)) this.tell(owner, row);
    else this.#sendStray(row.mobile);
  }

  /** By its owner's clock each row has served its time, and by that alone: of what is newer here, the owner didn't know. */
  forget({ rows }: StreamMessage<"forget">): void {
    for (const row of rows) this.#forget(row);
  }

  /** The store writes again: what is owed is owed for what has just been handed to it. */
  recovered(): void {
    for (const link of this.#links.values()) link.recovered(this.#options.journal.position);
  }

  /** The peer wants to hear once all that was taken in so far is on our disk. */
  #oweAcknowledgement(peer: MemberId, number: number): void {
    this.#links.get(peer)?.oweAcknowledgement(number, this.#writtenPosition());
    this.acknowledge();
  }

  /** When this position is durable, everything taken in so far is; never, while the store can't write. */
  #writtenPosition(): number {
    const { journal } = this.#options;
    return journal.writable ? journal.position : Number.POSITIVE_INFINITY;
  }

  /** Tells peers what of theirs is on our disk now. */
  acknowledge(): void {
    for (const [peer, link] of this.#links) {
      const acknowledgement = link.takeAcknowledgement((position) => this.#options.journal.isDurable(position));
      if (acknowledgement !== undefined) this.#options.send(peer, acknowledgement);
    }
  }

  passTime(now: Now): void {
    const isLevelWithAll = [...this.#links].every(([peer, link]) => this.#isLevelWith(peer, link));
    this.#levelSinceMs = isLevelWithAll ? Math.min(this.#levelSinceMs, now.wallMs) : Number.POSITIVE_INFINITY;
    for (const [peer, link] of this.#links) {
      if (link.checkLag(now.monotonicMs)) this.#options.observer.event("backup-lagging", { member: peer });
      if (link.isUp && link.resume(this.#options.journal.position)) this.#sendDigests(peer, now);
    }
    if (now.monotonicMs < this.#nextDigestsMs) return;
    this.#nextDigestsMs = now.monotonicMs + this.#options.digestIntervalMs;
    for (const [peer, link] of this.#links) if (link.state === "streaming") this.#sendDigests(peer, now);
    for (const [peer, link] of this.#links) if (link.isAvailable) this.#startStrays(peer, link);
  }

  /** Sends what has come together. */
  flush(now: Now): void {
    const { journal, send } = this.#options;
    for (const [peer, link] of this.#links) {
      if (!link.isUp) continue;
      for (const message of link.flush(journal.position, now.monotonicMs)) send(peer, message);
    }
  }

  /** Sends the next page of what a peer is behind by. */
  work(now: Now): void {
    const { journal, table, send } = this.#options;
    for (const [peer, link] of this.#links) {
      const page = link.isUp ? link.takeBacklog() : undefined;
      if (page === undefined) continue;
      for (const mobile of page.mobiles) {
        const row = table.get(mobile);
        if (page.kind === "strays") this.#sendStray(mobile);
        else if (row !== undefined) link.enqueue(encodeBindingRow(row));
      }
      for (const message of link.flush(journal.position, now.monotonicMs)) send(peer, message);
      const end = page.end?.();
      if (end !== undefined) send(peer, end);
    }
  }

  /** Something is to be sent soon. */
  get hasBacklog(): boolean {
    return [...this.#links.values()].some((link) => link.hasBacklog);
  }

  /**
   * Takes in a row from any member: merges it with ours, and tells the side that knows less. Returns the merged row if we
   * keep it.
   */
  apply(received: Binding, from: MemberId, now: Now): Binding | undefined {
    const { table, self, observer } = this.#options;
    const ours = table.get(received.mobile);
    if (ours === undefined && (this.#isOver(received, from, now) || this.#isElsewhere(received, from)))
      return undefined;
    const merged = ours === undefined ? received : mergeBindings(ours, received);
    const newsForUs = ours === undefined || isNewer(merged, ours);
    const newsForThem = isNewer(merged, received);
    const { owner } = merged.ownership;
    if (ours !== undefined && ours.ownership.owner !== received.ownership.owner) {
      observer.count("binding-conflicts");
      observer.event("binding-conflict", { mobile: merged.mobile, ours: describe(ours), theirs: describe(received) });
    }
    if (newsForThem) this.tell(from, merged);
    if (this.#isStray(merged)) {
      if (ours !== undefined && (newsForThem || !this.#isSafe(merged))) {
        // The sender knows less than we do, and so may the owner. Or the owner was alone, and has no other copies yet.
        table.put(merged);
        this.#sendStray(merged.mobile);
      } else this.#letGo(merged);
      return undefined;
    }
    if (newsForUs) {
      table.put(withoutExpired(merged, now.wallMs));
      this.#options.whereabouts.holds(merged);
      if (owner === self) this.ship(merged, undefined);
    }
    return table.get(merged.mobile);
  }

  /** A row that we don't hold has served its time. If it is ours, its sender may forget it, too. */
  #isOver(received: Binding, from: MemberId, now: Now): boolean {
    // The owner of a row decides whether it is over.
    if (received.ownership.owner !== this.#options.self) return isAbandoned(received, now.wallMs);
    if (!canForget(received, now.wallMs)) return false;
    this.#links.get(from)?.forget(forgottenRow(received));
    return true;
  }

  /** We don't hold the row any more, and know of a newer owner than the row names: its sender is told. */
  #isElsewhere(received: Binding, from: MemberId): boolean {
    const location = this.#options.locations.get(received.mobile);
    if (location === undefined || !isNewerOwnership(location, received.ownership)) return false;
    this.#options.send(from, movedTo(location));
    return true;
  }

  /**
   * As far as we know, enough others have it, and we can relay to its owner. If we can't, as in the moment in which a
   * partition ends, requests are served here: without the row old ones would be accepted.
   */
  #isSafe({ ownership: { owner, backups } }: Binding): boolean {
    return this.#options.membership.isAlive(owner) && backups.length >= this.#options.necessaryBackups();
  }

  #isLevelWith(peer: MemberId, link: Link): boolean {
    return this.#options.membership.isAlive(peer) && isLevel(link);
  }

  /** What is said of rows must not overtake them. */
  #sendBehindRows(peer: MemberId, message: StreamMessage, now: Now): void {
    const { journal, send } = this.#options;
    for (const rows of this.#links.get(peer)?.flush(journal.position, now.monotonicMs) ?? []) send(peer, rows);
    send(peer, message);
  }

  #letGo(row: Binding): void {
    const { self, table, whereabouts } = this.#options;
    this.#strays.delete(row.mobile);
    if (table.get(row.mobile) !== undefined) table.delete(row.mobile);
    whereabouts.learn(whereabouts.locationFor(self, row), row.ownership.owner);
  }

  #sendStray(mobile: MobileKey): void {
    const row = this.#options.table.get(mobile);
    this.#strays.delete(mobile);
    if (row === undefined || !this.#isStray(row)) return;
    const { owner } = row.ownership;
    this.#strays.set(mobile, { owner, number: this.tell(owner, row) });
  }

  /** Held here, and no business of ours. */
  #isStray({ ownership: { owner, backups } }: Binding): boolean {
    const { self } = this.#options;
    return owner !== self && !backups.includes(self);
  }

  #dropStrays(owner: MemberId, acknowledged: number): void {
    for (const [mobile, stray] of this.#strays) {
      if (stray.owner !== owner || stray.number > acknowledged) continue;
      const row = this.#options.table.get(mobile);
      // Meanwhile its owner may have made this member a backup.
      if (row?.ownership.owner === owner && this.#isStray(row) && this.#isSafe(row)) this.#letGo(row);
      else this.#strays.delete(mobile);
    }
  }

  /** A row as it came; `undefined` if it can't be read, which is told and harms no other row. */
  read(row: Uint8Array, from: MemberId): Binding | undefined {
    try {
      return decodeBindingRow(row);
    } catch (error) {
      if (!(error instanceof LayoutError)) throw error;
      this.#options.observer.countBy("frames-rejected", "malformed-row");
      this.#options.observer.event("row-rejected", { member: from, problem: error.message });
      return undefined;
    }
  }

  #sendDigests(peer: MemberId, now: Now): void {
    const link = this.#links.get(peer);
    link?.digestsSent();
    const level = link?.state === "streaming";
    this.#sendBehindRows(peer, { type: "digests", level, buckets: this.#options.digests.outgoing(peer) }, now);
  }

  /** Rows of the peer's that are no business of ours any more, but may be news to it. */
  #startStrays(peer: MemberId, link: Link): void {
    const { table, self } = this.#options;
    const strays = [...table.ownedBy(peer)].filter((mobile) => {
      const isUnderWay = Number.isFinite(this.#strays.get(mobile)?.number);
      return !(isUnderWay || table.get(mobile)?.ownership.backups.includes(self));
    });
    if (strays.length > 0) link.startBacklog("strays", strays, () => undefined);
  }

  #heldIn(buckets: readonly number[], owner: MemberId, isMeant: (row: Binding) => boolean): MobileKey[] {
    if (buckets.length === 0) return [];
    const { table } = this.#options;
    const wanted = new Set(buckets);
    return [...table.ownedBy(owner)].filter((mobile) => {
      const row = table.get(mobile);
      return row !== undefined && wanted.has(bucketOf(row)) && isMeant(row);
    });
  }

  #startBacklog(
    peer: MemberId,
    link: Link,
    kind: "copies" | "owned",
    mobiles: readonly MobileKey[],
    end: () => StreamMessage,
    now: Now,
  ): void {
    const superseded = link.startBacklog(kind, mobiles, end);
    if (superseded !== undefined) this.#sendBehindRows(peer, superseded, now);
  }

  #sendOwned(peer: MemberId, link: Link): void {
    const { table, self, send } = this.#options;
    const entryOf = (mobile: MobileKey) => ({ mobile, generation: table.get(mobile)?.ownership.generation ?? 0 });
    link.check.start(table.ownedBy(self), (mobiles, last) =>
      send(peer, { type: "owned", entries: mobiles.map(entryOf), last }),
    );
  }

  /** A peer believes that it owns a mobile. Where we know otherwise, or hold what it may not have, it gets to know. */
  #checkOwned(
    owner: MemberId,
    { mobile, generation }: { readonly mobile: MobileKey; readonly generation: number },
  ): void {
    const { table, locations, send } = this.#options;
    const row = table.get(mobile);
    if (row !== undefined) {
      if (row.ownership.owner !== owner || row.ownership.generation !== generation) this.tell(owner, row);
      return;
    }
    const location = locations.get(mobile);
    if (location === undefined || location.owner === owner) return;
    if (isNewerOwnership(location, { owner, generation })) send(owner, movedTo(location));
  }

  #forget(forgotten: ForgottenRow): void {
    const { table, self } = this.#options;
    const row = table.get(forgotten.mobile);
    if (row === undefined || row.ownership.owner === self || !isKnownTo(forgotten, row)) return;
    this.#strays.delete(row.mobile);
    table.delete(row.mobile);
  }
}

/** Both have told each other all that the other must know. */
function isLevel(link: Link): boolean {
  return link.isUp && link.peerSynchronized && link.check.isComplete;
}

function isNewer(a: Binding, b: Binding): boolean {
  if (a === b) return false;
  return (
    compareRegistrations(a, b) > 0 ||
    compareOwnerships(a.ownership, b.ownership) > 0 ||
    a.registration.retainUntilMs > b.registration.retainUntilMs ||
    a.createdAtMs < b.createdAtMs
  );
}

function describe({ ownership: { owner, generation } }: Binding): string {
  return `${owner}/${generation}`;
}
