import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FlapDamping } from "../../../src/core/health/flap-damping.ts";

const MINUTE = 60_000;
const settings = { halfLifeMs: MINUTE, suppress: 3, reuse: 1, maximumMs: 4 * MINUTE };

function afterFalls(...timesMs: readonly number[]): FlapDamping {
  const damping = new FlapDamping(settings);
  for (const timeMs of timesMs) damping.fell(timeMs);
  return damping;
}

describe("flap damping", () => {
  it("forgives a few falls", () => {
    expect(afterFalls(0, 1000).remainingMs(1000)).toBe(0);
  });

  it("forgives any number of them that are far apart", () => {
    const everyTwoMinutes = Array.from({ length: 100 }, (_, index) => index * 2 * MINUTE);
    expect(afterFalls(...everyTwoMinutes).remainingMs(200 * MINUTE)).toBe(0);
  });

  it("holds back who falls too often, until the penalty has halved often enough", () => {
    const damping = afterFalls(0, 0, 0, 0);
    expect(damping.remainingMs(0)).toBeCloseTo(2 * MINUTE);
    expect(damping.remainingMs(MINUTE)).toBeCloseTo(MINUTE);
    expect(damping.remainingMs(2 * MINUTE + 1)).toBe(0);
    damping.fell(2 * MINUTE + 2);
    expect(damping.remainingMs(2 * MINUTE + 2)).toBe(0);
  });

  it("never holds back for longer than it may, and always ends", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 }), (pausesMs) => {
        const damping = new FlapDamping(settings);
        let nowMs = 0;
        for (const pauseMs of pausesMs) {
          nowMs += pauseMs;
          damping.fell(nowMs);
          expect(damping.remainingMs(nowMs)).toBeLessThanOrEqual(settings.maximumMs + 1);
        }
        expect(damping.remainingMs(nowMs + settings.maximumMs + 1)).toBe(0);
      }),
    );
  });
});
