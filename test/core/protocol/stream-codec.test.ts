import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LayoutError } from "../../../src/core/layout/byte-cursor.ts";
import { decodeStreamMessage, encodeStreamMessage } from "../../../src/core/protocol/stream-codec.ts";
import { FrameTooLargeError, MAXIMUM_BODY_BYTES } from "../../../src/core/protocol/stream-frame.ts";
import { DIGEST_BUCKETS, STREAM_MESSAGES, type StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { anyMessageOf } from "../layout/arbitraries.ts";
import { fromHex, hex } from "../wire/golden.ts";

const anyStreamMessage = anyMessageOf(STREAM_MESSAGES);

/** Without the length that stands before it. */
function bodyOf(message: StreamMessage): Uint8Array {
  return encodeStreamMessage(message).subarray(4);
}

describe("a stream message", () => {
  it("arrives as it was sent", () => {
    fc.assert(
      fc.property(anyStreamMessage, (message) => {
        expect(decodeStreamMessage(bodyOf(message))).toEqual(message);
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused when anything of it is missing, or anything follows it", () => {
    fc.assert(
      fc.property(anyStreamMessage, fc.nat(), (message, cut) => {
        const body = bodyOf(message);
        expect(() => decodeStreamMessage(body.subarray(0, cut % body.length))).toThrow(LayoutError);
        expect(() => decodeStreamMessage(Buffer.concat([body, new Uint8Array(1)]))).toThrow(LayoutError);
      }),
    );
  });

  it("stands behind its length, and is not made where it is too long for a frame", () => {
    expect(hex(encodeStreamMessage({ type: "ack", number: 258 }))).toBe("00000009020000000000000102");
    const rows = [new Uint8Array(MAXIMUM_BODY_BYTES)];
    expect(() => encodeStreamMessage({ type: "handover", rows })).toThrow(FrameTooLargeError);
  });

  it.each<[StreamMessage, string]>([
    [
      { type: "rows", number: 258, rows: [Buffer.from("aabb", "hex"), Buffer.alloc(0)] },
      "01 0000000000000102 00000002 00000002 aabb 00000000",
    ],
    [{ type: "ack", number: 258 }, "02 0000000000000102"],
    [{ type: "differing", buckets: [0, 1023] }, "04 0002 0000 03ff"],
    [{ type: "synchronized", number: 1 }, "05 0000000000000001"],
    [
      { type: "owned", last: true, entries: [{ mobile: "nai:a@b", generation: 7 }] },
      "06 01 00000001 0003 614062 00000007",
    ],
    [{ type: "owned-checked" }, "07"],
    [
      {
        type: "moved",
        mobile: "ip:10.0.0.1",
        homeAddress: ipv4("10.0.0.1"),
        homeAddressSinceMs: 2,
        owner: "ha1",
        backups: ["ha2"],
        generation: 3,
        knownUntilMs: Number.POSITIVE_INFINITY,
      },
      "08 0000 0a000001 0a000001 0000000000000002 03 686131 01 03 686132 00000003 ffffffffffffffff",
    ],
    [
      {
        type: "holding",
        of: "ha1",
        last: false,
        versions: [
          {
            mobile: "nai:a",
            orderTime: -3n,
            replayResets: 7,
            signedTime: -2n,
            counter: 4,
            acceptedAtMs: 5,
            decidedBy: "ha3",
          },
        ],
      },
      `09 03 686131 00 00000001 0001 61 ${"ff".repeat(15)}fd 00000007 ${"ff".repeat(15)}fe 0000000000000004 0000000000000005 03 686133`,
    ],
    [
      { type: "claim", homeAddress: ipv4("10.0.0.1"), mobile: "nai:a", claimant: "ha1" },
      "0f 0a000001 03 686131 0001 61",
    ],
    [
      { type: "holder", homeAddress: ipv4("10.0.0.1"), mobile: "nai:a", sinceMs: 2 },
      "10 0a000001 0000000000000002 0001 61",
    ],
    [{ type: "want", of: "ha1", mobiles: ["nai:a"] }, "0a 03 686131 00000001 0001 61"],
    [{ type: "sent", of: "ha1" }, "0b 03 686131"],
    [{ type: "handover", rows: [Buffer.from("{}")] }, "0c 00000001 00000002 7b7d"],
    [
      {
        type: "forget",
        rows: [
          {
            mobile: "nai:a",
            orderTime: -3n,
            replayResets: 7,
            signedTime: -2n,
            counter: 4,
            acceptedAtMs: 5,
            decidedBy: "ha1",
            generation: 6,
          },
        ],
      },
      `0d 00000001 0001 61 ${"ff".repeat(15)}fd 00000007 ${"ff".repeat(15)}fe 0000000000000004 0000000000000005 03 686131 00000006`,
    ],
    [
      {
        type: "temporary",
        made: [
          {
            requestId: 9,
            minimumGeneration: 3,
            foreignAgent: { address: ipv4("192.0.2.1"), port: 435 },
            destination: { address: ipv4("10.64.0.1"), port: 434 },
            owner: "ha2",
            request: Buffer.from(fromHex("0100")),
          },
        ],
        ended: [7, 8],
      },
      "0e 00000001 0000000000000009 00000003 c0000201 01b3 0a400001 01b2 03 686132 0002 0100 00000002 0000000000000007 0000000000000008",
    ],
  ])("has the drawn layout: $type", (message, layout) => {
    expect(hex(bodyOf(message))).toBe(hex(fromHex(layout)));
    expect(decodeStreamMessage(fromHex(layout))).toEqual(message);
  });

  it.each([
    ["of no type", "00"],
    ["of an unknown type", "11"],
    ["of nothing", ""],
    ["with a bucket that does not exist", "04 0001 0400"],
    ["with a row longer than the message", "01 0000000000000001 00000001 ffffffff 7b7d"],
    ["of a dead member without a name", "0b 00"],
  ])("%s is refused", (_, body) => {
    expect(() => decodeStreamMessage(fromHex(body))).toThrow(LayoutError);
  });

  it("of digests has one for each bucket", () => {
    const buckets = Array.from({ length: DIGEST_BUCKETS }, (_, bucket) => bucket);
    const body = bodyOf({ type: "digests", level: true, buckets });
    expect(body.length).toBe(2 + 4 * DIGEST_BUCKETS);
    expect(hex(body.subarray(0, 14))).toBe("0301000000000000000100000002");
  });
});
