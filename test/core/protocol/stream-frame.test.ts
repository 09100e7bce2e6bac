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

function split(splitter: FrameSplitter, pieces: Iterable<Uint8Array>): string[] {
  return [...pieces].flatMap((piece) => [...splitter.push(piece)].map(hex));
}

describe("a stream frame", () => {
  it("is found again, however the stream was cut", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(body), lengths, (bodies, pieceLengths) => {
        const stream = Buffer.concat(bodies.map(encodeStreamFrame));
        expect(split(new FrameSplitter(), cut(stream, pieceLengths))).toEqual(bodies.map(hex));
      }),
    );
  });

  it("begins with the length of its body", () => {
    expect(hex(encodeStreamFrame(fromHex("aabbcc")))).toBe("00000003aabbcc");
    expect(hex(encodeStreamFrame(new Uint8Array()))).toBe("00000000");
  });

  it("may be as large as the limit, and no larger", () => {
    const splitter = new FrameSplitter();
    const largest = encodeStreamFrame(new Uint8Array(MAXIMUM_BODY_BYTES));
    const bodies = [...cut(largest, [16_384])].flatMap((piece) => [...splitter.push(piece)]);
    expect(bodies.map(({ length }) => length)).toEqual([MAXIMUM_BODY_BYTES]);
    expect(() => encodeStreamFrame(new Uint8Array(MAXIMUM_BODY_BYTES + 1))).toThrow(FrameTooLargeError);
  });

  it("is refused by its header alone, before any of an over-long body is kept", () => {
    expect(() => [...new FrameSplitter(5).push(fromHex("00000006"))]).toThrow(FrameTooLargeError);
    expect(() => [...new FrameSplitter().push(fromHex("ffffffff"))]).toThrow(FrameTooLargeError);
  });

  it("is held to a new limit right after the frame that brought it", () => {
    const frames = Buffer.concat([fromHex("aa"), fromHex("bbbb")].map(encodeStreamFrame));
    const growing = new FrameSplitter(1);
    const bodies: string[] = [];
    for (const found of growing.push(frames)) {
      bodies.push(hex(found));
      growing.allow(2);
    }
    expect(bodies).toEqual(["aa", "bbbb"]);
  });
});
