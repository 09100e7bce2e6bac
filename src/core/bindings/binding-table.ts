/**
 * All bindings that this member holds, as their owner or as a backup: in memory, with every change in the journal.
 */

import type { MemberId, MobileIdentity, MobileKey } from "../names.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import type { Binding } from "./binding.ts";
import { encodeBindingRow } from "./binding-row.ts";
import { ExpiryWheel } from "./expiry-wheel.ts";
import type { Journal } from "./journal.ts";
import { MobileTable } from "./mobile-table.ts";
import { addressClaim, hasAddressBefore, isTombstone, nextChangeMs } from "./mobility-bindings.ts";
import type { StoreChange } from "./row-change.ts";

/** Told about every change of a row, whatever its cause. */
export type RowListener = (before: Binding | undefined, after: Binding | undefined) => void;

interface OwnedRows {
  readonly mobiles: Set<MobileKey>;
  tombstones: number;
}

export class BindingTable {
  readonly #journal: Journal;
  readonly #listeners: RowListener[] = [];
  readonly #rows = new MobileTable<Binding>((a, b) => hasAddressBefore(addressClaim(a), addressClaim(b)));
  readonly #due = new ExpiryWheel<MobileKey>();
  readonly #byOwner = new Map<MemberId, OwnedRows>();
  /** Log position of each row's last change; rows without one were on disk at start. */
  readonly #positions = new Map<MobileKey, number>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  listen(listener: RowListener): void {
    this.#listeners.push(listener);
  }

  get(mobile: MobileKey): Binding | undefined {
    return this.#rows.get(mobile);
  }

  /** Tombstones included. */
  find(identity: MobileIdentity): Binding | undefined {
    return this.#rows.find(identity);
  }

  findByHomeAddress(address: Ipv4Address): Binding | undefined {
    return this.#rows.findByHomeAddress(address);
  }

  /** All mobiles that are said to have the address; more than one until that is settled. */
  allByHomeAddress(address: Ipv4Address): Binding[] {
    return this.#rows.allByHomeAddress(address);
  }

  values(): IterableIterator<Binding> {
    return this.#rows.values();
  }

  /**
   * Keys of the rows that `owner` owns, in the order in which they became its own. Live: rows that change hands leave it
   * while it is read.
   */
  ownedBy(owner: MemberId): ReadonlySet<MobileKey> {
    return this.#byOwner.get(owner)?.mobiles ?? new Set();
  }

  /** All members that own a row held here. */
  get owners(): MemberId[] {
    return [...this.#byOwner].filter(([, { mobiles }]) => mobiles.size > 0).map(([owner]) => owner);
  }

  /** Rows of `owner` with a care-of address. */
  liveCount(owner: MemberId): number {
    const owned = this.#byOwner.get(owner);
    return owned === undefined ? 0 : owned.mobiles.size - owned.tombstones;
  }

  tombstoneCount(owner: MemberId): number {
    return this.#byOwner.get(owner)?.tombstones ?? 0;
  }

  /** Rows in all. */
  get size(): number {
    return this.#rows.size;
  }

  positionOf(mobile: MobileKey): number {
    return this.#positions.get(mobile) ?? 0;
  }

  /** A row that is on disk already, or a change that needn't be: it follows from the row and the time. */
  keep(row: Binding): void {
    this.#replace(this.#rows.get(row.mobile), row);
  }

  /** Returns the log position. */
  put(...rows: readonly Binding[]): number {
    for (const row of rows) this.#replace(this.#rows.get(row.mobile), row);
    const position = this.#journal.append(...rows.map(changeTo));
    // What the store can't accept now is written when it has recovered.
    const writtenAt = this.#journal.writable ? position : Number.POSITIVE_INFINITY;
    for (const { mobile } of rows) this.#positions.set(mobile, writtenAt);
    return position;
  }

  delete(mobile: MobileKey): void {
    this.#replace(this.#rows.get(mobile), undefined);
    this.#journal.append({ table: "binding", key: mobile, row: null });
    if (this.#journal.writable) this.#positions.delete(mobile);
    else this.#positions.set(mobile, Number.POSITIVE_INFINITY);
  }

  /**
   * Takes back, in memory, a change of which a failed store doesn't tell whether it has it: both may be on disk, or
   * neither.
   */
  undo(mobile: MobileKey, before: Binding | undefined): void {
    this.#replace(this.#rows.get(mobile), before);
    this.#positions.set(mobile, Number.POSITIVE_INFINITY);
  }

  /** Writes again what a failed store may have lost, and deletes what it may have kept. */
  rewrite(): void {
    for (const [mobile, position] of this.#positions) {
      if (this.#journal.isDurable(position)) continue;
      const row = this.#rows.get(mobile);
      if (row !== undefined) this.#positions.set(mobile, this.#journal.append(changeTo(row)));
      else {
        this.#journal.append({ table: "binding", key: mobile, row: null });
        this.#positions.delete(mobile);
      }
    }
  }

  /** Rows that time has changed since they were last looked at. */
  takeDue(wallMs: number): Binding[] {
    return this.#due
      .takeDue(wallMs)
      .map((mobile) => this.#rows.get(mobile))
      .filter((row) => row !== undefined);
  }

  /** Looks at a row again at this time; epoch ms. */
  lookAgainAt(mobile: MobileKey, wallMs: number): void {
    this.#due.set(mobile, wallMs);
  }

  get nextDueMs(): number {
    return this.#due.nextDueMs;
  }

  #replace(before: Binding | undefined, after: Binding | undefined): void {
    if (before !== undefined) {
      const owned = this.#ownedRows(before.ownership.owner);
      // A row that stays with its owner keeps its place, so that reading the set in portions comes to an end.
      if (after?.ownership.owner !== before.ownership.owner) owned.mobiles.delete(before.mobile);
      if (isTombstone(before)) owned.tombstones--;
    }
    if (after === undefined) {
      if (before !== undefined) {
        this.#rows.delete(before.mobile);
        this.#due.clear(before.mobile);
      }
    } else {
      this.#rows.put(after);
      this.#due.set(after.mobile, nextChangeMs(after));
      const owned = this.#ownedRows(after.ownership.owner);
      owned.mobiles.add(after.mobile);
      if (isTombstone(after)) owned.tombstones++;
    }
    for (const listener of this.#listeners) listener(before, after);
  }

  #ownedRows(owner: MemberId): OwnedRows {
    let owned = this.#byOwner.get(owner);
    if (owned === undefined) {
      owned = { mobiles: new Set(), tombstones: 0 };
      this.#byOwner.set(owner, owned);
    }
    return owned;
  }
}

function changeTo(row: Binding): StoreChange {
  return { table: "binding", key: row.mobile, row: encodeBindingRow(row) };
}
