/** The unchanged core under seeded faults: what docs/replication.md promises holds, whatever happens in which order. */
import { describe, expect, test } from "vitest";
import { simulate } from "../../src/sim/simulation.ts";

/** A thousand unless the environment asks for more, in portions so that a failure is found early. */
const SEEDS = Number(process.env.ANYHOME_SIM_SEEDS ?? 1000);
const PORTION = 50;

/** Mostly three members, and up to nine. */
function nodesOf(seed: number): number {
  return seed % 5 === 0 ? 4 + ((seed / 5) % 6) : 3;
}

describe("no promise is broken", () => {
  const portions = Array.from({ length: Math.ceil(SEEDS / PORTION) }, (_, index) => 1 + index * PORTION);
  test.each(portions)("with the seeds from %i on", { timeout: 300_000 }, (first) => {
    let accepted = 0;
    for (let seed = first; seed < Math.min(first + PORTION, SEEDS + 1); seed++) {
      const result = simulate({ seed, nodes: nodesOf(seed), mobiles: 10 });
      accepted += result.accepted;
      expect({ seed, violations: result.violations }).toEqual({ seed, violations: [] });
    }
    // A run in which nothing was accepted would keep all promises, too.
    expect(accepted).toBeGreaterThan(PORTION * 20);
  });
});

describe("a seed", () => {
  test("gives the same run every time", () => {
    const [one, other] = [1, 2].map(() => simulate({ seed: 17, nodes: 4, mobiles: 8 }));
    expect([...(one?.counts ?? [])]).toEqual([...(other?.counts ?? [])]);
    expect(one?.accepted).toBe(other?.accepted);
  });
});

describe("the work of a registration", () => {
  test("does not grow with the number of members: relay frames and rows at 30 are those at 3, within a tenth", {
    timeout: 120_000,
  }, () => {
    const measure = (nodes: number) => {
      const { counts, accepted } = simulate({ seed: 5, nodes, mobiles: 60, faults: [] });
      return {
        frames: (counts.get("relay-frames") ?? 0) / accepted,
        rows: (counts.get("stream-rows") ?? 0) / accepted,
      };
    };
    const [three, thirty] = [measure(3), measure(30)];
    // With three members a third of the requests come in at their owner; with thirty, hardly any. A relayed one is the measure.
    expect(thirty.rows).toBeGreaterThan(three.rows * 0.9);
    expect(thirty.rows).toBeLessThan(three.rows * 1.1);
    expect(thirty.frames).toBeLessThan(3.3);
  });
});
