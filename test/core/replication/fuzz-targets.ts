/** What reads the bytes of a stream. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeStreamMessage,
  encodeStreamMessage,
  StreamMessageError,
} from "../../../src/core/protocol/stream-codec.ts";
import { encodeStreamFrame, FrameSplitter, FrameTooLargeError } from "../../../src/core/protocol/stream-frame.ts";
import { decodeHello, encodeHello } from "../../../src/core/protocol/stream-hello.ts";
import type { FuzzTarget } from "../../fuzz/targets.ts";
import { hex } from "../wire/golden.ts";
import { anyStreamMessage } from "./arbitraries.ts";

const bodies = fc.sample(anyStreamMessage, { seed: 3, numRuns: 100 }).map(encodeStreamMessage);
const hello = encodeHello({ cluster: "lab", member: "ha1", bootCount: 258 });

export const streamTargets: readonly FuzzTarget[] = [
  {
    name: "stream-message",
    corpus: bodies.filter(({ length }) => length < 1000),
    check(input) {
      try {
        // There is one way to say a thing.
        assert.equal(hex(encodeStreamMessage(decodeStreamMessage(input))), hex(input));
      } catch (error) {
        if (!(error instanceof StreamMessageError)) throw error;
      }
    },
  },
  {
    name: "stream-hello",
    corpus: [hello],
    check(input) {
      const decoded = decodeHello(input);
      if (!decoded.ok) return;
      const said = Uint8Array.from(input);
      said[3] = 0; // reserved
      assert.ok(hex(said).startsWith(hex(encodeHello(decoded.hello))));
    },
  },
  {
    name: "stream-frames",
    corpus: [Buffer.concat([hello, bodies[0] ?? hello, bodies[1] ?? hello].map(encodeStreamFrame))],
    check(input) {
      assert.deepEqual(framesOf([...input].map((byte) => Uint8Array.of(byte))), framesOf([input]));
    },
  },
];

/** What is found before the first fault. */
function framesOf(pieces: readonly Uint8Array[]): string[] {
  const splitter = new FrameSplitter(1000);
  const found: string[] = [];
  try {
    for (const piece of pieces) for (const body of splitter.push(piece)) found.push(hex(body));
  } catch (error) {
    if (!(error instanceof FrameTooLargeError)) throw error;
    found.push("too large");
  }
  return found;
}
