import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "../../../src/adapters/kernel/line-splitter.ts";

describe("lines of a byte stream", () => {
  test("come out whole however the stream is cut, and those that are too long as nothing", () => {
    const limit = 20;
    const lines = fc.array(fc.string({ unit: "grapheme", maxLength: 30 }).map((line) => line.replaceAll("\n", "")));
    fc.assert(
      fc.property(lines, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, sizes) => {
        const splitter = new LineSplitter(limit);
        const bytes = Buffer.from(sent.map((line) => `${line}\n`).join(""));
        const received: (string | undefined)[] = [];
        for (let start = 0, piece = 0; start < bytes.length; piece += 1) {
          const end = start + (sizes[piece % sizes.length] ?? 1);
          received.push(...splitter.push(bytes.subarray(start, end)));
          start = end;
        }
        expect(received).toEqual(sent.map((line) => (Buffer.byteLength(line) > limit ? undefined : line)));
      }),
    );
  });
});
