import { describe, expect, it } from "vitest";
import { Ladder, type Rung } from "../../../src/core/health/ladder.ts";
import type { Level } from "../../../src/core/health/readiness.ts";

const settings = {
  startDelayMs: 1000,
  holdDownMs: 3000,
  damping: { halfLifeMs: 60_000, suppress: 3, reuse: 1, maximumMs: 240_000 },
};

interface Step {
  readonly atMs: number;
  readonly level: Level;
  readonly draining?: boolean;
  /** Others are announced unless it says otherwise. */
  readonly alone?: boolean;
  readonly rung: Rung["health"];
}

function climb(ladder: Ladder, { atMs, level, draining = false, alone = false }: Omit<Step, "rung">): Rung {
  return ladder.climb({ level, reasons: level === "fit" ? [] : [level] }, { draining, othersServe: !alone }, atMs);
}

/** A ladder whose member has been ready for long. */
function readyLadder(): Ladder {
  const ladder = new Ladder(settings);
  climb(ladder, { atMs: -9000, level: "fit", alone: true });
  return ladder;
}

const PREFERENCES: Record<Rung["health"], Rung["preference"]> = {
  starting: undefined,
  ready: "normal",
  draining: "low",
  degraded: "low",
  guarding: "lowest",
  down: undefined,
};

