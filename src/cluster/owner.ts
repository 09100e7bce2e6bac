/**
 * The owner's part: decides requests with the registration engine, keeps the bindings, and lets no reply out before the
 * row that it speaks of is on disk.
 */

import type { MobileIdentity } from "../auth/association-table.ts";
import type { Binding, MemberId, MobileKey } from "../registration/binding.ts";
import { encodeBindingRow } from "../registration/binding-row.ts";
import type { Decision, RegistrationContext, RegistrationEngine } from "../registration/engine.ts";
import { identityOf, mobileKeyOf } from "../registration/identity.ts";
import { canForget, nextChangeMs, withoutExpired } from "../registration/mobility-bindings.ts";
import type { StoreChange } from "../store/store.ts";
import { type Endpoint, formatEndpoint } from "../wire/ipv4.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";
import { ReplyCode } from "../wire/reply-code.ts";
import { ExpiryWheel } from "./expiry-wheel.ts";
import type { Now, Observer } from "./io.ts";
import type { Journal } from "./journal.ts";
import { MobileTable } from "./mobile-table.ts";

/** A request on its owner, with what is known of its way there. */
export interface ServedRequest {
  readonly request: RegistrationRequest;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** The member that routing delivered it to. */
  readonly ingress: MemberId;
  /** The ingress's handle; absent when this member is the ingress. */
  readonly requestId: number | undefined;
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

interface RowChange {
  readonly before: Binding | undefined;
  readonly after: Binding;
}

/** An answer that waits for the disk. */
interface Uncommitted {
  readonly position: number;
  readonly served: ServedRequest;
  readonly answer: Answer;
  /** To be undone if the store fails; empty for the retransmission of a request that is itself uncommitted. */
  readonly changes: readonly RowChange[];
}

export class Owner {
  readonly #self: MemberId;
  readonly #engine: RegistrationEngine;
  readonly #journal: Journal;
  readonly #observer: Observer;
  readonly #answer: (served: ServedRequest, answer: Answer, now: Now) => void;
  readonly #maximumUncommitted: number;
  readonly #rows = new MobileTable<Binding>();
  readonly #due = new ExpiryWheel<MobileKey>();
  /** In the order of positions. */
  #uncommitted: Uncommitted[] = [];
  /** The last position of each row that is not on disk yet. */
  readonly #uncommittedRows = new Map<MobileKey, number>();
  #tombstones = 0;

  constructor(options: {
    readonly self: MemberId;
    readonly engine: RegistrationEngine;
    readonly journal: Journal;
    readonly observer: Observer;
    readonly maximumUncommitted: number;
    readonly answer: (served: ServedRequest, answer: Answer, now: Now) => void;
  }) {
    this.#self = options.self;
    this.#engine = options.engine;
    this.#journal = options.journal;
    this.#observer = options.observer;
    this.#maximumUncommitted = options.maximumUncommitted;
    this.#answer = options.answer;
  }

  /** Bindings with a care-of address. */
  get liveCount(): number {
    return this.#rows.size - this.#tombstones;
  }

  get tombstoneCount(): number {
    return this.#tombstones;
  }

  /** Tombstones included. */
  find(identity: MobileIdentity): Binding | undefined {
    return this.#rows.find(identity);
  }

  values(): IterableIterator<Binding> {
    return this.#rows.values();
  }

  /** A row that was on disk at start. */
  restore(binding: Binding, now: Now): void {
    this.#replace(undefined, withoutExpired(binding, now.wallMs));
  }

  serve(served: ServedRequest, now: Now): void {
    if (this.#uncommitted.length >= this.#maximumUncommitted) {
      this.#observer.countBy("datagrams-dropped", "overloaded");
      this.#answer(served, { reply: undefined, accepted: false, binding: undefined }, now);
      return;
    }
    this.#observer.count("requests-served");
    const current = this.#current(served.request, now);
    const decision = this.#engine.decide(served.request, this.#context(served, current, now));
    this.#carryOut(served, decision, current, now);
  }

