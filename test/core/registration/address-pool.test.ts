import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { AddressPool } from "../../../src/core/registration/address-pool.ts";
import { type Ipv4Address, type Ipv4Range, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { KEYS, Rig, START_MS } from "./rig.ts";

const everything = () => true;
const nobody = () => false;

function range(first: string, last: string): Ipv4Range {
  return { first: ipv4(first), last: ipv4(last) };
}

/** A row of some mobile with a dynamic home address. */
const template: Binding = (() => {
  const { row } = new Rig().send({ nai: "bob@example.com", credential: KEYS.roaming });
  if (row === undefined) throw new Error("not registered");
  return row;
})();

function row(homeAddress: Ipv4Address, name = "bob"): Binding {
  return { ...template, mobile: `nai:${name}@example.com`, homeAddress };
}

function released(binding: Binding, atMs: number): Binding {
  const registration = { ...binding.registration, careOfAddresses: [], lifetimeSeconds: 0, acceptedAtMs: atMs };
  return { ...binding, registration };
}

describe("free addresses", () => {
  test("all addresses of all ranges are given out, and no other", () => {
    const pool = new AddressPool([range("10.0.0.250", "10.0.1.37"), range("10.9.9.9", "10.9.9.9")], everything);
    const given = new Set<Ipv4Address>();
    for (let address = pool.nextFree(nobody); address !== undefined; address = pool.nextFree(nobody)) {
      expect(given.has(address)).toBe(false);
      given.add(address);
      pool.rowChanged(undefined, row(address));
    }
    expect(given.size).toBe(45);
    expect([...given].every((address) => pool.contains(address))).toBe(true);
    expect(pool.contains(ipv4("10.0.1.38"))).toBe(false);
  });

  test("an address that was freed comes last", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.2")], everything);
    pool.rowChanged(undefined, row(ipv4("10.0.0.0")));
    pool.rowChanged(row(ipv4("10.0.0.0")), undefined);
    const order: Ipv4Address[] = [];
    for (let address = pool.nextFree(nobody); address !== undefined; address = pool.nextFree(nobody)) {
      order.push(address);
      pool.rowChanged(undefined, row(address));
    }
    expect(order).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.0"].map(ipv4));
  });

  test("asking for an address takes nothing", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.1")], everything);
    expect(pool.nextFree(nobody)).toBe(pool.nextFree(nobody));
  });

  test("an address that somebody is known to hold is passed over", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.1")], everything);
    expect(pool.nextFree((address) => address === ipv4("10.0.0.0"))).toBe(ipv4("10.0.0.1"));
    expect(pool.nextFree(everything)).toBeUndefined();
  });

  test("rows outside of the pool do not matter to it", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.0")], everything);
    pool.rowChanged(undefined, row(ipv4("10.0.0.1")));
    pool.rowChanged(row(ipv4("10.0.0.1")), undefined);
    expect(pool.nextFree(nobody)).toBe(ipv4("10.0.0.0"));
  });

  test("an unusable address does not become free when a row that has it goes", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.0")], nobody);
    pool.rowChanged(row(ipv4("10.0.0.0")), undefined);
    expect(pool.nextFree(nobody)).toBeUndefined();
  });

  test("a slice of a million addresses is searched by the word: its last free address is found", () => {
    const size = 1 << 20;
    const first = ipv4("10.0.0.0");
    const pool = new AddressPool([{ first, last: (first + size - 1) as Ipv4Address }], everything);
    for (let offset = 0; offset < size; offset++) {
      if (offset !== 777_777) pool.rowChanged(undefined, row((first + offset) as Ipv4Address));
    }
    expect(pool.nextFree(nobody)).toBe(first + 777_777);
  });
});

describe("released addresses", () => {
  const [first, second, third] = ["10.0.0.0", "10.0.0.1", "10.0.0.2"].map(ipv4) as [
    Ipv4Address,
    Ipv4Address,
    Ipv4Address,
  ];

  test("the one released first is taken back first, in whatever order the rows were loaded", () => {
    const rows = [
      released(row(first, "a"), START_MS + 5 * 60_000),
      released(row(second, "b"), START_MS + 3 * 60_000),
      released(row(third, "c"), START_MS + 4 * 60_000),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: 3 }), (loaded) => {
        const pool = new AddressPool([range("10.0.0.0", "10.0.0.2")], everything);
        for (const binding of loaded) pool.rowChanged(undefined, binding);
        const order: string[] = [];
        for (let oldest = pool.oldestReleased(); oldest !== undefined; oldest = pool.oldestReleased()) {
          order.push(oldest.mobile);
          pool.rowChanged(oldest, undefined);
        }
        expect(order).toEqual(["nai:b@example.com", "nai:c@example.com", "nai:a@example.com"]);
      }),
    );
  });

  test("a mobile that came back has not released its address", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.2")], everything);
    const tombstone = released(row(first), START_MS);
    pool.rowChanged(undefined, tombstone);
    expect(pool.oldestReleased()).toBe(tombstone);
    pool.rowChanged(tombstone, row(first));
    expect(pool.oldestReleased()).toBeUndefined();
  });

  test("a static mobile's address is never taken back", () => {
    const pool = new AddressPool([range("10.0.0.0", "10.0.0.2")], everything);
    pool.rowChanged(undefined, { ...released(row(first), START_MS), dynamic: false });
    expect(pool.oldestReleased()).toBeUndefined();
    expect(pool.nextFree(nobody)).toBe(second);
  });
});
