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

test.each([1, 7, 8, 30])(
  "%i recordings of later starts of a peer, sent all the time, keep no start that runs from being believed",
  (count) => {
    // The peer's clock was ahead once, and its boot counts, which are lost, were with it.
    const recorded = Array.from({ length: count }, (_, index) => incarnationOf(2000 + index, index));
    const [formerOwn, own, peer] = [incarnationOf(900, 1), incarnationOf(1100, 2), incarnationOf(1000, 3)];
    const [ours, theirs] = [new Acquaintance(own), new Acquaintance(peer)];
    const replay = () => {
      for (const incarnation of recorded)
        ours.judge({ incarnation, sequence: 77 }, { incarnation: formerOwn, sequence: 3 });
    };
    expect(theirs.judge({ incarnation: formerOwn, sequence: 5 }, { incarnation: peer, sequence: 0 })).toBeUndefined();
    // Up to as many as are named each is named in turn, and beyond each has the same chance in each turn of 16 frames.
    const rounds = count < 8 ? count + 1 : 40 * count;
    for (let round = 0; round < rounds && theirs.believed !== own; round++) {
      ours.judge(theirs.next(), theirs.nextNamed());
      replay();
      theirs.judge(ours.next(), ours.nextNamed());
      replay();
    }
    expect(theirs.believed).toBe(own);
    expect(ours.judge(theirs.next(), theirs.nextNamed())).toBeUndefined();
    replay();
    expect(theirs.judge(ours.next(), ours.nextNamed())).toBeUndefined();
  },
);
