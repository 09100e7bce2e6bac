import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  directedBroadcast,
  formatEndpoint,
  formatIpv4,
  formatPrefix,
  ipv4,
  parseIpv4,
  parsePrefix,
  prefixContains,
  rangeContains,
} from "../../../src/core/wire/ipv4.ts";
import { address } from "./arbitraries.ts";

describe("addresses", () => {
  test("are unsigned numbers", () => {
    expect(parseIpv4("0.0.0.0")).toBe(0);
    expect(parseIpv4("10.64.0.1")).toBe(0x0a400001);
    expect(parseIpv4("255.255.255.255")).toBe(0xffffffff);
    expect(formatEndpoint({ address: ipv4("224.0.0.11"), port: 434 })).toBe("224.0.0.11:434");
  });

  test.each(["", "10.64.0", "10.64.0.256", "10.64.0.1 ", "010.64.0.1", "10.64.0.1/32", "::1", "ten"])(
    "not %j",
    (text) => {
      expect(parseIpv4(text)).toBeUndefined();
      expect(() => ipv4(text)).toThrow(TypeError);
    },
  );

  test("come back from their text", () => {
    fc.assert(fc.property(address, (value) => parseIpv4(formatIpv4(value)) === value));
  });
});

describe("prefixes", () => {
  test.each([
    ["0.0.0.0/0", "255.255.255.255", true, "255.255.255.255"],
    ["10.64.0.0/12", "10.79.255.254", true, "10.79.255.255"],
    ["10.64.0.0/12", "10.80.0.0", false, "10.79.255.255"],
    ["192.0.2.128/25", "192.0.2.127", false, "192.0.2.255"],
    ["192.0.2.1/32", "192.0.2.1", true, "192.0.2.1"],
    ["192.0.2.1/32", "192.0.2.0", false, "192.0.2.1"],
  ])("%s and %s", (text, inside, contained, broadcast) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error("not parsed");
    expect(formatPrefix(prefix)).toBe(text);
    expect(prefixContains(prefix, ipv4(inside))).toBe(contained);
    expect(formatIpv4(directedBroadcast(prefix))).toBe(broadcast);
  });

  test.each([
    "10.64.0.0",
    "10.64.0.0/33",
    "10.64.0.0/-1",
    "10.64.0.0/08",
    "10.64.0.0/12/3",
    "10.64.0.1/12",
    "/12",
    "10.64.0.0/",
  ])("not %j", (text) => expect(parsePrefix(text)).toBeUndefined());
});

test("a range contains both of its ends", () => {
  const range = { first: ipv4("10.0.0.1"), last: ipv4("10.0.0.3") };
  const contained = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map((text) =>
    rangeContains(range, ipv4(text)),
  );
  expect(contained).toEqual([false, true, true, true, false]);
});
