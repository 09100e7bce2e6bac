/** Gives bindings of ours away on purpose: all of them when this member drains, those that belong elsewhere to balance the load. */

import type { Binding } from "../bindings/binding.ts";
import { encodeBindingRow } from "../bindings/binding-row.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { Candidate, Placement } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import { addLoad, leastLoaded, push, takers } from "./designation.ts";

/** In one go, so that registrations are not held up: bindings that are given away, and bindings that are looked at. */
const CHUNK = 200;
const LOOK_CHUNK = 2000;
const INTERVAL_MS = 50;
/** Whoever was given a binding and has not claimed it by then did not get it, or doesn't want it. */
const CLAIM_TIMEOUT_MS = 2000;

/** One look at every binding that this member owned at its beginning. */
interface Pass {
  readonly rest: Iterator<MobileKey>;
  readonly bindings: number;
  examined: number;
  moved: number;
  unclaimed: number;
  /** Given away and not claimed yet, the first first. */
  given: { readonly mobile: MobileKey; readonly atMs: number }[];
  isOver: boolean;
}

export interface MoveProgress extends Pick<Pass, "bindings" | "examined" | "moved" | "unclaimed"> {
  readonly running: boolean;
}

export interface MoverOptions {
  readonly self: MemberId;
  readonly table: BindingTable;
  readonly placement: Placement;
  readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  readonly send: (to: MemberId, message: StreamMessage) => void;
}

export class Mover {
  draining = false;
  readonly #options: MoverOptions;
  #pass: Pass | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Of the last pass, if there was one. */
  get progress(): MoveProgress | undefined {
    if (this.#pass === undefined) return undefined;
    const { bindings, examined, moved, unclaimed, isOver } = this.#pass;
    return { running: !isOver, bindings, examined, moved, unclaimed };
  }

  /** Monotonic ms. */
  get nextDueMs(): number {
    return this.draining || this.#pass?.isOver === false ? this.#nextMs : Number.POSITIVE_INFINITY;
  }

  start(): void {
    const { table, self } = this.#options;
    const owned = table.ownedBy(self);
    const rest = owned.values();
    this.#pass = { rest, bindings: owned.size, examined: 0, moved: 0, unclaimed: 0, given: [], isOver: false };
  }

  work(now: Now): void {
    if (now.monotonicMs < this.nextDueMs) return;
    this.#nextMs = now.monotonicMs + INTERVAL_MS;
    if (this.draining && this.#pass?.isOver !== false) this.start();
    if (this.#pass === undefined || this.#pass.isOver) return;
    this.#noteClaims(this.#pass, now);
    this.#giveSome(this.#pass, now);
    this.#pass.isOver = this.#pass.examined >= this.#pass.bindings && this.#pass.given.length === 0;
  }

  /** Who claims a binding ships it to its former owner, among others. */
  #noteClaims(pass: Pass, now: Now): void {
    const { table, self } = this.#options;
    pass.given = pass.given.filter(({ mobile, atMs }) => {
      const isClaimed = table.get(mobile)?.ownership.owner !== self;
      const isGivenUp = !isClaimed && atMs < now.monotonicMs - CLAIM_TIMEOUT_MS;
      if (isClaimed) pass.moved++;
      if (isGivenUp) pass.unclaimed++;
      return !(isClaimed || isGivenUp);
    });
  }

  #giveSome(pass: Pass, now: Now): void {
    const { table, candidates, send, self } = this.#options;
    const loads = new Map(candidates(now));
    const pages = new Map<MemberId, string[]>();
    for (let looked = 0; looked < LOOK_CHUNK && pass.given.length < CHUNK && pass.examined < pass.bindings; looked++) {
      const next = pass.rest.next();
      // Bindings that have gone meanwhile are not seen: then there are fewer than there were.
      pass.examined = next.done ? pass.bindings : pass.examined + 1;
      const row = next.done ? undefined : table.get(next.value);
      const receiver = row && this.#receiver(row, loads);
      if (row === undefined || receiver === undefined || receiver === self) continue;
      push(pages, receiver, encodeBindingRow(row));
      addLoad(loads, receiver);
      pass.given.push({ mobile: row.mobile, atMs: now.monotonicMs });
    }
    for (const [receiver, rows] of pages) send(receiver, { type: "handover", rows });
  }

  #receiver(row: Binding, loads: ReadonlyMap<MemberId, Candidate>): MemberId | undefined {
    if (this.draining) return leastLoaded(row.ownership.backups, takers(loads));
    return this.#options.placement.rank(row.mobile).find((member) => loads.get(member)?.acceptsNewMobiles);
  }
}
