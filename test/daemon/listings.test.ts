import { describe, expect, it } from "vitest";
import { Listings } from "../../src/daemon/listings.ts";

describe("listings in pages", () => {
  it("go on where they stopped, whatever changed in between", () => {
    const rows = new Map([1, 2, 3, 4].map((key) => [key, key]));
    const listings = new Listings<Iterator<number>>();
    const begun = rows.values();
    begun.next();
    const cursor = listings.keep(begun);
    rows.delete(1);
    rows.set(5, 5);
    expect([...(listings.take(cursor) as IterableIterator<number>)]).toEqual([2, 3, 4, 5]);
  });

  it("are continued once", () => {
    const listings = new Listings<number>();
    const cursor = listings.keep(7);
    expect([listings.take(cursor), listings.take(cursor)]).toEqual([7, undefined]);
  });

  it("are bounded in number: the oldest is forgotten", () => {
    const listings = new Listings<number>();
    const cursors = Array.from({ length: 33 }, (_, index) => listings.keep(index));
    expect(listings.take(cursors[0] ?? "")).toBeUndefined();
    expect(listings.take(cursors[1] ?? "")).toBe(1);
  });
});
