import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromHex, hex } from "../core/wire/golden.ts";
import { fuzz } from "./fuzzer.ts";
import { type FuzzTarget, targets } from "./targets.ts";

const RUNS = 100_000;
const SEED = 5944;

describe.each(targets)("$name", (target) => {
  test(`stands ${RUNS} mutated inputs`, () => {
    const crash = fuzz(target, SEED, (runs) => runs < RUNS);
    expect(crash && { ...crash, input: hex(crash.input) }).toBeUndefined();
  });

  test("stands what it is made from, and every beginning of it", () => {
    for (const input of target.corpus) {
      for (let length = 0; length <= input.length; length++) target.check(input.subarray(0, length));
    }
  });
});

describe("inputs that were worth keeping", () => {
  const folder = new URL("kept/", import.meta.url);
  test.each(readdirSync(folder))("%s", (file) => {
    const input = fromHex(readFileSync(new URL(file, folder), "latin1"));
    for (const target of targets) target.check(input);
  });
});

describe("the fuzzer itself", () => {
  const fragile: FuzzTarget = {
    name: "fragile",
    corpus: [fromHex("0102030405060708")],
    check(input) {
      if (input.length > 8 && input[0] === 1) throw new RangeError("too long");
    },
  };

  test("finds what crashes, and the same again from the same seed", () => {
    const crash = fuzz(fragile, SEED, (runs) => runs < RUNS);
    expect(crash).toMatchObject({ target: "fragile", seed: SEED, error: new RangeError("too long") });
    expect(fuzz(fragile, SEED, (runs) => runs < RUNS)?.input).toEqual(crash?.input);
  });
});
