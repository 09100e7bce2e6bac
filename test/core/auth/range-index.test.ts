import fc from "fast-check";
import { expect, test } from "vitest";
import { RangeIndex } from "../../../src/core/auth/range-index.ts";
import { type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { address } from "../wire/arbitraries.ts";

/** Few addresses, so that ranges overlap, nest and coincide; and the ends of the address space. */
const crowded = fc.oneof(
  fc.nat(40).map((value) => value as Ipv4Address),
  fc.nat(3).map((value) => (0xffffffff - value) as Ipv4Address),
  address,
);

const range = fc.tuple(crowded, crowded).map(([a, b]) => ({
  first: Math.min(a, b) as Ipv4Address,
  last: Math.max(a, b) as Ipv4Address,
}));

test("finds exactly the ranges that a look at each of them finds, narrowest first, then as given", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 60 }), crowded, (ranges, wanted) => {
      const entries = ranges.map((each, item) => ({ range: each, item }));
      const expected = entries
        .filter(({ range: { first, last } }) => first <= wanted && wanted <= last)
        .toSorted(
          (a, b) => a.range.last - a.range.first - (b.range.last - b.range.first) || a.range.first - b.range.first,
        )
        .map(({ item }) => item);
      expect(new RangeIndex(entries).containing(wanted)).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});

test("an empty index finds nothing", () => {
  expect(new RangeIndex([]).containing(ipv4("10.0.0.1"))).toEqual([]);
});
