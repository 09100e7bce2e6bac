import { createSecretKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  ADDRESS_SLOTS,
  type Candidate,
  chooseOwner,
  Placement,
  placedBy,
} from "../../../src/core/members/placement.ts";
import type { MobileKey } from "../../../src/core/names.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const key = createSecretKey(new Uint8Array(32).fill(7));

function members(...weights: number[]) {
  return weights.map((weight, index) => ({ id: `ha${index + 1}`, weight, pool: [] }));
}

function mobiles(count: number): MobileKey[] {
  return Array.from({ length: count }, (_, index): MobileKey => `nai:user${index}@example.com`);
}

function candidates(...list: (Partial<Candidate> & { id: string })[]): Map<string, Candidate> {
  return new Map(
    list.map((one) => [one.id, { weight: 100, acceptsNewMobiles: true, canStore: true, ownedBindings: 0, ...one }]),
  );
}

describe("the ranking of members", () => {
  it("is the same whatever the order of the configuration, so that all members agree without talking", () => {
    const forwards = new Placement(key, members(100, 100, 100, 100));
    const backwards = new Placement(key, members(100, 100, 100, 100).reverse());
    for (const mobile of mobiles(100)) expect(backwards.rank(mobile)).toEqual(forwards.rank(mobile));
  });

  it("is the same after thousands of other mobiles were asked for", () => {
    const placement = new Placement(key, members(100, 50, 200, 100));
    const before = mobiles(6000).map((mobile) => placement.rank(mobile));
    for (const [index, mobile] of mobiles(6000).entries()) expect(placement.rank(mobile)).toEqual(before[index]);
  });

  it("spreads mobiles by weight", () => {
    const placement = new Placement(key, members(100, 100, 200));
    const counts = new Map<string, number>();
    for (const mobile of mobiles(8000)) {
      const [first = ""] = placement.rank(mobile);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    expect(counts.get("ha1")).toBeGreaterThan(1800);
    expect(counts.get("ha1")).toBeLessThan(2200);
    expect(counts.get("ha3")).toBeGreaterThan(3700);
    expect(counts.get("ha3")).toBeLessThan(4300);
  });

  it("moves only the mobiles of the member that goes", () => {
    const three = new Placement(key, members(100, 100, 100));
    const two = new Placement(key, members(100, 100));
    for (const mobile of mobiles(500)) {
      const [before] = three.rank(mobile);
      if (before !== "ha3") expect(two.rank(mobile)[0]).toBe(before);
    }
  });

  it("depends on the key, so that nobody without it can choose where an identifier lands", () => {
    const other = new Placement(createSecretKey(new Uint8Array(32).fill(8)), members(100, 100, 100));
    const placement = new Placement(key, members(100, 100, 100));
    const same = mobiles(300).filter((mobile) => other.rank(mobile)[0] === placement.rank(mobile)[0]);
    expect(same.length).toBeLessThan(200);
  });

  it("is one for all home addresses of a slot, and spreads the slots by weight", () => {
    const placement = new Placement(key, members(100, 100, 200));
    expect(placement.rank("ip:10.65.7.9")).toEqual(placement.rank("ip:10.64.7.9"));
    const counts = [0, 0, 0];
    const table = placement.slotTable(2);
    for (let slot = 0; slot < ADDRESS_SLOTS; slot++) {
      const [first = 0, second = 0] = table.subarray(2 * slot);
      counts[first] = (counts[first] ?? 0) + 1;
      if (slot % 97 > 0) continue;
      const ranking = placement.rank(`ip:10.64.${slot >> 8}.${slot & 255}`);
      expect([`ha${first + 1}`, `ha${second + 1}`]).toEqual(ranking.slice(0, 2));
    }
    const [first = 0, second = 0, third = 0] = counts;
    expect([first / 16_384, second / 16_384, third / 32_768].every((share) => share > 0.96 && share < 1.04)).toBe(true);
  });

  it("has nobody in the table behind the last member", () => {
    expect([...new Placement(key, members(100)).slotTable(3).subarray(0, 6)]).toEqual([0, 255, 255, 0, 255, 255]);
  });

  it("goes by the home address where there is one, by the key of the row else", () => {
    const mobile = "nai:user@example.com";
    expect(placedBy({ mobile, homeAddress: ipv4("10.64.1.1") })).toBe("ip:10.64.1.1");
    expect(placedBy({ mobile, homeAddress: ipv4("0.0.0.0") })).toBe(mobile);
  });

  it("puts the member first that handed the address out", () => {
    const slice = { first: ipv4("10.79.0.0"), last: ipv4("10.79.0.255") };
    const placement = new Placement(key, [...members(100, 100), { id: "ha3", weight: 1, pool: [slice] }]);
    expect(placement.rank("ip:10.79.0.17")[0]).toBe("ha3");
    expect(placement.rank("ip:10.79.0.255")[0]).toBe("ha3");
  });
});

describe("the choice of an owner", () => {
  const ranking = ["ha1", "ha2", "ha3"];

  it("is the first in rank", () => {
    expect(chooseOwner(ranking, candidates({ id: "ha1" }, { id: "ha2" }, { id: "ha3" }), 1.25)).toBe("ha1");
  });

  it("passes over members that are gone or take no new mobiles", () => {
    expect(chooseOwner(ranking, candidates({ id: "ha2", acceptsNewMobiles: false }, { id: "ha3" }), 1.25)).toBe("ha3");
  });

  it("passes over a member above its bound of the fair share", () => {
    const loads = candidates(
      { id: "ha1", ownedBindings: 130 },
      { id: "ha2", ownedBindings: 70 },
      { id: "ha3", ownedBindings: 100 },
    );
    expect(chooseOwner(ranking, loads, 1.25)).toBe("ha2");
    expect(chooseOwner(ranking, loads, 1.5)).toBe("ha1");
  });

  it("measures the bound by weight", () => {
    const loads = candidates({ id: "ha1", weight: 300, ownedBindings: 150 }, { id: "ha2", ownedBindings: 50 });
    expect(chooseOwner(ranking, loads, 1.25)).toBe("ha1");
  });

  it("is nobody where nobody takes new mobiles", () => {
    expect(chooseOwner(ranking, candidates({ id: "ha1", acceptsNewMobiles: false }), 1.25)).toBeUndefined();
  });
});
