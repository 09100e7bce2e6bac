import fc from "fast-check";
import { expect, test } from "vitest";
import { prefixesOf } from "../../../src/adapters/dataplane/homes.ts";
import { formatPrefix, type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";

test.each([
  ["10.64.1.0", "10.64.1.255", ["10.64.1.0/24"]],
  ["10.64.1.1", "10.64.1.6", ["10.64.1.1/32", "10.64.1.2/31", "10.64.1.4/31", "10.64.1.6/32"]],
  ["0.0.0.0", "255.255.255.255", ["0.0.0.0/0"]],
  ["10.64.1.9", "10.64.1.9", ["10.64.1.9/32"]],
])("the networks from %s to %s are the largest there are", (first, last, expected) => {
  expect(prefixesOf({ first: ipv4(first), last: ipv4(last) }).map(formatPrefix)).toEqual(expected);
});

test("the networks of a range are all of its addresses, one after the other", () => {
  const address = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(address, address, (one, other) => {
      const [first, last] = [Math.min(one, other), Math.max(one, other)];
      let next = first;
      for (const prefix of prefixesOf({ first: first as Ipv4Address, last: last as Ipv4Address })) {
        expect(prefix.address).toBe(next);
        next += 2 ** (32 - prefix.length);
      }
      expect(next).toBe(last + 1);
    }),
  );
});