describe("the ladder", () => {
  it.each<[string, "new" | "ready", readonly Step[]]>([
    [
      "a start: announced only after the start delay, which begins when it is fit",
      "new",
      [
        { atMs: 0, level: "failed", rung: "down" },
        { atMs: 100, level: "starting", rung: "starting" },
        { atMs: 5000, level: "fit", rung: "starting" },
        { atMs: 5999, level: "fit", rung: "starting" },
        { atMs: 6000, level: "fit", rung: "ready" },
      ],
    ],
    [
      "a start with nobody else announced is not delayed",
      "new",
      [
        { atMs: 0, level: "starting", alone: true, rung: "starting" },
        { atMs: 1, level: "fit", alone: true, rung: "ready" },
      ],
    ],
    [
      "a start of an unfit member: not announced while another is",
      "new",
      [
        { atMs: 0, level: "starting", rung: "starting" },
        { atMs: 100, level: "unfit", rung: "down" },
        { atMs: 9000, level: "unfit", rung: "down" },
      ],
    ],
    [
      "a start of unfit members alone: guarding",
      "new",
      [
        { atMs: 0, level: "starting", alone: true, rung: "starting" },
        { atMs: 100, level: "unfit", alone: true, rung: "guarding" },
      ],
    ],
    [
      "degraded at once, back only after the hold-down",
      "ready",
      [
        { atMs: 0, level: "degraded", rung: "degraded" },
        { atMs: 10_000, level: "fit", rung: "degraded" },
        { atMs: 12_999, level: "fit", rung: "degraded" },
        { atMs: 13_000, level: "fit", rung: "ready" },
      ],
    ],
    [
      "a relapse starts the hold-down anew",
      "ready",
      [
        { atMs: 0, level: "degraded", rung: "degraded" },
        { atMs: 1000, level: "fit", rung: "degraded" },
        { atMs: 2000, level: "degraded", rung: "degraded" },
        { atMs: 3000, level: "fit", rung: "degraded" },
        { atMs: 5999, level: "fit", rung: "degraded" },
        { atMs: 6000, level: "fit", rung: "ready" },
      ],
    ],
    [
      "unfit: guards, and leaves after another one has been announced for the hold-down",
      "ready",
      [
        { atMs: 0, level: "unfit", rung: "guarding" },
        { atMs: 100, level: "unfit", rung: "guarding" },
        { atMs: 3099, level: "unfit", rung: "guarding" },
        { atMs: 3100, level: "unfit", rung: "down" },
      ],
    ],
    [
      "unfit and alone: guards as long as that lasts, and comes back when the others go",
      "ready",
      [
        { atMs: 0, level: "unfit", alone: true, rung: "guarding" },
        { atMs: 99_000, level: "unfit", alone: true, rung: "guarding" },
        { atMs: 100_000, level: "unfit", rung: "guarding" },
        { atMs: 102_000, level: "unfit", alone: true, rung: "guarding" },
        { atMs: 103_000, level: "unfit", rung: "guarding" },
        { atMs: 106_000, level: "unfit", rung: "down" },
        { atMs: 107_000, level: "unfit", alone: true, rung: "guarding" },
      ],
    ],
    [
      "a dead serving path: down at once, also as the last one, and also from guarding",
      "ready",
      [
        { atMs: 0, level: "unfit", alone: true, rung: "guarding" },
        { atMs: 1, level: "failed", alone: true, rung: "down" },
        { atMs: 2, level: "unfit", alone: true, rung: "guarding" },
        { atMs: 3, level: "failed", alone: true, rung: "down" },
        { atMs: 4, level: "unfit", rung: "down" },
      ],
    ],
    [
      "up from down step by step: no higher than what has lasted",
      "ready",
      [
        { atMs: 0, level: "failed", rung: "down" },
        { atMs: 1000, level: "degraded", rung: "down" },
        { atMs: 3000, level: "fit", rung: "down" },
        { atMs: 4000, level: "fit", rung: "degraded" },
        { atMs: 6999, level: "fit", rung: "degraded" },
        { atMs: 7000, level: "fit", rung: "ready" },
      ],
    ],
    [
      "fit again with nobody else announced: at once",
      "ready",
      [
        { atMs: 0, level: "failed", rung: "down" },
        { atMs: 1, level: "fit", alone: true, rung: "ready" },
      ],
    ],
    [
      "a drain and its end: at once, and both stay announced",
      "ready",
      [
        { atMs: 0, level: "fit", draining: true, rung: "draining" },
        { atMs: 10, level: "degraded", draining: true, rung: "draining" },
        { atMs: 20, level: "degraded", rung: "degraded" },
      ],
    ],
    [
      "a drain ends at once where nothing was amiss",
      "ready",
      [
        { atMs: 0, level: "fit", draining: true, rung: "draining" },
        { atMs: 10, level: "fit", rung: "ready" },
      ],
    ],
    [
      "draining and unfit: it guards, and leaves when others are announced",
      "ready",
      [
        { atMs: 0, level: "unfit", draining: true, rung: "guarding" },
        { atMs: 1, level: "unfit", draining: true, rung: "guarding" },
        { atMs: 3001, level: "unfit", draining: true, rung: "down" },
      ],
    ],
  ])("%s", (_, from, steps) => {
    const ladder = from === "new" ? new Ladder(settings) : readyLadder();
    for (const { rung, ...step } of steps) {
      const { health, preference, ready } = climb(ladder, step);
      expect([step.atMs, health, preference, ready]).toEqual([
        step.atMs,
        rung,
        PREFERENCES[rung],
        rung === "ready" || rung === "degraded",
      ]);
    }
  });

  it("holds a member that falls again and again at `degraded`, and says for how long", () => {
    const ladder = readyLadder();
    let nowMs = 0;
    const fall = () => {
      climb(ladder, { atMs: nowMs, level: "failed" });
      climb(ladder, { atMs: nowMs + 1, level: "fit" });
      nowMs += 3001;
      return climb(ladder, { atMs: nowMs, level: "fit" });
    };
    expect([fall().health, fall().health, fall().health]).toEqual(["ready", "ready", "ready"]);
    const held = fall();
    expect(held).toMatchObject({ health: "degraded", preference: "low" });
    expect(held.reasons.join()).toMatch(/too often: not preferred for another \d+\.\d s/);
    expect(climb(ladder, { atMs: nowMs + 300_000, level: "fit" }).health).toBe("degraded");
    expect(climb(ladder, { atMs: nowMs + 303_000, level: "fit" }).health).toBe("ready");
  });

  it("says how long a member has to be fit before it climbs", () => {
    const ladder = readyLadder();
    climb(ladder, { atMs: 0, level: "degraded" });
    expect(climb(ladder, { atMs: 1000, level: "fit" }).reasons).toEqual(["it has to be fit for another 3.0 s"]);
  });
});
