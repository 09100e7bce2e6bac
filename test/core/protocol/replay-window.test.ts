import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReplayWindow } from "../../../src/core/protocol/replay-window.ts";

describe("the anti-replay window", () => {
  it("accepts each sequence number once", () => {
    const window = new ReplayWindow();
    expect([1, 2, 2, 1, 3].map((sequence) => window.accept(1, sequence))).toEqual([true, true, false, false, true]);
  });

  it("tolerates reordering within its size, and refuses what is older", () => {
    const window = new ReplayWindow();
    expect(window.accept(1, 2000)).toBe(true);
    expect(window.accept(1, 977)).toBe(true);
    expect(window.accept(1, 976)).toBe(false);
  });

  it("does not take numbers that it slid over for seen", () => {
    const window = new ReplayWindow();
    for (let sequence = 1; sequence <= 1024; sequence++) window.accept(1, sequence);
    window.accept(1, 1100);
    expect(window.accept(1, 1060)).toBe(true);
  });

  it("starts anew with a higher boot count, and never goes back to a lower one", () => {
    const window = new ReplayWindow();
    expect(window.accept(5, 900)).toBe(true);
    expect(window.accept(6, 1)).toBe(true);
    expect(window.accept(5, 901)).toBe(false);
  });

  it("never accepts the same frame twice, in whatever order frames come", () => {
    const frames = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5000 })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(frames, (sequence) => {
        const window = new ReplayWindow();
        const accepted = [...sequence, ...sequence].filter(([boot, number]) => window.accept(boot, number)).map(String);
        expect(new Set(accepted).size).toBe(accepted.length);
      }),
    );
  });
});
