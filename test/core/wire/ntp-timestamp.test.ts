import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinIdentification, lowBits } from "../../../src/core/wire/identification.ts";
import { epochMsFromNtp, ntpFromEpochMs, timestampDifference } from "../../../src/core/wire/ntp-timestamp.ts";

const now = Date.UTC(2026, 10, 23, 4, 53, 59);
const eraChange = Date.UTC(2036, 1, 7, 6, 28, 16);

describe("NTP time", () => {
  test.each([
    ["the start of Unix time", 0, 0x83aa7e80_00000000n],
    ["half a second later", 500, 0x83aa7e80_80000000n],
    ["a quarter of a millisecond", 0.25, 0x83aa7e80_0010624en],
    ["the last second of era 0", eraChange - 1000, 0xffffffff_00000000n],
    ["the first second of era 1", eraChange, 0n],
    ["before 1970", -1000, 0x83aa7e7f_00000000n],
  ])("%s", (_what, epochMs, timestamp) => {
    expect(ntpFromEpochMs(epochMs)).toBe(timestamp);
    expect(epochMsFromNtp(timestamp, epochMs)).toBeCloseTo(epochMs, 3);
  });

  test("the golden message was made on 23 November 2026", () => {
    expect(new Date(epochMsFromNtp(0xeeae4567dcd51000n, now)).toISOString()).toBe("2026-11-23T04:53:59.862Z");
  });

  test("is read in the era that is nearest", () => {
    const justAfterTheChange = ntpFromEpochMs(eraChange + 5);
    expect(epochMsFromNtp(justAfterTheChange, eraChange - 1000)).toBeCloseTo(eraChange + 5, 3);
    expect(epochMsFromNtp(0xffffffff_00000000n, eraChange + 2000)).toBeCloseTo(eraChange - 1000, 3);
  });

  test("orders times on both sides of the era change", () => {
    const before = ntpFromEpochMs(eraChange - 1);
    const after = ntpFromEpochMs(eraChange + 1);
    expect(timestampDifference(after, before) > 0n).toBe(true);
    expect(timestampDifference(before, after) < 0n).toBe(true);
    expect(timestampDifference(after, after)).toBe(0n);
  });

  test("comes back within a microsecond, for decades around, in every era", () => {
    const year = 365 * 86_400_000;
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 300 * year, noNaN: true }),
        fc.double({ min: -60 * year, max: 60 * year, noNaN: true }),
        (epochMs, distance) => {
          expect(Math.abs(epochMsFromNtp(ntpFromEpochMs(epochMs), epochMs + distance) - epochMs)).toBeLessThan(0.005);
        },
      ),
    );
  });
});

describe("the Identification field", () => {
  test("is matched by its low 32 bits", () => {
    expect(lowBits(0x11111111_fedcba98n)).toBe(0xfedcba98);
  });

  test("a reply joins the agent's high bits to the mobile's low bits", () => {
    expect(joinIdentification(0x11111111_22222222n, 0x33333333_44444444n)).toBe(0x11111111_44444444n);
  });
});
