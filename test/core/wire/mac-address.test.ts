import fc from "fast-check";
import { expect, test } from "vitest";
import { formatMac, parseMac } from "../../../src/core/wire/mac-address.ts";

test("a MAC address is read in either case and written in lower case, with all its zeros", () => {
  const mac = parseMac("02:00:0A:bc:00:01");
  expect(mac).toBe(0x0200_0abc_0001);
  expect(mac && formatMac(mac)).toBe("02:00:0a:bc:00:01");
});

test.each([
  ["nobody's", "00:00:00:00:00:00"],
  ["everybody's", "ff:ff:ff:ff:ff:ff"],
  ["a group's", "01:00:5e:00:00:05"],
  ["too short", "02:00:00:00:01"],
  ["too long", "02:00:00:00:00:00:01"],
  ["not hexadecimal", "02:00:00:00:00:0g"],
  ["nothing", ""],
])("%s is no MAC address of a station: %s", (_, text) => {
  expect(parseMac(text)).toBeUndefined();
});

test("every MAC address of a station is read as it is written", () => {
  const octets = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => {
    bytes[0] = (bytes[0] ?? 0) & 0xfe;
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  });
  fc.assert(
    fc.property(octets, (text) => {
      const mac = parseMac(text);
      expect(mac === undefined ? "00:00:00:00:00:00" : formatMac(mac)).toBe(text);
    }),
  );
});
