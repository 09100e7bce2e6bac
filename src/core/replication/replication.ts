/**
 * Everything about copies, from the point of view of the home agent: keep them, ask for them, act on the loss of a member.
 */

import type { Binding } from "../bindings/binding.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { Journal } from "../bindings/journal.ts";
import type { Location } from "../bindings/location.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import type { Lease } from "../forwarding/lease.ts";
import type { Membership, PeerStatus } from "../members/membership.ts";
import { type Candidate, type Placement, placedBy } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { StreamMessage, StreamMessageType, TemporaryCopy } from "../protocol/stream-messages.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import { AddressClaims } from "./address-claims.ts";
import { type DesignationSettings, decider, designateBackups } from "./designation.ts";
import { Digests } from "./digests.ts";
import { Whereabouts } from "./homes.ts";
import { Lender } from "./lender.ts";
import { type MoveProgress, Mover } from "./mover.ts";
import type { LinkState } from "./peer-progress.ts";
import { Replicator } from "./replicator.ts";
import type { Safety } from "./safety.ts";
import { Takeover } from "./takeover.ts";
import { TemporaryCopies } from "./temporary-copies.ts";

export interface ReplicationSettings extends DesignationSettings {
  /** Backups that must have a registration on their disks before it is answered. */
  readonly acknowledgements: number;
  /** With too few backups: serve with lifetimes of at most so many seconds, or (`undefined`) answer 130. */
  readonly degradedLifetimeSeconds: number | undefined;
  /** How often owners and backups compare what they hold. */
  readonly digestIntervalMs: number;
}

/** How many temporary bindings of others to keep at most, and for how long. */
export interface TemporaryCopySettings {
  readonly maximum: number;
  readonly lifetimeMs: number;
}

export interface ReplicationOptions {
  readonly self: MemberId;
  readonly bootCount: number;
  readonly forwardingLeaseMs: number;
  readonly peers: readonly MemberId[];
  readonly settings: ReplicationSettings;
  readonly temporaryCopies: TemporaryCopySettings;
  readonly table: BindingTable;
  readonly locations: LocationTable;
  readonly journal: Journal;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly observer: Observer;
  readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  readonly send: (to: MemberId, message: StreamMessage) => void;
  /** The ingress of a request has died: this member takes its place. */
  readonly adopt: (copy: TemporaryCopy, now: Now) => void;
  /** An owner has told how packets reach its mobile. */
  readonly leased: (lease: Lease, owner: MemberId, now: Now) => void;
  /** Who has a home address is known now. */
  readonly answered: (homeAddress: Ipv4Address, now: Now) => void;
}

/** Rows whose backups are reviewed in one go, so that registrations are not held up. */
const REVIEW_CHUNK = 200;

/** Whose copies count no more. */
const OUT: ReadonlySet<PeerStatus["state"]> = new Set(["dead", "skewed"]);

/** Each message is for one part alone. */
type Receivers = {
  readonly [T in StreamMessageType]: (from: MemberId, message: StreamMessage<T>, now: Now) => void;
};

