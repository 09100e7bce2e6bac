import type { Random } from "./random.ts";
import { seeded } from "./random.ts";
import type { FuzzTarget } from "./targets.ts";

/** An input that a target could not stand. */
export interface Crash {
  readonly target: string;
  readonly seed: number;
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** Values at which length and type fields change their meaning. */
const REMARKABLE_BYTES = [0, 1, 2, 3, 4, 5, 32, 34, 38, 127, 128, 131, 134, 253, 254, 255];
const LONGEST_INPUT = 2000;

/** Feeds mutations of the target's corpus to it while `goesOn` says so; answers the first crash. */
export function fuzz(target: FuzzTarget, seed: number, goesOn: (runs: number) => boolean): Crash | undefined {
  const random = seeded(seed);
  for (let runs = 0; goesOn(runs); runs++) {
    const input = mutate(pick(target.corpus, random), target.corpus, random);
    try {
      target.check(input);
    } catch (error) {
      return { target: target.name, seed, input, error };
    }
  }
  return undefined;
}

function mutate(original: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(original);
  for (let mutations = 1 + random(6); mutations > 0; mutations--)
    bytes = pick(MUTATIONS, random)(bytes, random, corpus);
  return bytes.length > LONGEST_INPUT ? bytes.slice(0, LONGEST_INPUT) : bytes;
}

type Mutation = (bytes: Uint8Array, random: Random, corpus: readonly Uint8Array[]) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random(bytes.length);
    return replaced(bytes, at, (bytes[at] ?? 0) ^ (1 << random(8)));
  },
  function setByte(bytes, random) {
    return replaced(bytes, random(bytes.length), random(256));
  },
  function setRemarkableByte(bytes, random) {
    return replaced(bytes, random(bytes.length), pick(REMARKABLE_BYTES, random));
  },
  function truncate(bytes, random) {
    return bytes.slice(0, random(bytes.length + 1));
  },
  function remove(bytes, random) {
    const at = random(bytes.length + 1);
    return joined(bytes.subarray(0, at), bytes.subarray(at + random(8)));
  },
  function insert(bytes, random) {
    const at = random(bytes.length + 1);
    const inserted = Uint8Array.from({ length: 1 + random(8) }, () => random(256));
    return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
  },
  function repeatPiece(bytes, random) {
    const at = random(bytes.length + 1);
    const piece = bytes.subarray(at, at + random(40));
    return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
  function splice(bytes, random, corpus) {
    const other = pick(corpus, random);
    return joined(bytes.subarray(0, random(bytes.length + 1)), other.subarray(random(other.length + 1)));
  },
];

function replaced(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (at < copy.length) copy[at] = value;
  return copy;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function pick<T>(choices: readonly T[], random: Random): T {
  const choice = choices[random(choices.length)];
  if (choice === undefined) throw new RangeError("nothing to pick from");
  return choice;
}
