import type { Ipv4Address, Ipv4Range } from "../wire/ipv4.ts";

/** Something that is configured for a range of addresses. */
export interface RangeEntry<Item> {
  readonly range: Ipv4Range;
  readonly item: Item;
}

/**
 * Finds all ranges that contain an address, however many there are and however they overlap, in O(log n + found).
 *
 * The entries, sorted by their first address, are read as a balanced binary tree (the middle one of a span is its root),
 * and each root knows the highest last address in its span, so that spans which end too early are never entered.
 */
export class RangeIndex<Item> {
  /** By first, then last address; equal ranges in the order given to the constructor. */
  readonly entries: readonly RangeEntry<Item>[];
  readonly #highestLast: Uint32Array;

  constructor(entries: readonly RangeEntry<Item>[]) {
    this.entries = entries.toSorted((a, b) => a.range.first - b.range.first || a.range.last - b.range.last);
    this.#highestLast = new Uint32Array(entries.length);
    this.#summarize(0, entries.length);
  }

  /** Narrowest range first; among equal ranges, in the order given to the constructor. */
  containing(address: Ipv4Address): Item[] {
    const found: RangeEntry<Item>[] = [];
    this.#collect(address, 0, this.entries.length, found);
    if (found.length > 1) found.sort((a, b) => width(a.range) - width(b.range));
    return found.map((entry) => entry.item);
  }

  #summarize(start: number, end: number): number {
    if (start >= end) return 0;
    const root = (start + end) >>> 1;
    const last = this.entries[root]?.range.last ?? 0;
    const highest = Math.max(last, this.#summarize(start, root), this.#summarize(root + 1, end));
    this.#highestLast[root] = highest;
    return highest;
  }

  #collect(address: Ipv4Address, start: number, end: number, found: RangeEntry<Item>[]): void {
    const root = (start + end) >>> 1;
    const entry = this.entries[root];
    if (start >= end || entry === undefined || (this.#highestLast[root] ?? 0) < address) return;
    this.#collect(address, start, root, found);
    if (entry.range.first > address) return;
    if (entry.range.last >= address) found.push(entry);
    this.#collect(address, root + 1, end, found);
  }
}

function width(range: Ipv4Range): number {
  return range.last - range.first;
}
