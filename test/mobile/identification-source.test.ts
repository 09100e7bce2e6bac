import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinIdentification, lowBits } from "../../src/core/wire/identification.ts";
import { epochMsFromNtp, ntpFromEpochMs, timestampDifference } from "../../src/core/wire/ntp-timestamp.ts";
import { ReplyCode } from "../../src/core/wire/reply-code.ts";
import { IdentificationSource } from "../../src/mobile/identification-source.ts";
import { homeAddress, homeAgent } from "./fixtures.ts";

const now = Date.UTC(2026, 10, 23);

function replyWith(code: number, identification: bigint) {
  return { code, identification, lifetimeSeconds: 0, homeAddress, homeAgent };
}

describe("timestamps", () => {
  const source = (random = 0x12345678) => new IdentificationSource("timestamps", () => random);

  test("are the time of day, the bits finer than a millisecond left to chance", () => {
    const [low, high] = [source(0).next(now), source(0xffffffff).next(now)];
    for (const identification of [low, high]) {
      expect(Math.abs(epochMsFromNtp(identification, now) - now)).toBeLessThan(1);
    }
    expect(high - low).toBe(0x3fffffn);
  });

  test("always exceed the last one, also when the clock stands still or goes back", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -5000, max: 5000 }), fc.nat()), { minLength: 2 }), (steps) => {
        let random = 0;
        const mobile = new IdentificationSource("timestamps", () => random);
        let last: bigint | undefined;
        for (const [step, chance] of steps) {
          random = chance;
          const next = mobile.next(now + step);
          if (last !== undefined) expect(timestampDifference(next, last) > 0n).toBe(true);
          last = next;
        }
      }),
    );
  });

  test.each([3600_000, -3600_000])("follow a home agent whose clock is %i ms ahead, once it said so", (aheadMs) => {
    const mobile = source();
    const refused = mobile.next(now);
    const clock = joinIdentification(ntpFromEpochMs(now + aheadMs), refused);
    mobile.learn(replyWith(ReplyCode.IdentificationMismatch, clock), now);
    const next = mobile.next(now + 10);
    expect(Math.abs(epochMsFromNtp(next, now) - (now + 10 + aheadMs))).toBeLessThan(600);
    expect(Math.abs(mobile.clockOffsetMs(now) - aheadMs)).toBeLessThan(600);
  });

  test("ignore the clock of other replies", () => {
    const mobile = source();
    mobile.learn(replyWith(ReplyCode.Accepted, ntpFromEpochMs(now + 3600_000)), now);
    expect(mobile.clockOffsetMs(now)).toBe(0);
  });
});

describe("nonces", () => {
  test("the high bits are those of the last reply, whatever its code; the low bits are new", () => {
    let random = 1;
    const mobile = new IdentificationSource("nonces", () => random++);
    mobile.next(now);
    mobile.learn(replyWith(ReplyCode.IdentificationMismatch, 0xaaaaaaaa_00000001n), now);
    const second = mobile.next(now);
    mobile.learn(replyWith(ReplyCode.Accepted, 0xbbbbbbbb_00000002n), now);
    const third = mobile.next(now);
    expect([second >> 32n, third >> 32n]).toEqual([0xaaaaaaaan, 0xbbbbbbbbn]);
    expect(lowBits(third)).not.toBe(lowBits(second));
  });

  test("differ in the low bits even when chance repeats itself", () => {
    const mobile = new IdentificationSource("nonces", () => 7);
    expect(lowBits(mobile.next(now))).not.toBe(lowBits(mobile.next(now)));
  });
});