  durable(now: Now): void {
    let done = 0;
    for (const { position, served, answer } of this.#uncommitted) {
      if (!this.#journal.isDurable(position)) break;
      done++;
      if (answer.binding !== undefined) this.#settle(answer.binding.mobile, position);
      this.#answer(served, answer, now);
    }
    this.#uncommitted = this.#uncommitted.slice(done);
  }

  /** Undoes, last one first, whatever did not reach the disk; those who asked get 130 (RFC 5944 3.4, "insufficient resources"). */
  storeFailed(firstPosition: number, now: Now): void {
    const lost = this.#uncommitted.filter(({ position }) => position >= firstPosition);
    this.#uncommitted = this.#uncommitted.filter(({ position }) => position < firstPosition);
    for (const { changes, answer, position } of lost.toReversed()) {
      for (const { before, after } of changes.toReversed()) this.#replace(after, before);
      if (answer.binding !== undefined) this.#settle(answer.binding.mobile, position);
    }
    for (const { served } of lost) {
      const current = this.#current(served.request, now);
      const reply = this.#engine.deny(served.request, this.#context(served, current, now), ReplyCode.Resources);
      this.#answer(served, { reply, accepted: false, binding: current }, now);
    }
  }

  /** Ends what has outlived its lifetime, and forgets tombstones that nothing needs any more. */
  expire(now: Now): void {
    for (const mobile of this.#due.takeDue(now.wallMs)) {
      const row = this.#rows.get(mobile);
      if (row === undefined) continue;
      const remaining = withoutExpired(row, now.wallMs);
      if (isLive(row) && !isLive(remaining)) this.#observer.count("bindings-expired");
      if (canForget(remaining, now.wallMs)) this.remove(row);
      else this.#replace(row, remaining);
    }
  }

  /** Deletes the row, here and in the store. */
  remove(row: Binding): void {
    this.#replace(row, undefined);
    this.#journal.append({ table: "binding", key: row.mobile, row: null });
  }

  /** Puts a row that no request of the mobile has made, such as an operator's deletion. Answers its log position. */
  put(row: Binding): number {
    this.#replace(this.#rows.get(row.mobile), row);
    return this.#journal.append(changeTo(row));
  }

  get nextDueMs(): number {
    return this.#due.nextDueMs;
  }

  #carryOut(served: ServedRequest, decision: Decision, current: Binding | undefined, now: Now): void {
    switch (decision.outcome) {
      case "discard":
        this.#observer.countBy("datagrams-dropped", decision.reason);
        this.#observer.event("datagram-dropped", {
          source: formatEndpoint(served.source),
          reason: decision.reason,
        });
        this.#answer(served, { reply: undefined, accepted: false, binding: current }, now);
        return;
      case "denied":
        this.#observer.event("registration-denied", {
          mobile: current?.mobile ?? mobileKeyOf(identityOf(served.request)) ?? "",
          code: decision.code,
          reason: decision.reason,
        });
        if (decision.reason === "pool-exhausted") this.#observer.event("pool-exhausted", {});
        this.#answer(served, { reply: decision.reply, accepted: false, binding: current }, now);
        return;
      case "duplicate":
        this.#answerOnceDurable(served, { reply: decision.reply, accepted: true, binding: current }, [], now);
        return;
      case "accepted":
        this.#accept(served, decision, current, now);
    }
  }

  #accept(
    served: ServedRequest,
    decision: Decision & { readonly outcome: "accepted" },
    current: Binding | undefined,
    now: Now,
  ): void {
    const { binding } = decision;
    const changes: RowChange[] = [{ before: current, after: binding }];
    if (decision.reclaimed !== undefined) {
      changes.unshift({ before: this.#rows.get(decision.reclaimed.mobile), after: decision.reclaimed });
    }
    for (const { before, after } of changes) this.#replace(before, after);
    this.#uncommittedRows.set(binding.mobile, this.#journal.append(...changes.map(({ after }) => changeTo(after))));
    this.#observer.event("registration-accepted", { mobile: binding.mobile });
    this.#answerOnceDurable(served, { reply: decision.reply, accepted: true, binding }, changes, now);
  }

  #answerOnceDurable(served: ServedRequest, answer: Answer, changes: readonly RowChange[], now: Now): void {
    const position = answer.binding === undefined ? undefined : this.#uncommittedRows.get(answer.binding.mobile);
    if (position === undefined) this.#answer(served, answer, now);
    else {
      // A retransmission waits as well: for the newest position, which keeps the queue in order.
      this.#uncommitted.push({ position: this.#journal.position, served, answer, changes });
    }
  }

  #settle(mobile: MobileKey, position: number): void {
    const last = this.#uncommittedRows.get(mobile);
    if (last !== undefined && last <= position) this.#uncommittedRows.delete(mobile);
  }

  #current(request: RegistrationRequest, now: Now): Binding | undefined {
    const row = this.#rows.find(identityOf(request));
    return row === undefined ? undefined : withoutExpired(row, now.wallMs);
  }

  #context(served: ServedRequest, current: Binding | undefined, now: Now): RegistrationContext {
    return {
      source: served.source,
      destination: served.destination,
      ingress: served.ingress,
      current,
      homeAddressHolder: (address) => this.#rows.findByHomeAddress(address)?.mobile,
      ownership: {
        owner: this.#self,
        backups: current?.ownership.backups ?? [],
        generation: Math.max(served.generation, current?.ownership.generation ?? 0, 1),
      },
      canAccept: this.#journal.writable,
      nowMs: now.wallMs,
    };
  }

  #replace(before: Binding | undefined, after: Binding | undefined): void {
    const previous = before === undefined ? undefined : this.#rows.get(before.mobile);
    if (previous !== undefined) {
      this.#due.clear(previous.mobile);
      if (!isLive(previous)) this.#tombstones--;
      if (after?.mobile !== previous.mobile) this.#rows.delete(previous.mobile);
    }
    if (after !== undefined) {
      this.#rows.put(after);
      this.#due.set(after.mobile, nextChangeMs(after));
      if (!isLive(after)) this.#tombstones++;
    }
    this.#engine.rowChanged(previous, after);
  }
}

function changeTo(row: Binding): StoreChange {
  return { table: "binding", key: row.mobile, row: encodeBindingRow(row) };
}

function isLive(binding: Binding): boolean {
  return binding.registration.careOfAddresses.length > 0;
}
