import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReplayWindow } from "../../../src/core/protocol/replay-window.ts";

describe("the anti-replay window", () => {
  it("accepts each sequence number once", () => {
    const window = new ReplayWindow();
    expect([1, 2, 2, 1, 3].map((sequence) => window.accept(sequence))).toEqual([true, true, false, false, true]);
  });

  it("tolerates reordering within its size, and refuses what is older", () => {
    const window = new ReplayWindow();
    expect(window.accept(2000)).toBe(true);
    expect(window.accept(977)).toBe(true);
    expect(window.accept(976)).toBe(false);
  });

  it("accepts nothing from before the number that it begins with", () => {
    const window = new ReplayWindow(50);
    expect([50, 49, 51, 1].map((sequence) => window.accept(sequence))).toEqual([true, false, true, false]);
  });

  it("does not take numbers that it slid over for seen", () => {
    const window = new ReplayWindow();
    for (let sequence = 1; sequence <= 1024; sequence++) window.accept(sequence);
    window.accept(1100);
    expect(window.accept(1060)).toBe(true);
  });

  it("never accepts the same frame twice, in whatever order frames come", () => {
    const frames = fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 300 });
    fc.assert(
      fc.property(frames, (sequence) => {
        const window = new ReplayWindow();
        const accepted = [...sequence, ...sequence].filter((number) => window.accept(number));
        expect(new Set(accepted).size).toBe(accepted.length);
      }),
    );
  });
});
