import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeStreamMessage,
  encodeStreamMessage,
  StreamMessageError,
} from "../../../src/core/protocol/stream-codec.ts";
import { DIGEST_BUCKETS, type StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { anyStreamMessage } from "../replication/arbitraries.ts";
import { fromHex, hex } from "../wire/golden.ts";

describe("a stream message", () => {
  it("arrives as it was sent", () => {
    fc.assert(
      fc.property(anyStreamMessage, (message) => {
        expect(decodeStreamMessage(encodeStreamMessage(message))).toEqual(message);
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused when anything of it is missing, or anything follows it", () => {
    fc.assert(
      fc.property(anyStreamMessage, fc.nat(), (message, cut) => {
        const body = encodeStreamMessage(message);
        expect(() => decodeStreamMessage(body.subarray(0, cut % body.length))).toThrow(StreamMessageError);
        expect(() => decodeStreamMessage(Buffer.concat([body, new Uint8Array(1)]))).toThrow(StreamMessageError);
      }),
    );
  });

  it.each<[StreamMessage, string]>([
    [
      { type: "rows", number: 258, rows: ['{"a":"é"}', ""] },
      "01 0000000000000102 00000002 0000000a 7b2261223a22c3a9227d 00000000",
    ],
    [{ type: "ack", number: 258 }, "02 0000000000000102"],
    [{ type: "differing", buckets: [0, 1023] }, "04 0002 0000 03ff"],
    [{ type: "synchronized", number: 1 }, "05 0000000000000001"],
    [
      { type: "owned", last: true, entries: [{ mobile: "nai:a@b", generation: 7 }] },
      "06 01 00000001 00000007 0007 6e61693a614062",
    ],
    [{ type: "owned-checked" }, "07"],
    [
      {
        type: "moved",
        mobile: "ip:10.0.0.1",
        homeAddress: ipv4("10.0.0.1"),
        nai: undefined,
        homeAddressSinceMs: 2,
        owner: "ha1",
        backups: ["ha2"],
        generation: 3,
        knownUntilMs: Number.POSITIVE_INFINITY,
      },
      "08 00000003 ffffffffffffffff 0000000000000002 0a000001 000b 69703a31302e302e302e31 0000 03 686131 01 03 686132",
    ],
    [
      {
        type: "holding",
        of: "ha1",
        last: false,
        versions: [
          { mobile: "nai:a", replayResets: 7, signedTime: -2n, counter: 4, acceptedAtMs: 5, decidedBy: "ha3" },
        ],
      },
      `09 03 686131 00 00000001 00000007 ${"ff".repeat(15)}fe 0000000000000004 0000000000000005 03 686133 0005 6e61693a61`,
    ],
    [
      { type: "claim", homeAddress: ipv4("10.0.0.1"), mobile: "nai:a", claimant: "ha1" },
      "0f 0a000001 03 686131 0005 6e61693a61",
    ],
    [
      { type: "holder", homeAddress: ipv4("10.0.0.1"), mobile: "nai:a", sinceMs: 2 },
      "10 0a000001 0000000000000002 0005 6e61693a61",
    ],
    [{ type: "want", of: "ha1", mobiles: ["nai:a"] }, "0a 03 686131 00000001 0005 6e61693a61"],
    [{ type: "sent", of: "ha1" }, "0b 03 686131"],
    [{ type: "handover", rows: ["{}"] }, "0c 00000001 00000002 7b7d"],
    [
      {
        type: "forget",
        rows: [
          {
            mobile: "nai:a",
            replayResets: 7,
            signedTime: -2n,
            counter: 4,
            acceptedAtMs: 5,
            decidedBy: "ha1",
            generation: 6,
          },
        ],
      },
      `0d 00000001 00000006 00000007 ${"ff".repeat(15)}fe 0000000000000004 0000000000000005 03 686131 0005 6e61693a61`,
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
            request: fromHex("0100"),
          },
        ],
        ended: [7, 8],
      },
      "0e 00000001 0000000000000009 00000003 c0000201 01b3 0a400001 01b2 03 686132 0002 0100 00000002 0000000000000007 0000000000000008",
    ],
  ])("has the drawn layout: $type", (message, layout) => {
    expect(hex(encodeStreamMessage(message))).toBe(hex(fromHex(layout)));
    expect(decodeStreamMessage(fromHex(layout))).toEqual(message);
  });

  it.each([
    ["of no type", "00"],
    ["of an unknown type", "0f"],
    ["of nothing", ""],
    ["with a number beyond 2^53", "02 0020000000000000"],
    [
      "with a time that is neither a number nor for ever",
      "08 00000003 fffffffffffffffe 0a000001 0005 6e61693a61 0000 0161 00",
    ],
    ["with a bucket that does not exist", "04 0001 0400"],
    ["with more buckets than there are", `04 0401 ${"0001".repeat(1025)}`],
    ["with more rows than bytes", "01 0000000000000001 ffffffff"],
    ["with a row longer than the message", "01 0000000000000001 00000001 ffffffff 7b7d"],
    ["with a row that is not UTF-8", "01 0000000000000001 00000001 00000002 c328"],
    ["with a mobile key of no kind", "0d 00000001 0005 6d61693a61"],
    ["with an empty NAI as its key", "0d 00000001 0004 6e61693a"],
    ["with a home address that is none as its key", "0d 00000001 0006 69703a312e31"],
    ["of an empty member", "0b 00"],
    ["with an empty backup", "08 00000003 0000000000000001 0a000001 0005 6e61693a61 0000 0161 01 00"],
    ["with a temporary binding of no owner", `0e 00000001 ${"00".repeat(8 + 4 + 6 + 6)} 00 0000 00000000`],
    [
      "with a registration request longer than the message",
      `0e 00000001 ${"00".repeat(8 + 4 + 6 + 6)} 01 61 0003 0100`,
    ],
    ["with a Request Id beyond 2^53", "0e 00000000 00000001 0020000000000000"],
    ["with a flag that is neither yes nor no", "06 02 00000000"],
  ])("%s is refused", (_, body) => {
    expect(() => decodeStreamMessage(fromHex(body))).toThrow(StreamMessageError);
  });

  it("of digests has one for each bucket", () => {
    const buckets = Array.from({ length: DIGEST_BUCKETS }, (_, bucket) => bucket);
    const body = encodeStreamMessage({ type: "digests", level: true, buckets });
    expect(body.length).toBe(2 + 4 * DIGEST_BUCKETS);
    expect(hex(body.subarray(0, 14))).toBe("0301000000000000000100000002");
  });
});
