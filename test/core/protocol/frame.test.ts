import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveFrameKey, frameAuthenticator } from "../../../src/core/auth/cluster-key.ts";
import { bootCountOf, incarnationOf } from "../../../src/core/protocol/acquaintance.ts";
import { DATAGRAMS, type Heartbeat, type Message } from "../../../src/core/protocol/datagrams.ts";
import { FrameCodec } from "../../../src/core/protocol/frame.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { anyMessageOf } from "../layout/arbitraries.ts";

const secret = new Uint8Array(32).fill(3);

function codec(
  self: string,
  { bootCount = 1, ...options }: { bootCount?: number; cluster?: string; secret?: Uint8Array } = {},
): FrameCodec {
  const peers = ["ha1", "ha2", "ha3"].filter((id) => id !== self);
  return new FrameCodec({ cluster: "test", secret, incarnation: incarnationOf(bootCount, 5), ...options, self, peers });
}

/** Two members that have heard each other: the first is to send, the second to receive. */
function acquainted(
  sender: FrameCodec = codec("ha1"),
  receiver: FrameCodec = codec("ha2"),
): { readonly sender: FrameCodec; readonly receiver: FrameCodec } {
  sender.open(seal(receiver, "ha1", heartbeat));
  return { sender, receiver };
}

function seal(sender: FrameCodec, receiver: string, message: Message): Uint8Array {
  const frame = sender.seal(receiver, message);
  if (frame === undefined) throw new Error("not sealed");
  return frame;
}

const heartbeat: Heartbeat = {
  type: "heartbeat",
  sentAtMs: 1_790_000_000_000,
  systemTimeMs: 1_790_000_000_001,
  isTimeCertain: true,
  health: "ready",
  announced: true,
  unfitCount: 5,
  heardUnfitCount: 6,
  membersDigest: 7,
  load: { ownedBindings: 100_000, registrationsPerSecond: 950, eventLoopDelayMs: 12, storeQueue: 3 },
  takesLinkRelay: true,
  canStore: true,
  silent: ["ha9"],
};

const anyMessage = anyMessageOf(DATAGRAMS);

describe("a cluster frame", () => {
  it("arrives as it was sent", () => {
    const { sender, receiver } = acquainted(codec("ha1", { bootCount: 9 }));
    fc.assert(
      fc.property(anyMessage, (message) => {
        const result = receiver.open(seal(sender, "ha2", message));
        if (!result.ok) throw new Error(result.fault);
        expect(result.sender).toBe("ha1");
        expect(bootCountOf(result.incarnation)).toBe(9);
        expect(result.message).toEqual(message);
      }),
    );
  });

  it("has the layout that docs/messages.md draws", () => {
    const { sender } = acquainted(codec("ha1", { bootCount: 258 }));
    const frame = Buffer.from(seal(sender, "ha2", heartbeat)).toString("hex");
    expect(frame.slice(0, 80)).toBe(
      "4148" +
        "01" +
        "01" +
        "0000010200000005" +
        "0000000000000001" +
        "0000000100000005" +
        "0000000000000001" +
        "03" +
        "686131",
    );
    expect(frame.slice(80, -32)).toBe(
      "000001a0c4506c00" +
        "000001a0c4506c01" +
        "000186a0" +
        "000003b6" +
        "00000003" +
        "000c" +
        "01" +
        "01" +
        "01" +
        "01" +
        "01" +
        "01" +
        "03" +
        "686139" +
        "00000005" +
        "00000006" +
        "00000007",
    );
  });

  it("is refused when it comes a second time", () => {
    const { sender, receiver } = acquainted();
    const frame = seal(sender, "ha2", heartbeat);
    expect(receiver.open(frame).ok).toBe(true);
    expect(receiver.open(frame)).toEqual({ ok: false, fault: "replayed" });
  });

  it("of an earlier start of its sender is refused", () => {
    const { sender: earlier, receiver } = acquainted(codec("ha1", { bootCount: 3 }));
    const recorded = seal(earlier, "ha2", heartbeat);
    const { sender: later } = acquainted(codec("ha1", { bootCount: 7 }), receiver);
    expect(receiver.open(seal(later, "ha2", heartbeat)).ok).toBe(true);
    expect(receiver.open(recorded)).toEqual({ ok: false, fault: "replayed" });
  });

  it("can be neither reflected to its sender nor passed off to a third member", () => {
    const frame = seal(codec("ha1"), "ha2", heartbeat);
    expect(codec("ha1").open(frame)).toEqual({ ok: false, fault: "unknown-sender" });
    expect(codec("ha3").open(frame)).toEqual({ ok: false, fault: "bad-authenticator" });
  });

  it.each([
    ["of a stranger's secret", codec("ha1", { secret: new Uint8Array(32).fill(4) })],
    ["of another cluster with the same secret", codec("ha1", { cluster: "other" })],
  ])("%s is refused", (_, stranger) => {
    expect(codec("ha2").open(seal(stranger, "ha2", heartbeat))).toEqual({ ok: false, fault: "bad-authenticator" });
  });

  it("of a newer protocol version is told apart from noise", () => {
    const frame = Uint8Array.from(seal(codec("ha1"), "ha2", heartbeat));
    frame[2] = 2;
    expect(codec("ha2").open(frame)).toEqual({ ok: false, fault: "newer-version" });
  });

  it("with one bit changed anywhere is refused", () => {
    const frame = seal(codec("ha1"), "ha2", heartbeat);
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const changed = Uint8Array.from(frame);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codec("ha2").open(changed).ok).toBe(false);
    }
  });

  it("of any content never throws", () => {
    const receiver = codec("ha2");
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => !receiver.open(bytes).ok));
  });

  it("from a member with a truncated or senseless body is refused, though it is authentic", () => {
    const { sender, receiver } = acquainted();
    fc.assert(
      fc.property(anyMessage, fc.integer({ min: 0, max: 30 }), (message, cut) => {
        const body = seal(sender, "ha2", message);
        const truncated = reseal(body.subarray(0, Math.max(body.length - 16 - cut - 1, 40)));
        expect(receiver.open(truncated)).toEqual({ ok: false, fault: "malformed-body" });
      }),
    );
  });

  it("of a later version, with fields that are not known here, is understood", () => {
    const { sender, receiver } = acquainted();
    const body = Buffer.concat([seal(sender, "ha2", heartbeat).subarray(0, -16), Buffer.from("a later field")]);
    expect(receiver.open(reseal(body))).toMatchObject({ ok: true, message: heartbeat });
  });

  it("with a number larger than anybody sends is refused, rather than read as another one", () => {
    const body = Buffer.from(seal(codec("ha1"), "ha2", heartbeat)).subarray(0, -16);
    body.writeBigUInt64BE(2n ** 53n, 40);
    expect(codec("ha2").open(reseal(body))).toEqual({ ok: false, fault: "malformed-body" });
  });

  it("too large for a datagram is not made", () => {
    const request = new Uint8Array(65_500);
    const message: Message = {
      type: "relay-request",
      requestId: 1,
      ingress: "ha1",
      hopLimit: 1,
      minimumGeneration: 0,
      source: { address: ipv4("192.0.2.1"), port: 434 },
      destination: { address: ipv4("10.64.0.1"), port: 434 },
      request,
    };
    expect(codec("ha1").seal("ha2", message)).toBeUndefined();
  });
});

/** Gives altered bytes a valid authenticator again, as a faulty member would. */
function reseal(covered: Uint8Array): Uint8Array {
  return Buffer.concat([covered, frameAuthenticator(deriveFrameKey(secret, "test", "ha1", "ha2"), covered)]);
}
