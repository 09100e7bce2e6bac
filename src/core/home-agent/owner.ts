/**
 * The owner's part: decides requests with the registration engine, and lets no reply out before the row that it speaks of
 * is on its own disk and on as many backups' as the operator wants.
 */

import type { Binding, Ownership } from "../bindings/binding.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { Journal } from "../bindings/journal.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { mergeBindings } from "../bindings/merge.ts";
import {
  ABANDONED_AFTER_MS,
  canForget,
  isAbandoned,
  isTombstone,
  neededAloneUntilMs,
  neededUntilMs,
  nextChangeMs,
  withoutExpired,
} from "../bindings/mobility-bindings.ts";
import type { MemberId, MobileIdentity, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { Decision, Refusal, RegistrationContext, RegistrationEngine } from "../registration/engine.ts";
import { identityOf, mobileKeyOf } from "../registration/identity.ts";
import type { Safety } from "../replication/safety.ts";
import { type Endpoint, formatEndpoint, type Ipv4Address } from "../wire/ipv4.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";

/** A request on its owner, with what is known of its way there. */
export interface ServedRequest {
  readonly request: RegistrationRequest;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The member that routing delivered it to. */
  readonly ingress: MemberId;
  /** The ingress's handle; absent when this member is the ingress. */
  readonly requestId: number | undefined;
  /** How often it may still be relayed, this member's own relaying included. */
  readonly hopLimit: number;
  /** For a binding that isn't there yet, or must supersede another owner's. */
  readonly generation: number;
}

/** What became of it; `binding` is the mobile's row, where there is one. */
export interface Answer {
  /** Absent: discarded silently. */
  readonly reply: Uint8Array | undefined;
  readonly accepted: boolean;
  readonly binding: Binding | undefined;
}

export interface SafetySettings {
  /** Backups that must have a registration on their disks before it is answered. */
  readonly acknowledgements: number;
  /** With too few backups: serve with lifetimes of at most so many seconds, or (`undefined`) answer 130. */
  readonly degradedLifetimeSeconds: number | undefined;
  /** An answer that is not safe after this long is not sent: the mobile will ask again. */
  readonly timeoutMs: number;
}

/** How soon to look again whether all backups have acknowledged what may be forgotten then. */
const ACKNOWLEDGEMENT_PAUSE_MS = 5000;

interface RowChange {
  readonly before: Binding | undefined;
  readonly after: Binding;
}

/** An answer that waits until what it says is safe. */
interface Uncommitted {
  readonly position: number;
  readonly served: ServedRequest;
  readonly answer: Answer;
  /** Backups that must have it. */
  readonly acknowledgements: number;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  /** To be undone if the store fails; empty for the retransmission of a request that is itself uncommitted. */
  readonly changes: readonly RowChange[];
}

/** A request that waits until the home of its home address has said who has that. */
interface Undecided {
  readonly served: ServedRequest;
  readonly homeAddress: Ipv4Address;
  /** Monotonic ms. */
  readonly deadlineMs: number;
}

export class Owner {
  readonly #self: MemberId;
  #engine: RegistrationEngine;
  readonly #table: BindingTable;
  readonly #locations: LocationTable;
  readonly #journal: Journal;
  readonly #observer: Observer;
  readonly #safety: Safety;
  #settings: SafetySettings;
  readonly #answer: (served: ServedRequest, answer: Answer, now: Now) => void;
  readonly #passOn: (served: ServedRequest, now: Now) => void;
  readonly #resume: (served: ServedRequest, now: Now) => void;
  readonly #maximumUncommitted: number;
  readonly #runningMs: (now: Now) => number;
  /** In the order of positions. */
  #uncommitted: Uncommitted[] = [];
  /** Requests that wait for the home of their home address; the first to be given up first. */
  readonly #undecided = new Set<Undecided>();
  readonly #undecidedByAddress = new Map<Ipv4Address, Undecided[]>();

  constructor(options: {
    readonly self: MemberId;
    readonly engine: RegistrationEngine;
    readonly table: BindingTable;
    readonly locations: LocationTable;
    readonly journal: Journal;
    readonly observer: Observer;
    readonly safety: Safety;
    readonly settings: SafetySettings;
    readonly maximumUncommitted: number;
    /** How long this member has been running. */
    readonly runningMs: (now: Now) => number;
    readonly answer: (served: ServedRequest, answer: Answer, now: Now) => void;
    /** Another member has become the owner before the answer was safe. */
    readonly passOn: (served: ServedRequest, now: Now) => void;
    /** A request that has waited can go on, here or wherever the mobile's owner is by now. */
    readonly resume: (served: ServedRequest, now: Now) => void;
  }) {
    this.#self = options.self;
    this.#engine = options.engine;
    this.#table = options.table;
    this.#locations = options.locations;
    this.#journal = options.journal;
    this.#observer = options.observer;
    this.#safety = options.safety;
    this.#settings = options.settings;
    this.#maximumUncommitted = options.maximumUncommitted;
    this.#runningMs = options.runningMs;
    this.#answer = options.answer;
    this.#passOn = options.passOn;
    this.#resume = options.resume;
    options.table.listen((before, after) => this.#engine.rowChanged(before, after));
  }

  configure(settings: SafetySettings): void {
    this.#settings = settings;
  }

  get engine(): RegistrationEngine {
    return this.#engine;
  }

  /** The engine learns which addresses are taken. */
  setEngine(engine: RegistrationEngine): void {
    this.#engine = engine;
    for (const row of this.#table.values()) engine.rowChanged(undefined, row);
  }

  /** The mobile's row if this member owns it; tombstones included. */
  find(identity: MobileIdentity): Binding | undefined {
    const row = this.#table.find(identity);
    return row?.ownership.owner === this.#self ? row : undefined;
  }

  serve(served: ServedRequest, now: Now): void {
    if (this.#uncommitted.length + this.#undecided.size >= this.#maximumUncommitted) {
      this.#drop(served, "overloaded", now);
      return;
    }
    this.#observer.count("requests-served");
    const current = this.#current(served.request, now);
    const context = this.#context(served, current, now);
    this.#carryOut(served, this.#engine.decide(served.request, context), context, now);
  }

  /** Also of requests that were not let in. `current`: the mobile's row, where it was looked at. */
  refuse(served: ServedRequest, refusal: Refusal, current: Binding | undefined, now: Now): void {
    const { reason } = refusal;
    const reply = refusal.outcome === "denied" ? refusal.reply : undefined;
    if (refusal.outcome === "denied") {
      const mobile = current?.mobile ?? mobileKeyOf(identityOf(served.request)) ?? "";
      this.#observer.event("registration-denied", { mobile, code: refusal.code, reason });
      if (reason === "pool-exhausted") this.#observer.event("pool-exhausted", {});
    } else {
      this.#observer.countBy("datagrams-dropped", reason);
      this.#observer.event("datagram-dropped", { source: formatEndpoint(served.source), reason });
    }
    this.#answer(served, { reply, accepted: false, binding: current }, now);
  }

  /** Something has become safe: on our disk, or on a backup's. */
  progress(now: Now): void {
    if (this.#uncommitted.length === 0) return;
    const waiting: Uncommitted[] = [];
    const superseded: Uncommitted[] = [];
    for (const entry of this.#uncommitted) {
      if (this.#isSafe(entry)) this.#answer(entry.served, entry.answer, now);
      else if (this.#isSuperseded(entry)) superseded.push(entry);
      else if (entry.deadlineMs > now.monotonicMs) waiting.push(entry);
      else this.#drop(entry.served, "unsafe", now);
    }
    this.#uncommitted = waiting;
    // To the new owner it is a retransmission, if it has the registration already: the same reply, once that is safe there.
    for (const { served } of superseded) this.#passOn(served, now);
  }

  /** This member may have been superseded while it did not run: what it was about to say is not certain any more. */
  stalled(): void {
    this.#uncommitted = [];
  }

  /**
   * Undoes, last one first, whatever did not reach the disk. The requests go to a member that can store; if there is
   * none, they are denied here, with 130 (RFC 5944 3.4, "insufficient resources").
   */
  storeFailed(firstPosition: number, now: Now): void {
    const lost = this.#uncommitted.filter(({ position }) => position >= firstPosition);
    this.#uncommitted = this.#uncommitted.filter(({ position }) => position < firstPosition);
    for (const { changes } of lost.toReversed()) {
      for (const { before, after } of changes.toReversed()) this.#table.undo(after.mobile, before);
    }
    for (const { served } of lost) this.#passOn(served, now);
  }

  /** The disk has begun to hang: requests that wait for it are answered by the members that take their bindings over. */
  storeHangs(now: Now): void {
    for (const { answer } of this.#uncommitted) {
      if (answer.binding !== undefined) this.#safety.handOver(answer.binding.mobile, now);
    }
  }

  /** Ends what has outlived its lifetime, and forgets tombstones that nothing needs any more. */
  expire(now: Now): void {
    for (const row of this.#table.takeDue(now.wallMs)) {
      const remaining = withoutExpired(row, now.wallMs);
      const isOurs = row.ownership.owner === this.#self;
      if (isOurs && !isTombstone(row) && isTombstone(remaining)) this.#observer.count("bindings-expired");
      if (isOurs ? this.#mayForget(remaining, now) : isAbandoned(remaining, now.wallMs)) {
        this.#table.delete(row.mobile);
        if (isOurs) this.#safety.forgotten(row);
      } else {
        this.#table.keep(remaining);
        // As it may be over, and isn't, or its owner hasn't said so yet.
        if (nextChangeMs(remaining) <= now.wallMs)
          this.#table.lookAgainAt(row.mobile, this.#lookAgainMs(remaining, isOurs, now.wallMs));
      }
    }
  }

  /** At once when it has served its time, as far as no older copy can be anywhere: all who have it have its last change. */
  #mayForget(row: Binding, now: Now): boolean {
    if (canForget(row, now.wallMs)) return true;
    if (neededAloneUntilMs(row) > now.wallMs || !this.#safety.hasNoOtherCopies(row)) return false;
    const isEverywhere = this.#coverage(row) === row.ownership.backups.length;
    return isEverywhere && this.#journal.isDurable(this.#table.positionOf(row.mobile));
  }

  #lookAgainMs(row: Binding, isOurs: boolean, nowMs: number): number {
    if (canForget(row, nowMs)) return nowMs + ABANDONED_AFTER_MS;
    const mayEndEarly = isOurs && this.#safety.hasNoOtherCopies(row);
    return mayEndEarly ? Math.min(nowMs + ACKNOWLEDGEMENT_PAUSE_MS, neededUntilMs(row)) : neededUntilMs(row);
  }

  /**
   * Changes a row of ours otherwise than by a request of the mobile, such as an operator's deletion. Returns its log
   * position.
   */
  put(row: Binding): number {
    const before = this.#table.get(row.mobile);
    const position = this.#table.put(row);
    this.#safety.ship(row, before);
    return position;
  }

  /** Enough backups are in reach to keep the promise. */
  isCovered({ backups }: Ownership): boolean {
    return this.#safety.available(backups) >= this.#settings.acknowledgements;
  }

  /** As many backups have this row of ours on their disks as a registration needs. */
  isAcknowledged(row: Binding): boolean {
    return this.#coverage(row) >= this.#settings.acknowledgements;
  }

  /** Answers that wait. */
  get unsafeCount(): number {
    return this.#uncommitted.length;
  }

  /** When an answer that waits is to be given up; monotonic ms. */
  get nextDeadlineMs(): number {
    const [undecided] = this.#undecided;
    const deadlines = [this.#uncommitted[0], undecided].map((entry) => entry?.deadlineMs);
    return Math.min(...deadlines.map((deadlineMs) => deadlineMs ?? Number.POSITIVE_INFINITY));
  }

  #isSafe({ position, answer, acknowledgements }: Uncommitted): boolean {
    if (!this.#journal.isDurable(position)) return false;
    if (answer.binding === undefined) return true;
    const { mobile, registration } = answer.binding;
    const row = this.#table.get(mobile);
    // An operator has had the replay state forgotten, and this member hears of it only now: what it accepted meanwhile has
    // lost.
    if (row !== undefined && row.registration.replayResets > registration.replayResets) return false;
    if (acknowledgements === 0) return true;
    // Who has been superseded doesn't know any more what its successor has on which disks.
    if (row?.ownership.owner !== this.#self) return false;
    return this.#coverage(row) >= acknowledgements;
  }

  /** How many backups have the row's last change on their disks. */
  #coverage(row: Binding): number {
    return this.#safety.coverage(row, this.#table.positionOf(row.mobile));
  }

  #isSuperseded({ answer: { binding } }: Uncommitted): boolean {
    if (binding === undefined) return false;
    const owner = this.#table.get(binding.mobile)?.ownership.owner ?? this.#locations.get(binding.mobile)?.owner;
    return owner !== undefined && owner !== this.#self;
  }

  #carryOut(served: ServedRequest, decision: Decision, { current, ownership }: RegistrationContext, now: Now): void {
    switch (decision.outcome) {
      case "discard":
      case "denied":
        this.refuse(served, decision, current, now);
        return;
      case "unclear":
        this.#wait(served, decision, now);
        return;
      case "duplicate":
        this.#repeat(served, decision.reply, current, ownership, now);
        return;
      case "accepted":
        this.#accept(served, decision, now);
    }
  }

  /** Of a binding whose owner can't serve it, this member is the owner from now on, as if it had accepted it again. */
  #repeat(
    served: ServedRequest,
    reply: Uint8Array,
    current: Binding | undefined,
    ownership: Ownership,
    now: Now,
  ): void {
    const changes: RowChange[] = [];
    let binding = current;
    if (current !== undefined && current.ownership.owner !== this.#self) {
      binding = { ...current, ownership };
      changes.push({ before: current, after: binding });
      this.put(binding);
    }
    this.#answerOnceSafe(served, { reply, accepted: true, binding }, changes, now);
  }

  /** Until the home of the address has answered. */
  #wait(
    served: ServedRequest,
    { homeAddress, mobile }: { homeAddress: Ipv4Address; mobile: MobileKey },
    now: Now,
  ): void {
    const entry = { served, homeAddress, deadlineMs: now.monotonicMs + this.#settings.timeoutMs };
    this.#undecided.add(entry);
    const waiting = this.#undecidedByAddress.get(homeAddress);
    if (waiting === undefined) this.#undecidedByAddress.set(homeAddress, [entry]);
    else waiting.push(entry);
    this.#safety.ask(homeAddress, mobile);
  }

  /** Who has the home address is known now. */
  answered(homeAddress: Ipv4Address, now: Now): void {
    const waiting = this.#undecidedByAddress.get(homeAddress) ?? [];
    this.#undecidedByAddress.delete(homeAddress);
    for (const entry of waiting) this.#undecided.delete(entry);
    for (const { served } of waiting) this.#resume(served, now);
  }

  /** Gives up what waits for an answer about its home address for too long: the mobile asks again. */
  giveUp(now: Now): void {
    for (const entry of this.#undecided) {
      if (entry.deadlineMs > now.monotonicMs) break;
      const { served, homeAddress } = entry;
      this.#undecided.delete(entry);
      // The oldest of all is the oldest that waits for its address.
      const waiting = this.#undecidedByAddress.get(homeAddress);
      waiting?.shift();
      if (waiting?.length === 0) this.#undecidedByAddress.delete(homeAddress);
      this.#drop(served, "home-address-undecided", now);
    }
  }

  /** Not answered: the mobile asks again. */
  #drop(served: ServedRequest, reason: string, now: Now): void {
    this.#observer.countBy("datagrams-dropped", reason);
    this.#answer(served, { reply: undefined, accepted: false, binding: undefined }, now);
  }

  #accept(served: ServedRequest, decision: Decision & { readonly outcome: "accepted" }, now: Now): void {
    const { others } = decision;
    const binding = this.#backedUp(decision.binding, served);
    const changes = [...others, binding].map((row): RowChange => {
      const before = this.#table.get(row.mobile);
      if (row === binding || before === undefined) return { before, after: row };
      // Whose it is doesn't change with it.
      return { before, after: { ...mergeBindings(before, row), ownership: before.ownership } };
    });
    this.#table.put(...changes.map(({ after }) => after));
    for (const { before, after } of changes) {
      this.#safety.ship(after, before);
      this.#locations.delete(after.mobile);
      if (after !== binding) this.#safety.tellHomes(after);
    }
    if (!this.isCovered(binding.ownership)) this.#observer.count("registrations-degraded");
    this.#observer.event("registration-accepted", { mobile: binding.mobile });
    this.#answerOnceSafe(served, { reply: decision.reply, accepted: true, binding }, changes, now);
  }

  /** A new mobile that has got its home address only now: those back it up who are next in the ranking of that. */
  #backedUp(binding: Binding, { request }: ServedRequest): Binding {
    const isNew = this.#table.get(binding.mobile) === undefined;
    if (!isNew || binding.homeAddress === request.homeAddress) return binding;
    return { ...binding, ownership: { ...binding.ownership, backups: this.#safety.designate(binding, []) } };
  }

  #answerOnceSafe(served: ServedRequest, answer: Answer, changes: readonly RowChange[], now: Now): void {
    const entry: Uncommitted = {
      // A retransmission waits too: for the newest position, which keeps the queue in order.
      position: answer.binding === undefined ? 0 : this.#table.positionOf(answer.binding.mobile),
      served,
      answer,
      acknowledgements: this.#acknowledgements(answer.binding),
      deadlineMs: now.monotonicMs + this.#settings.timeoutMs,
      changes,
    };
    if (this.#isSafe(entry)) this.#answer(served, answer, now);
    else this.#uncommitted.push(entry);
  }

  /**
   * As many as are wanted; none for what is granted for a short time because there are too few backups to ever give them.
   */
  #acknowledgements(binding: Binding | undefined): number {
    const { acknowledgements, degradedLifetimeSeconds = 0 } = this.#settings;
    if (binding === undefined) return 0;
    const isShort = binding.registration.lifetimeSeconds <= degradedLifetimeSeconds;
    return isShort && this.#safety.available(binding.ownership.backups) < acknowledgements ? 0 : acknowledgements;
  }

  #current(request: RegistrationRequest, now: Now): Binding | undefined {
    const row = this.#table.find(identityOf(request));
    return row === undefined ? undefined : withoutExpired(row, now.wallMs);
  }

  #context(served: ServedRequest, current: Binding | undefined, now: Now): RegistrationContext {
    const { degradedLifetimeSeconds } = this.#settings;
    const ownership = this.#ownership(served, current);
    const isSafe = this.isCovered(ownership);
    return {
      source: served.source,
      destination: served.destination,
      ingress: served.ingress,
      current,
      homeAddressHolder: (homeAddress) => this.#safety.holder(homeAddress, now),
      mustAsk: (homeAddress) => this.#safety.mustAsk(homeAddress, now),
      ownership,
      canAccept: this.#journal.writable && (isSafe || degradedLifetimeSeconds !== undefined),
      lifetimeCapSeconds: isSafe ? undefined : degradedLifetimeSeconds,
      nowMs: now.wallMs,
      runningMs: this.#runningMs(now),
    };
  }

  #ownership(served: ServedRequest, current: Binding | undefined): Ownership {
    const mobile = current?.mobile ?? mobileKeyOf(identityOf(served.request));
    const before = current?.ownership;
    const homeAddress = current?.homeAddress ?? served.request.homeAddress;
    const backups = mobile === undefined ? [] : this.#safety.designate({ mobile, homeAddress }, before?.backups ?? []);
    const generation = Math.max(served.generation, before?.generation ?? 0, 1);
    if (before === undefined) return { owner: this.#self, backups, generation };
    // Every change of the ownership raises its generation, or copies could not tell which is newer.
    const isSame = before.owner === this.#self && before.backups.join() === backups.join();
    return isSame
      ? { ...before, generation }
      : { owner: this.#self, backups, generation: Math.max(generation, before.generation + 1) };
  }
}
