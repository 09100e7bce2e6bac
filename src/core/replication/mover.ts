/**
 * Gives bindings of ours away on purpose: all of them when this member drains or can't store, those that belong elsewhere
 * to balance the load. A member that can't store gives those first that are asked for.
 */

import type { Binding } from "../bindings/binding.ts";
import { encodeBindingRow } from "../bindings/binding-row.ts";
import type { BindingTable } from "../bindings/binding-table.ts";
import type { Membership } from "../members/membership.ts";
import { type Candidate, type Placement, placedBy } from "../members/placement.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import { addLoad, leastLoaded, push, takers } from "./designation.ts";
import { PAGE_ROWS } from "./peer-progress.ts";

/** In one go, so that registrations are not held up: bindings that are given away, and bindings that are looked at. */
const CHUNK = 200;
const LOOK_CHUNK = 2000;
const INTERVAL_MS = 50;
/** A member that was given a binding and has not claimed it by then did not get it, or doesn't want it. */
const CLAIM_TIMEOUT_MS = 2000;

/** One look at every binding that this member owned at its beginning. */
interface Pass {
  readonly rest: Iterator<MobileKey>;
  readonly bindings: number;
  /** All are to go; else those that belong elsewhere. */
  readonly givesAll: boolean;
  examined: number;
  moved: number;
  unclaimed: number;
  isOver: boolean;
}

export interface MoveProgress extends Pick<Pass, "bindings" | "examined" | "moved" | "unclaimed"> {
  readonly running: boolean;
}

export interface MoverOptions {
  readonly self: MemberId;
  readonly table: BindingTable;
  readonly membership: Membership;
  readonly placement: Placement;
  readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  /** There is a stream to it. */
  readonly isReachable: (member: MemberId) => boolean;
  readonly send: (to: MemberId, message: StreamMessage) => void;
}

export class Mover {
  draining = false;
  readonly #options: MoverOptions;
  #pass: Pass | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Given away and not claimed yet, the first first; monotonic ms. */
  readonly #given = new Map<MobileKey, number>();
  /** To be sent at the end of this turn. */
  readonly #pages = new Map<MemberId, Uint8Array[]>();
  /** With what was given in this turn. */
  #loads: Map<MemberId, Candidate> | undefined;

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
    return this.#givesAll || this.#pass?.isOver === false ? this.#nextMs : Number.POSITIVE_INFINITY;
  }

  start(): void {
    const { table, self } = this.#options;
    const owned = table.ownedBy(self);
    const counts = { bindings: owned.size, examined: 0, moved: 0, unclaimed: 0 };
    this.#pass = { rest: owned.values(), ...counts, givesAll: this.#givesAll, isOver: false };
  }

  work(now: Now): void {
    if (now.monotonicMs < this.nextDueMs) return;
    this.#nextMs = now.monotonicMs + INTERVAL_MS;
    if (this.#givesAll && this.#pass?.isOver !== false) this.start();
    if (this.#pass === undefined || this.#pass.isOver) return;
    this.#noteClaims(this.#pass, now);
    const isMoot = this.#pass.givesAll && !this.#givesAll;
    if (!isMoot) this.#giveSome(this.#pass, now);
    this.#pass.isOver = isMoot || (this.#pass.examined >= this.#pass.bindings && this.#given.size === 0);
  }

  /** Gives one binding away before all others, or has done so; false if no member can take it. */
  give(mobile: MobileKey, now: Now): boolean {
    if (this.isGiven(mobile, now)) return true;
    const row = this.#options.table.get(mobile);
    return row?.ownership.owner === this.#options.self && this.#give(row, now);
  }

  /** Whether it is on its way to a member that has not claimed it yet. */
  isGiven(mobile: MobileKey, now: Now): boolean {
    const atMs = this.#given.get(mobile);
    const isTimely = atMs !== undefined && atMs >= now.monotonicMs - CLAIM_TIMEOUT_MS;
    return isTimely && this.#isOurs(mobile);
  }

  flush(): void {
    for (const receiver of this.#pages.keys()) this.#sendPage(receiver);
    this.#loads = undefined;
  }

  get #givesAll(): boolean {
    return this.draining || !this.#options.membership.canStoreHere;
  }

  #isOurs(mobile: MobileKey): boolean {
    return this.#options.table.get(mobile)?.ownership.owner === this.#options.self;
  }

  /** Who claims a binding ships it to its former owner, among others. */
  #noteClaims(pass: Pass, now: Now): void {
    for (const mobile of this.#given.keys()) {
      if (this.isGiven(mobile, now)) continue;
      this.#given.delete(mobile);
      if (this.#isOurs(mobile)) pass.unclaimed++;
      else pass.moved++;
    }
  }

  #giveSome(pass: Pass, now: Now): void {
    const { table } = this.#options;
    for (let looked = 0; looked < LOOK_CHUNK && this.#given.size < CHUNK && pass.examined < pass.bindings; looked++) {
      const next = pass.rest.next();
      // Bindings that have gone meanwhile are not seen: then there are fewer than there were.
      pass.examined = next.done ? pass.bindings : pass.examined + 1;
      const row = next.done ? undefined : table.get(next.value);
      if (row !== undefined && !this.isGiven(row.mobile, now)) this.#give(row, now);
    }
  }

  #give(row: Binding, now: Now): boolean {
    this.#loads ??= new Map(this.#options.candidates(now));
    const receiver = this.#receiver(row, this.#loads);
    if (receiver === undefined || receiver === this.#options.self) return false;
    push(this.#pages, receiver, encodeBindingRow(row));
    addLoad(this.#loads, receiver);
    // Behind all that were given before it.
    this.#given.delete(row.mobile);
    this.#given.set(row.mobile, now.monotonicMs);
    if (this.#pages.get(receiver)?.length === PAGE_ROWS) this.#sendPage(receiver);
    return true;
  }

  #sendPage(receiver: MemberId): void {
    const rows = this.#pages.get(receiver) ?? [];
    this.#pages.delete(receiver);
    this.#options.send(receiver, { type: "handover", rows });
  }

  #receiver(row: Binding, loads: ReadonlyMap<MemberId, Candidate>): MemberId | undefined {
    const { membership, placement, isReachable } = this.#options;
    const { backups } = row.ownership;
    if (!membership.canStoreHere) {
      // Any member that can store serves it better than this one, with or without a copy of it, ready or not.
      const able = new Map([...loads].filter(([id, { canStore }]) => canStore && isReachable(id)));
      return leastLoaded(backups, takers(able)) ?? leastLoaded(backups, able) ?? leastLoaded([...able.keys()], able);
    }
    if (this.draining) return leastLoaded(backups, takers(loads));
    return placement.rank(placedBy(row)).find((member) => loads.get(member)?.acceptsNewMobiles);
  }
}
