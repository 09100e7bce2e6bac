import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeStreamFrame,
  FrameSplitter,
  FrameTooLargeError,
  MAXIMUM_BODY_BYTES,
} from "../../../src/core/protocol/stream-frame.ts";
import { fromHex, hex } from "../wire/golden.ts";

const body = fc.uint8Array({ maxLength: 40 });

/** Cuts bytes into pieces of the given lengths, over and over. */
function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    yield bytes.subarray(start, start + length);
    start += length;
  }
}

function frameOf(content: Uint8Array): Uint8Array {
  return encodeStreamFrame((writer) => writer.bytes(content));
}

function* bodiesIn(splitter: FrameSplitter): Generator<Uint8Array> {
  for (let found = splitter.take(); found !== undefined; found = splitter.take()) yield found;
}

function split(splitter: FrameSplitter, pieces: Iterable<Uint8Array>): string[] {
  return [...pieces].flatMap((piece) => {
    splitter.push(piece);
    return [...bodiesIn(splitter)].map(hex);
  });
}

describe("a stream frame", () => {
  it("is found again, however the stream was cut", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(body), lengths, (bodies, pieceLengths) => {
        const stream = Buffer.concat(bodies.map(frameOf));
        expect(split(new FrameSplitter(40), cut(stream, pieceLengths))).toEqual(bodies.map(hex));
      }),
    );
  });

  it("begins with the length of its body", () => {
    expect(hex(frameOf(fromHex("aabbcc")))).toBe("00000003aabbcc");
    expect(hex(frameOf(new Uint8Array()))).toBe("00000000");
  });

  it("may be as large as the limit, and no larger", () => {
    const splitter = new FrameSplitter(MAXIMUM_BODY_BYTES);
    const bodies = split(splitter, cut(frameOf(new Uint8Array(MAXIMUM_BODY_BYTES)), [16_384]));
    expect(bodies.map(({ length }) => length)).toEqual([2 * MAXIMUM_BODY_BYTES]);
    expect(() => frameOf(new Uint8Array(MAXIMUM_BODY_BYTES + 1))).toThrow(FrameTooLargeError);
  });

  it("is refused by its header alone, before any of an over-long body is kept", () => {
    expect(() => split(new FrameSplitter(5), [fromHex("00000006")])).toThrow(FrameTooLargeError);
    expect(() => split(new FrameSplitter(5), [fromHex("ffffffff")])).toThrow(FrameTooLargeError);
  });

  it("can be taken alone, and what follows it, whole or not, is at hand", () => {
    const splitter = new FrameSplitter(5);
    const pieces = [frameOf(fromHex("aa")), frameOf(fromHex("bbbb")), fromHex("000000")];
    for (const piece of pieces) splitter.push(piece);
    expect(hex(splitter.take() ?? new Uint8Array())).toBe("aa");
    expect(hex(splitter.rest())).toBe("00000002bbbb000000");
  });
});
