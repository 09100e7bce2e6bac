/**
 * This member's slice of the dynamic home addresses (RFC 2794 1): which are taken, and which are reserved for a mobile that
 * may return.
 */

import type { Binding } from "../bindings/binding.ts";
import { expiryMs, isTombstone } from "../bindings/mobility-bindings.ts";
import { type Ipv4Address, type Ipv4Range, rangeContains } from "../wire/ipv4.ts";

const WORD_BITS = 32;
const FULL_WORD = 0xffffffff;
const RELEASE_BUCKET_MS = 60_000;

/** A range of the slice, with the place of its first address in the bitmap. */
interface Segment {
  readonly range: Ipv4Range;
  readonly start: number;
}

export class AddressPool {
  readonly #segments: readonly Segment[];
  readonly #size: number;
  readonly #isUsable: (address: Ipv4Address) => boolean;
  /** One bit per address, set if it can't be given to a new mobile. */
  readonly #occupied: Uint32Array;
  /** Where to look first: after the address taken last, so that a released one rests as long as possible. */
  #cursor = 0;
  /** Rows whose mobile has gone while its home address is reserved, by the minute of their release. */
  readonly #released = new Map<number, Map<Ipv4Address, Binding>>();

  /** `isUsable`: of the addresses in `ranges`, which may be home addresses at all. */
  constructor(ranges: readonly Ipv4Range[], isUsable: (address: Ipv4Address) => boolean) {
    const segments: Segment[] = [];
    let size = 0;
    for (const range of ranges) {
      segments.push({ range, start: size });
      size += range.last - range.first + 1;
    }
    this.#segments = segments;
    this.#size = size;
    this.#isUsable = isUsable;
    this.#occupied = new Uint32Array(Math.ceil(size / WORD_BITS));
    for (const { range, start } of segments) {
      for (let offset = 0; offset <= range.last - range.first; offset++) {
        if (!isUsable((range.first + offset) as Ipv4Address)) this.#mark(start + offset, true);
      }
    }
  }

  contains(address: Ipv4Address): boolean {
    return this.#indexOf(address) !== undefined;
  }

  /** Returns an address that no row has. `isHeld` also excludes holders that `rowChanged` was not told of. */
  nextFree(isHeld: (address: Ipv4Address) => boolean): Ipv4Address | undefined {
    for (const index of this.#freeIndices()) {
      const address = this.#addressAt(index);
      if (address !== undefined && !isHeld(address)) return address;
    }
    return undefined;
  }

  /** The row whose home address has been reserved for the longest time (to the minute) since its mobile went. */
  oldestReleased(): Binding | undefined {
    let oldestMinute: number | undefined;
    for (const minute of this.#released.keys()) {
      if (oldestMinute === undefined || minute < oldestMinute) oldestMinute = minute;
    }
    return oldestMinute === undefined ? undefined : this.#released.get(oldestMinute)?.values().next().value;
  }

  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    if (before !== undefined) this.#setOccupied(before, false);
    if (after === undefined) return;
    this.#setOccupied(after, true);
    const index = this.#indexOf(after.homeAddress);
    if (index !== undefined && after.homeAddress !== before?.homeAddress) this.#cursor = index + 1;
  }

  #setOccupied(row: Binding, occupied: boolean): void {
    const index = this.#indexOf(row.homeAddress);
    if (index === undefined || !this.#isUsable(row.homeAddress)) return;
    this.#mark(index, occupied);
    if (!row.dynamic || !isTombstone(row)) return;
    const minute = Math.floor(releasedAtMs(row) / RELEASE_BUCKET_MS);
    const bucket = this.#released.get(minute) ?? new Map<Ipv4Address, Binding>();
    if (occupied) bucket.set(row.homeAddress, row);
    else bucket.delete(row.homeAddress);
    if (bucket.size === 0) this.#released.delete(minute);
    else this.#released.set(minute, bucket);
  }

  /** From the cursor to the end, then from the start to the cursor. */
  *#freeIndices(): Generator<number> {
    yield* this.#freeIndicesBetween(this.#cursor, this.#size);
    yield* this.#freeIndicesBetween(0, Math.min(this.#cursor, this.#size));
  }

  *#freeIndicesBetween(first: number, end: number): Generator<number> {
    let index = first;
    while (index < end) {
      const word = this.#occupied[Math.floor(index / WORD_BITS)] ?? FULL_WORD;
      if (word === FULL_WORD) {
        index = (Math.floor(index / WORD_BITS) + 1) * WORD_BITS;
        continue;
      }
      if ((word & (1 << (index % WORD_BITS))) === 0) yield index;
      index++;
    }
  }

  #mark(index: number, occupied: boolean): void {
    const wordIndex = Math.floor(index / WORD_BITS);
    const bit = 1 << (index % WORD_BITS);
    const word = this.#occupied[wordIndex] ?? 0;
    this.#occupied[wordIndex] = occupied ? word | bit : word & ~bit;
  }

  #indexOf(address: Ipv4Address): number | undefined {
    const segment = this.#segments.find(({ range }) => rangeContains(range, address));
    return segment === undefined ? undefined : segment.start + (address - segment.range.first);
  }

  #addressAt(index: number): Ipv4Address | undefined {
    const segment = this.#segments.findLast(({ start }) => start <= index);
    return segment === undefined ? undefined : ((segment.range.first + (index - segment.start)) as Ipv4Address);
  }
}

/** When the mobile deregistered, or when its last registration ran out. */
function releasedAtMs(tombstone: Binding): number {
  const { acceptedAtMs, lifetimeSeconds } = tombstone.registration;
  return expiryMs(acceptedAtMs, lifetimeSeconds);
}
