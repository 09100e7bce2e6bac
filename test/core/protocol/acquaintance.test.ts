import { expect, test } from "vitest";
import { Acquaintance, incarnationOf } from "../../../src/core/protocol/acquaintance.ts";

const OWN = incarnationOf(100, 1);
const FORMER = incarnationOf(200, 2);
const LATER = incarnationOf(201, 3);

test("frames of a start that were refused before it was believed stay refused when they are sent again", () => {
  const acquaintance = new Acquaintance(OWN);
  const own = (sequence: number) => ({ incarnation: OWN, sequence });
  expect(acquaintance.judge({ incarnation: FORMER, sequence: 1 }, own(5))).toBeUndefined();
  // It names no later frame of ours than the start before it did, as it would if it had been delayed for long.
  const early = { incarnation: LATER, sequence: 3 };
  expect(acquaintance.judge(early, own(5))).toBe("replayed");
  expect(acquaintance.judge({ incarnation: LATER, sequence: 4 }, own(6))).toBeUndefined();
  expect(acquaintance.judge(early, own(5))).toBe("replayed");
  expect(acquaintance.judge({ incarnation: LATER, sequence: 5 }, own(7))).toBeUndefined();
});