export class Replication implements Safety {
  #options: ReplicationOptions;
  readonly #replicator: Replicator;
  readonly #takeover: Takeover;
  readonly #whereabouts: Whereabouts;
  readonly #claims: AddressClaims;
  readonly #lender: Lender;
  readonly #copies: TemporaryCopies;
  readonly #mover: Mover;
  /** Rows of ours that are still to be reviewed, after these members have come or gone. */
  #review: Iterator<MobileKey> | undefined;
  readonly #changed = new Set<MemberId>();
  readonly #receivers: Receivers;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    const digests = new Digests(options.self);
    options.table.listen((before, after) => digests.rowChanged(before, after));
    this.#claims = new AddressClaims({
      ...options,
      change: (row) => {
        const before = options.table.get(row.mobile);
        options.table.put(row);
        this.ship(row, before);
        this.tellHomes(row);
      },
    });
    this.#whereabouts = new Whereabouts({ ...options, learned: (address) => this.#claims.learned(address) });
    this.#lender = new Lender({ ...options, leaseMs: options.forwardingLeaseMs });
    this.#mover = new Mover({ ...options, isReachable: (member) => this.#replicator.linkState(member) !== "down" });
    this.#replicator = new Replicator({
      ...options,
      digests,
      digestIntervalMs: options.settings.digestIntervalMs,
      whereabouts: this.#whereabouts,
      necessaryBackups: () => {
        const { settings, peers } = this.#options;
        return Math.min(settings.acknowledgements, settings.copies, peers.length);
      },
    });
    this.#takeover = new Takeover({
      ...options,
      replicator: this.#replicator,
      designate: (row) => this.designate(row, []),
      tookOver: (row) => this.#whereabouts.tellAll(row),
    });
    this.#copies = new TemporaryCopies({
      ...options,
      ...options.temporaryCopies,
      designated: designatedFor(options),
      isAvailable: (member) => this.#replicator.isAvailable(member),
    });
    this.#receivers = {
      rows: (from, message, now) => this.#replicator.rows(from, message, now),
      ack: (from, message) => this.#replicator.acknowledged(from, message),
      digests: (from, message, now) => this.#replicator.digests(from, message, now),
      differing: (from, message, now) => this.#replicator.differing(from, message, now),
      synchronized: (from, message) => this.#replicator.synchronized(from, message),
      owned: (from, message, now) => this.#replicator.owned(from, message, now),
      "owned-checked": (from) => this.#replicator.ownedChecked(from),
      moved: (from, message) => this.#replicator.moved(from, message),
      forget: (_, message) => this.#replicator.forget(message),
      holding: (from, message) => this.#takeover.holding(from, message),
      want: (from, message, now) => this.#takeover.wanted(from, message, now),
      sent: (from, message) => this.#takeover.sent(from, message),
      handover: (from, message, now) => this.#takeover.handedOver(from, message, now),
      temporary: (from, message, now) => this.#copies.told(from, message, now),
      claim: (from, message, now) => this.#claims.claimed(from, message, now),
      holder: (_, message, now) => this.#claims.told(message, now),
      "lease-request": (from, message, now) => this.#lender.asked(from, message, now),
      lease: (from, message, now) => options.leased(message, from, now),
    };
  }

  /**
   * The members, their weights or the settings have changed. Who is no member any more is dead, whether it runs or not;
   * every mobile of ours may have got another home.
   */
  configure(changes: Pick<ReplicationOptions, "peers" | "settings" | "temporaryCopies">, now: Now): void {
    const { peers, settings, temporaryCopies } = changes;
    const { self } = this.#options;
    const removed = this.#options.peers.filter((peer) => !peers.includes(peer));
    this.#options = { ...this.#options, ...changes };
    this.#replicator.configure({ peers, digestIntervalMs: settings.digestIntervalMs });
    this.#copies.configure({ peers, designated: designatedFor(this.#options), lifetimeMs: temporaryCopies.lifetimeMs });
    for (const member of removed) this.#died(member, now);
    this.#startReview(self, ...peers, ...removed);
  }

  /** The store writes again, and what it had lost was handed to it once more. */
  recovered(): void {
    this.#replicator.recovered();
  }

  // What the owner needs

  designate(row: Pick<Binding, "mobile" | "homeAddress">, present: readonly MemberId[]): readonly MemberId[] {
    const { self, peers, placement, membership, settings } = this.#options;
    const isAble = (member: MemberId) => membership.isAble(member);
    // Who is only silent for the moment, as all are after a power cut, stays a backup: each change is a row for all of
    // them.
    const isNotDead = (member: MemberId) => !OUT.has(membership.get(member)?.state ?? "dead");
    const areEnough =
      present.length === Math.min(settings.copies, peers.length) &&
      this.available(present) >= settings.acknowledgements;
    // What all but always is the outcome, without a look at the ranking.
    if (areEnough && present.every(isNotDead)) return present;
    const ranking = placement.rank(placedBy(row));
    const patient = designateBackups(self, present, ranking, { toStay: isNotDead, toJoin: isAble }, settings);
    const strict = designateBackups(self, present, ranking, { toStay: isAble, toJoin: isAble }, settings);
    const isTooPatient = this.available(patient) < settings.acknowledgements;
    return isTooPatient && this.available(strict) > this.available(patient) ? strict : patient;
  }

  available(backups: readonly MemberId[]): number {
    const { membership } = this.#options;
    return backups.filter((backup) => membership.isAble(backup) && this.#replicator.isAvailable(backup)).length;
  }

  coverage(row: Binding, position: number): number {
    return this.#replicator.coverage(row, position);
  }

  hasNoOtherCopies(row: Binding): boolean {
    return this.#replicator.hasNoOtherCopies(row);
  }

  ship(row: Binding, before: Binding | undefined): void {
    this.#replicator.ship(row, before);
    if (before !== undefined && before.homeAddress !== row.homeAddress)
      this.#whereabouts.tellFormer(row, before.homeAddress);
  }

  holder(homeAddress: Ipv4Address, now: Now): MobileKey | undefined {
    return this.#claims.holder(homeAddress, now);
  }

  mustAsk(homeAddress: Ipv4Address, now: Now): boolean {
    return this.#claims.mustAsk(homeAddress, now);
  }

  ask(homeAddress: Ipv4Address, mobile: MobileKey): void {
    this.#claims.ask(homeAddress, mobile);
  }

  tellHomes(row: Binding): void {
    this.#whereabouts.tell(row, this.#options.self);
  }

  forgotten(row: Binding): void {
    this.#replicator.forgotten(row);
    this.#whereabouts.forgotten(row);
  }

  /** A registration of a mobile of ours was accepted; its ingress learns from the reply who owns it. */
  accepted(row: Binding, ingress: MemberId): void {
    this.#whereabouts.tell(row, ingress);
  }

  /** From here on, members without rows of our mobiles are told how packets reach these. */
  startLending(): void {
    this.#lender.start();
  }

  /** How packets reach a mobile of ours, for a member that has no row of it. */
  leaseFor(member: MemberId, mobile: MobileKey, now: Now): Lease | undefined {
    return this.#lender.leaseFor(member, mobile, now);
  }

  /** Packets to or from this address came here, and this member doesn't know the way. */
  missed(homeAddress: Ipv4Address, now: Now): void {
    this.#lender.ask(homeAddress, now);
  }

  // What the ingress needs

  /** What a member is to note of a mobile of ours. */
  locationFor(member: MemberId, row: Binding): Omit<Location, "ingress"> {
    return this.#whereabouts.locationFor(member, row);
  }

  /** Of the members that hold a binding whose owner is not alive, the one that decides about it. */
  decider(backups: readonly MemberId[]): MemberId | undefined {
    return decider(backups, this.#options.membership);
  }

  /** Gives a binding of ours to a member that can store, as this one can't; false if there is none. */
  handOver(mobile: MobileKey, now: Now): boolean {
    return this.#mover.give(mobile, now);
  }

  /**
   * A binding of this dead member, or of this one, may not be served yet: others may hold newer copies, or be about to
   * claim it.
   */
  isUndecided(orphan: { readonly mobile: MobileKey; readonly formerOwner: MemberId }, now: Now): boolean {
    const isOurs = orphan.formerOwner === this.#options.self;
    return isOurs ? this.#mover.isGiven(orphan.mobile, now) : this.#takeover.isUndecided(orphan, now);
  }

  temporaryMade(copy: TemporaryCopy): void {
    this.#copies.made(copy);
  }

  temporaryEnded(requestId: number, now: Now): void {
    this.#copies.ended(requestId, now);
  }

  // Inputs

  opened(peer: MemberId, now: Now): void {
    this.#replicator.opened(peer, now);
    this.#startReview(peer);
  }

  closed(peer: MemberId): void {
    this.#replicator.closed(peer);
    this.#takeover.closed(peer);
  }

  /** On a stream that is open. */
  receive<T extends StreamMessageType>(from: MemberId, message: StreamMessage<T>, now: Now): void {
    this.#receivers[message.type](from, message, now);
  }

  acknowledge(): void {
    this.#replicator.acknowledge();
  }

  peerChanged(member: MemberId, state: PeerStatus["state"], now: Now): void {
    if (state === "dead") this.#died(member, now);
    if (state === "alive") {
      this.#takeover.revived(member);
      this.#replicator.revived(member);
    }
    if (state === "dead" || state === "alive" || state === "skewed") this.#startReview(member);
  }

  /** It was gone for so short a time that no member noticed, but it no longer knows what it was about to do. */
  peerRestarted(member: MemberId): void {
    this.#copies.lost(member);
  }

  /** We may have been taken for dead: nothing is ours until the others have confirmed it. */
  stalled(now: Now): void {
    this.#replicator.recheck(now);
    this.#copies.stalled();
  }

  drain(draining: boolean): void {
    this.#mover.draining = draining;
  }

  rebalance(): void {
    this.#mover.start();
  }

  passTime(now: Now): void {
    this.#replicator.passTime(now);
    this.#copies.passTime(now);
    this.#claims.work(now);
  }

  /** One piece of whatever there is to be done to many bindings. */
  work(now: Now): void {
    // More changes at once than backups can take would only make them lag, and all be sent twice.
    if (this.#replicator.hasRoom) {
      this.#takeover.work(now);
      this.#reviewSome();
      this.#mover.work(now);
    }
    this.#replicator.work(now);
    this.#copies.work(now);
  }

  flush(now: Now): void {
    this.#copies.flush(now);
    this.#replicator.flush(now);
    this.#mover.flush();
    this.#lender.flush(now);
  }

  /** Monotonic ms. */
  get nextDueMs(): number {
    if (this.#review !== undefined || this.#replicator.hasBacklog) return Number.NEGATIVE_INFINITY;
    return Math.min(this.#takeover.nextDeadlineMs, this.#copies.nextDueMs, this.#mover.nextDueMs);
  }

  // Views

  get moveProgress(): MoveProgress | undefined {
    return this.#mover.progress;
  }

  get catchingUpWith(): MemberId[] {
    return this.#replicator.catchingUpWith;
  }

  /** Too few backups are in reach to keep the promise: lifetimes are short, or requests refused. */
  get isDegraded(): boolean {
    const { peers, settings } = this.#options;
    return this.available(peers) < Math.min(settings.acknowledgements, peers.length);
  }

  /** False from a stall until all who are alive have confirmed what we own. */
  isConfirmed(now: Now): boolean {
    return this.#replicator.isConfirmed(now);
  }

  /** To the peer that has most to acknowledge. */
  get rowsUnderWay(): number {
    return Math.max(0, ...this.#options.peers.map((peer) => this.#replicator.rowsUnderWayTo(peer)));
  }

  linkTo(peer: MemberId): { readonly state: LinkState; readonly backlogRows: number } {
    return { state: this.#replicator.linkState(peer), backlogRows: this.#replicator.backlogOf(peer) };
  }

  /** The member has come or gone, or can be told what it missed. */
  #startReview(...changed: readonly MemberId[]): void {
    for (const member of changed) this.#changed.add(member);
    this.#review = this.#options.table.ownedBy(this.#options.self).values();
  }

  #died(member: MemberId, now: Now): void {
    this.#copies.lost(member);
    this.#takeover.died(member, now);
  }

  #reviewSome(): void {
    const { table, self } = this.#options;
    for (let looked = 0; this.#review !== undefined && looked < REVIEW_CHUNK; looked++) {
      const next = this.#review.next();
      if (next.done) {
        this.#review = undefined;
        this.#changed.clear();
        return;
      }
      const row = table.get(next.value);
      if (row?.ownership.owner !== self) continue;
      const reviewed = this.#fillVacancies(row);
      this.#whereabouts.tellAfter(this.#changed, reviewed);
      this.#lender.review(reviewed, this.#changed);
    }
  }

  #fillVacancies(row: Binding): Binding {
    const { table, self } = this.#options;
    const backups = this.designate(row, row.ownership.backups);
    if (backups.join() === row.ownership.backups.join()) return row;
    const changed: Binding = { ...row, ownership: { owner: self, backups, generation: row.ownership.generation + 1 } };
    table.put(changed);
    this.ship(changed, row);
    return changed;
  }
}

/** Whom the operator has named as this member's backups. */
function designatedFor({ self, settings }: Pick<ReplicationOptions, "self" | "settings">): readonly MemberId[] {
  return settings.designated.get(self) ?? [];
}
