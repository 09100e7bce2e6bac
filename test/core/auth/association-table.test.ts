import { describe, expect, test } from "vitest";
import type { ForeignAgentAssociation, MobileAssociation, MobileSelector } from "../../../src/core/auth/association.ts";
import { AssociationTable, DuplicateAssociationError } from "../../../src/core/auth/association-table.ts";
import { type Ipv4Address, ipv4, parsePrefix, UNSPECIFIED } from "../../../src/core/wire/ipv4.ts";

function addresses(first: string, last = first): MobileSelector {
  return { by: "home-addresses", range: { first: ipv4(first), last: ipv4(last) } };
}

function ofMobile(mobiles: MobileSelector, spi = 256): MobileAssociation {
  const key = new Uint8Array(16);
  return { spi, algorithm: "hmac-md5", key, replay: { style: "timestamps", windowMs: 7000 }, mobiles };
}

function ofForeignAgent(network: string, spi = 300): ForeignAgentAssociation {
  const foreignAgents = parsePrefix(network);
  if (foreignAgents === undefined) throw new TypeError(network);
  return { spi, algorithm: "hmac-md5", key: new Uint8Array(16), foreignAgents };
}

const at = (homeAddress: string, nai?: string) => ({ homeAddress: ipv4(homeAddress), nai });
const named = (nai: string) => ({ homeAddress: UNSPECIFIED, nai });

describe("which association a mobile means by an SPI", () => {
  const alice = ofMobile({ by: "nai", nai: "alice@Example.com" });
  const bob = ofMobile(addresses("10.64.1.5"));
  const few = ofMobile(addresses("10.64.1.0", "10.64.1.15"));
  const many = ofMobile(addresses("10.64.0.0", "10.79.255.255"));
  const realm = ofMobile({ by: "realm", realm: "example.COM" });
  const oldRealm = ofMobile({ by: "realm", realm: "example.com" }, 257);
  // From the least specific to the most, so that the order of the list cannot be what decides.
  const table = new AssociationTable([realm, oldRealm, many, few, bob, alice], []);

  test.each([
    ["its NAI before all else", at("10.64.1.5", "alice@example.com"), 256, alice],
    ["the realm's case does not count", named("alice@EXAMPLE.com"), 256, alice],
    ["the user's case does, so this is someone else of the realm", named("Alice@example.com"), 256, realm],
    ["its home address", at("10.64.1.5", "carol@example.com"), 256, bob],
    ["the narrowest range", at("10.64.1.15"), 256, few],
    ["a wider range", at("10.64.1.16"), 256, many],
    ["the last address of a range", at("10.79.255.255"), 256, many],
    ["the realm when no address matches", at("192.0.2.1", "carol@example.com"), 256, realm],
    ["a less specific one when only that has the SPI", at("10.64.1.5", "alice@example.com"), 257, oldRealm],
    ["no range contains 'no home address yet'", at("0.0.0.0"), 256, undefined],
    ["nobody knows the SPI", at("10.64.1.5", "alice@example.com"), 258, undefined],
    ["nobody knows the address", at("10.80.0.0"), 256, undefined],
    ["nobody knows the realm", named("alice@other.example"), 256, undefined],
    ["a subdomain is another realm", named("alice@sub.example.com"), 256, undefined],
    ["a user without a realm", named("alice"), 256, undefined],
  ])("%s", (_why, identity, spi, expected) => {
    expect(table.mobile(identity, spi)).toBe(expected);
  });

  test("a mobile is known by any of its associations, whatever the SPI", () => {
    expect(table.knowsMobile(at("10.70.0.1"))).toBe(true);
    expect(table.knowsMobile(named("zoe@example.com"))).toBe(true);
    expect(table.knowsMobile(at("192.0.2.1", "zoe@other.example"))).toBe(false);
    expect(table.knowsMobile(named(""))).toBe(false);
  });

  test("to sign with when the mobile's own choice failed: the most specific, the older of equals", () => {
    expect(table.anyForMobile(at("10.64.1.5", "alice@example.com"))).toBe(alice);
    expect(table.anyForMobile(at("10.64.1.5"))).toBe(bob);
    expect(table.anyForMobile(named("zoe@example.com"))).toBe(realm);
    expect(table.anyForMobile(at("192.0.2.1"))).toBeUndefined();
  });
});

test("a range that contains 0.0.0.0 is not for mobiles without a home address", () => {
  const everyone = ofMobile(addresses("0.0.0.0", "255.255.255.255"));
  const table = new AssociationTable([everyone], []);
  expect(table.mobile(at("255.255.255.255"), 256)).toBe(everyone);
  expect(table.mobile(named("alice@example.com"), 256)).toBeUndefined();
});

