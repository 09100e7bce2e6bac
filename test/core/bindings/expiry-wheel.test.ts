import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpiryWheel } from "../../../src/core/bindings/expiry-wheel.ts";

describe("the expiry wheel", () => {
  it("gives back what is due, once", () => {
    const wheel = new ExpiryWheel<string>();
    wheel.set("a", 1000);
    wheel.set("b", 5000);
    expect(wheel.takeDue(1000)).toEqual(["a"]);
    expect(wheel.takeDue(4999)).toEqual([]);
    expect(wheel.takeDue(5000)).toEqual(["b"]);
    expect(wheel.takeDue(9000)).toEqual([]);
  });

  it("forgets the old time when a key is set again", () => {
    const wheel = new ExpiryWheel<string>();
    wheel.set("a", 1000);
    wheel.set("a", 3000);
    expect(wheel.takeDue(2999)).toEqual([]);
    expect(wheel.takeDue(3000)).toEqual(["a"]);
  });

  it("never gives back what never ends", () => {
    const wheel = new ExpiryWheel<string>();
    wheel.set("a", Number.POSITIVE_INFINITY);
    expect(wheel.takeDue(Number.MAX_SAFE_INTEGER)).toEqual([]);
    expect(wheel.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("is never early, and at most a second late, whatever the steps of the clock", () => {
    const times = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(times, times, (dueTimes, steps) => {
        const wheel = new ExpiryWheel<number>();
        dueTimes.forEach((due, key) => {
          wheel.set(key, due);
        });
        const seen = new Set<number>();
        let now = 0;
        for (const step of steps) {
          now += step;
          for (const key of wheel.takeDue(now)) {
            expect(dueTimes[key]).toBeLessThanOrEqual(now);
            expect(seen.has(key)).toBe(false);
            seen.add(key);
          }
          const late = dueTimes.filter((due, key) => !seen.has(key) && due <= now - 1000);
          expect(late).toEqual([]);
          if (seen.size < dueTimes.length) expect(wheel.nextDueMs).toBeLessThan(Math.max(...dueTimes) + 1001);
        }
      }),
    );
  });
});
