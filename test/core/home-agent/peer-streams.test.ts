import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { Output } from "../../../src/core/home-agent/io.ts";
import { PeerStreams } from "../../../src/core/home-agent/peer-streams.ts";
import { encodeStreamMessage } from "../../../src/core/protocol/stream-codec.ts";
import { MAXIMUM_BODY_BYTES } from "../../../src/core/protocol/stream-frame.ts";
import { STREAM_MESSAGES, type StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { anyMessageOf } from "../layout/arbitraries.ts";
import { said, TestCluster } from "./test-cluster.ts";

const ack = (number: number): StreamMessage => ({ type: "ack", number });
const bytesOf = (...messages: readonly StreamMessage[]) => Buffer.concat(messages.map(encodeStreamMessage));

function openStreams(...peers: readonly string[]) {
  const outputs: Output[] = [];
  const streams = new PeerStreams((output) => outputs.push(output));
  for (const peer of peers) streams.opened(peer);
  return { streams, outputs };
}

describe("the streams of a member", () => {
  it("bring messages as they were said, however their bytes are cut", () => {
    const messages = fc.array(anyMessageOf(STREAM_MESSAGES), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (sent, lengths) => {
        const { streams, outputs } = openStreams("ha2");
        for (const message of sent) streams.send("ha2", message);
        const bytes = Buffer.concat(outputs.flatMap((output) => (output.type === "stream" ? [output.bytes] : [])));
        const received: StreamMessage[] = [];
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const length = lengths[turn % lengths.length] ?? 1;
          received.push(...streams.read("ha2", bytes.subarray(start, start + length)));
          start += length;
        }
        expect(received).toEqual(sent);
      }),
    );
  });

  it("take frames without a body for the sign of life that they are", () => {
    const { streams, outputs } = openStreams("ha2");
    expect(streams.read("ha2", Buffer.concat([new Uint8Array(8), bytesOf(ack(1))]))).toEqual([ack(1)]);
    expect(outputs).toEqual([]);
  });

  it.each([
    ["malformed-message", "00000001ff"],
    ["malformed-message", "000000050200000000"],
    ["frame-too-large", "00400001"],
  ])("end by a %s, after what was said before it, and bring nothing more", (reason, hex) => {
    const { streams, outputs } = openStreams("ha2", "ha3");
    const bytes = Buffer.concat([bytesOf(ack(1)), Buffer.from(hex, "hex"), bytesOf(ack(2))]);
    expect(streams.read("ha2", bytes)).toEqual([ack(1)]);
    expect(outputs).toEqual([{ type: "end-stream", to: "ha2", reason }]);
    expect(streams.read("ha2", bytesOf(ack(3)))).toEqual([]);
    expect(streams.read("ha3", bytesOf(ack(4)))).toEqual([ack(4)]);
    streams.opened("ha2");
    expect(streams.read("ha2", bytesOf(ack(5)))).toEqual([ack(5)]);
  });

  it("end rather than leave out a message that is too long for a frame", () => {
    const { streams, outputs } = openStreams("ha2");
    streams.send("ha2", { type: "handover", rows: [new Uint8Array(MAXIMUM_BODY_BYTES)] });
    streams.send("ha2", ack(1));
    expect(outputs).toEqual([{ type: "end-stream", to: "ha2", reason: "message-too-large" }]);
  });

  it("are silent to a peer that there is none to", () => {
    const { streams, outputs } = openStreams("ha2");
    streams.send("ha3", ack(1));
    streams.closed("ha2");
    streams.send("ha2", ack(1));
    expect(outputs).toEqual([]);
    expect(streams.read("ha2", bytesOf(ack(1)))).toEqual([]);
  });
});

test("what is to be said on a stream that has ended is not said on the next one: its numbers would mean other messages", () => {
  const cluster = new TestCluster(3);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  cluster.commitAtOnce = false;
  cluster.register("ha1", { homeAddress });
  const ha2 = cluster.agent("ha2");
  const position = 1;
  // ha2 owes ha1 the acknowledgement of a row, which its disk has in the same turn in which the stream ends.
  ha2.take({ type: "durable", position }, cluster);
  ha2.take({ type: "stream-closed", peer: "ha1" }, cluster);
  const outputs = ha2.settle(cluster);
  expect(outputs.filter((output) => output.type === "stream" && output.to === "ha1")).toEqual([]);
});

test("a stream ends where dealing with a message fails: what comes after it would acknowledge it, too", () => {
  const cluster = new TestCluster(3);
  const bug = new Error("a bug");
  Object.assign(cluster.events, {
    push: () => {
      throw bug;
    },
  });
  const ha2 = cluster.agent("ha2");
  expect(() => ha2.take(said("ha1", { type: "rows", number: 1, rows: [Buffer.from("no row")] }), cluster)).toThrow(bug);
  ha2.take(said("ha1", { type: "rows", number: 2, rows: [] }), cluster);
  const outputs = ha2.settle(cluster).filter(({ type }) => type === "stream" || type === "end-stream");
  expect(outputs).toEqual([{ type: "end-stream", to: "ha1", reason: "failed" }]);
});