describe("foreign agents are found by source address and SPI", () => {
  const network = ofForeignAgent("192.0.2.0/24");
  const older = ofForeignAgent("192.0.2.9/32");
  const newer = ofForeignAgent("192.0.2.9/32", 301);
  const table = new AssociationTable([], [network, older, newer]);

  test.each([
    ["192.0.2.9", 300, older],
    ["192.0.2.9", 301, newer],
    ["192.0.2.255", 300, network],
    ["192.0.2.8", 301, undefined],
    ["192.0.3.0", 300, undefined],
  ])("%s, SPI %i", (address, spi, expected) => {
    expect(table.foreignAgent(ipv4(address), spi)).toBe(expected);
  });

  test("without an SPI it is the most specific, the older of equals", () => {
    expect(table.foreignAgentDefault(ipv4("192.0.2.9"))).toBe(older);
    expect(table.foreignAgentDefault(ipv4("192.0.2.8"))).toBe(network);
    expect(table.knowsForeignAgent(ipv4("192.0.2.8"))).toBe(true);
    expect(table.knowsForeignAgent(ipv4("198.51.100.1"))).toBe(false);
  });
});

describe("two associations that no request could tell apart are refused, and both are named", () => {
  const other = ofMobile(addresses("10.0.0.1"));
  test.each([
    ["NAI", ofMobile({ by: "nai", nai: "a@b.c" }), ofMobile({ by: "nai", nai: "a@B.C" }), /nai a@b\.c, SPI 256/],
    ["realm", ofMobile({ by: "realm", realm: "b.c" }), ofMobile({ by: "realm", realm: "B.c" }), /realm b\.c, SPI 256/],
    [
      "range",
      ofMobile(addresses("10.0.1.0", "10.0.1.9"), 300),
      ofMobile(addresses("10.0.1.0", "10.0.1.9"), 300),
      /10\.0\.1\.0-10\.0\.1\.9, SPI 300/,
    ],
  ])("by %s", (_selector, one, two, message) => {
    const between = { ...one, spi: 999 };
    const construct = () => new AssociationTable([other, one, between, two], []);
    expect(construct).toThrow(message);
    expect(construct).toThrow(DuplicateAssociationError);
    expect(construct).toThrow(expect.objectContaining({ list: "mobiles", firstIndex: 1, secondIndex: 3 }));
  });

  test("of foreign agents", () => {
    const construct = () => new AssociationTable([], [ofForeignAgent("192.0.2.0/24"), ofForeignAgent("192.0.2.0/24")]);
    expect(construct).toThrow(expect.objectContaining({ list: "foreign-agents", firstIndex: 0, secondIndex: 1 }));
  });

  test("but the same selector may have several SPIs, and ranges may overlap", () => {
    const associations = [
      ofMobile(addresses("10.0.0.0", "10.0.0.9")),
      ofMobile(addresses("10.0.0.0", "10.0.0.9"), 257),
      ofMobile(addresses("10.0.0.5", "10.0.0.12")),
      ofMobile(addresses("10.0.0.0", "10.0.0.12")),
    ];
    expect(() => new AssociationTable(associations, [])).not.toThrow();
  });
});

test("many mobiles and ranges are all found", () => {
  const single = (index: number) => (0x0a000000 + index * 7) as Ipv4Address;
  const range = (index: number) => ({
    first: (0x14000000 + index * 10) as Ipv4Address,
    last: (0x14000000 + index * 10 + 500) as Ipv4Address,
  });
  const mobiles = Array.from({ length: 20_000 }, (_, index) =>
    ofMobile({ by: "home-addresses", range: { first: single(index), last: single(index) } }),
  );
  const ranges = Array.from({ length: 3000 }, (_, index) =>
    ofMobile({ by: "home-addresses", range: range(index) }, 1000 + index),
  );
  const table = new AssociationTable([...mobiles, ...ranges], []);
  for (const [index, mobile] of mobiles.entries()) {
    expect(table.mobile({ homeAddress: single(index), nai: undefined }, 256)).toBe(mobile);
  }
  for (const [index, association] of ranges.entries()) {
    const { first, last } = range(index);
    expect(table.mobile({ homeAddress: first, nai: undefined }, association.spi)).toBe(association);
    expect(table.mobile({ homeAddress: last, nai: undefined }, association.spi)).toBe(association);
  }
});
