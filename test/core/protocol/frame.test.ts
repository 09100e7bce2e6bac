import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveFrameKey, frameAuthenticator } from "../../../src/core/auth/cluster-key.ts";
import { bootCountOf, incarnationOf } from "../../../src/core/protocol/acquaintance.ts";
import { HEALTH_STATES, type Heartbeat, type Message } from "../../../src/core/protocol/datagrams.ts";
import { FrameCodec } from "../../../src/core/protocol/frame.ts";
import { type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";

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

/** Of the fields that were appended to heartbeats, first the counts, then the digest. */
const UNFIT_COUNTS_LENGTH = 8;
const MEMBERS_DIGEST_LENGTH = 4;
/** With a header of a three-letter id. */
const HEALTH_OFFSET = 56;

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const address = u32.map((value) => value as Ipv4Address);
const endpoint = fc.record({ address, port: fc.integer({ min: 0, max: 65535 }) });
const time = fc.oneof(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.constant(Number.POSITIVE_INFINITY));
const member = fc.constantFrom("ha1", "ha2", "ha3");

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant("heartbeat" as const),
    sentAtMs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    systemTimeMs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    isTimeCertain: fc.boolean(),
    health: fc.constantFrom(...HEALTH_STATES),
    announced: fc.boolean(),
    unfitCount: u32,
    heardUnfitCount: u32,
    membersDigest: u32,
    load: fc.record({
      ownedBindings: u32,
      registrationsPerSecond: u32,
      eventLoopDelayMs: fc.integer({ min: 0, max: 65535 }),
      storeQueue: u32,
    }),
    takesLinkRelay: fc.boolean(),
    canStore: fc.boolean(),
    silent: fc.array(member, { maxLength: 3 }),
  }),
  fc.record({
    type: fc.constant("relay-request" as const),
    requestId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    ingress: member,
    hopLimit: fc.integer({ min: 0, max: 255 }),
    minimumGeneration: u32,
    source: endpoint,
    destination: endpoint,
    request: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({
    type: fc.constant("relay-reply" as const),
    requestId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    generation: u32,
    knownUntilMs: time,
    boundUntilMs: time,
    mobile: fc.constantFrom("ip:10.64.1.1" as const, "nai:ann@example.com" as const, undefined),
    homeAddressSinceMs: time,
    backups: fc.array(member, { maxLength: 3 }),
    destination: endpoint,
    reply: fc.uint8Array({ maxLength: 300 }),
  }),
);

/** Buffers and typed arrays of equal content count as equal. */
function plain(message: Message): unknown {
  return JSON.parse(
    JSON.stringify(message, (_, value) =>
      value instanceof Uint8Array || value?.type === "Buffer"
        ? Buffer.from(value.data ?? value).toString("hex")
        : value,
    ),
  );
}

describe("a cluster frame", () => {
  it("arrives as it was sent", () => {
    const { sender, receiver } = acquainted(codec("ha1", { bootCount: 9 }));
    fc.assert(
      fc.property(anyMessage, (message) => {
        const result = receiver.open(seal(sender, "ha2", message));
        if (!result.ok) throw new Error(result.fault);
        expect(result.sender).toBe("ha1");
        expect(bootCountOf(result.incarnation)).toBe(9);
        expect(plain(result.message)).toEqual(plain(message));
      }),
    );
  });

  it("has the layout that docs/protocol.md draws", () => {
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
        "01" +
        "b8" +
        "000c" +
        "000186a0" +
        "000003b6" +
        "00000003" +
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
        // What an older member sends.
        const isOlder = cut + 1 === MEMBERS_DIGEST_LENGTH || cut + 1 === MEMBERS_DIGEST_LENGTH + UNFIT_COUNTS_LENGTH;
        fc.pre(message.type !== "heartbeat" || !isOlder);
        const body = seal(sender, "ha2", message);
        const truncated = reseal(body.subarray(0, Math.max(body.length - 16 - cut - 1, 40)));
        expect(receiver.open(truncated)).toEqual({ ok: false, fault: "malformed-body" });
      }),
    );
  });

  it("of a member that knows neither `guarding` nor unfit counts is understood, as it understands ours", () => {
    const guarding: Heartbeat = { ...heartbeat, health: "guarding" };
    const { sender, receiver } = acquainted();
    const body = Buffer.from(seal(sender, "ha2", guarding)).subarray(
      0,
      -16 - MEMBERS_DIGEST_LENGTH - UNFIT_COUNTS_LENGTH,
    );
    expect(body.readUInt8(HEALTH_OFFSET)).toBe(HEALTH_STATES.indexOf("down"));
    body.writeUInt8(0, HEALTH_OFFSET + 1);
    expect(receiver.open(reseal(body))).toMatchObject({
      ok: true,
      message: { health: "down", announced: false, unfitCount: 0, heardUnfitCount: 0, membersDigest: 0 },
    });
  });

  it("of a member that has no digest of its members is understood", () => {
    const { sender, receiver } = acquainted();
    const body = Buffer.from(seal(sender, "ha2", heartbeat)).subarray(0, -16 - MEMBERS_DIGEST_LENGTH);
    expect(receiver.open(reseal(body))).toMatchObject({
      ok: true,
      message: { unfitCount: 5, heardUnfitCount: 6, membersDigest: 0 },
    });
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
