/**
 * Frames of the cluster channel: what members say to each other over UDP.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      'A'      |      'H'      |  Version = 1  |     Type      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Sender Boot Count                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Sequence Number                         |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Sender Length |  Sender ...                                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Body, by type (core/protocol/datagrams.ts) ...                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Authenticator: HMAC-SHA-256-128 over all of the above        |
 *   |  (16 bytes)                                                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The key is derived for the direction sender → receiver (core/auth/cluster-key.ts).
 */
import type { KeyObject } from "node:crypto";
import { deriveFrameKey, FRAME_AUTHENTICATOR_LENGTH, frameAuthenticator, verifyFrame } from "../auth/cluster-key.ts";
import type { MemberId } from "../names.ts";
import { ByteReader, ByteWriter, FrameFormatError } from "./byte-cursor.ts";
import { decodeMessage, encodeMessage, type Message } from "./datagrams.ts";
import { ReplayWindow } from "./replay-window.ts";

const MAGIC = 0x4148; // "AH"
const VERSION = 1;
const FIXED_LENGTH = 17;
/** UDP over IPv4 carries no more. */
const MAXIMUM_LENGTH = 65_507;

/** Why a frame was refused. Reasons are stable: they name counters. */
export type FrameFault =
  | "not-a-frame"
  | "newer-version"
  | "unknown-sender"
  | "bad-authenticator"
  | "replayed"
  /** By two daemons that say they are the same member: a heartbeat of an earlier start, but newer than those of the later one. */
  | "member-twice"
  | "malformed-body";

export type FrameResult =
  | { readonly ok: true; readonly sender: MemberId; readonly bootCount: number; readonly message: Message }
  | { readonly ok: false; readonly fault: Exclude<FrameFault, "member-twice"> }
  | { readonly ok: false; readonly fault: "member-twice"; readonly sender: MemberId };

interface Peer {
  readonly sendKey: KeyObject;
  readonly receiveKey: KeyObject;
  readonly window: ReplayWindow;
  nextSequence: number;
  /** Of the newest heartbeat, by the sender's clock. */
  newestSentAtMs: number;
}

/** Seals what this member sends and opens what it receives. One per member; knows the keys of all peers. */
export class FrameCodec {
  readonly #self: MemberId;
  readonly #bootCount: number;
  readonly #deriveKey: (sender: MemberId, receiver: MemberId) => KeyObject;
  /** Former members as well: one that comes back finds sequence numbers and window where it left them. */
  readonly #known = new Map<MemberId, Peer>();
  #peers: ReadonlySet<MemberId> = new Set();

  constructor(options: {
    readonly cluster: string;
    readonly secret: Uint8Array;
    readonly self: MemberId;
    readonly peers: readonly MemberId[];
    readonly bootCount: number;
  }) {
    const { cluster, secret, self } = options;
    this.#self = self;
    this.#bootCount = options.bootCount;
    this.#deriveKey = (sender, receiver) => deriveFrameKey(secret, cluster, sender, receiver);
    this.setPeers(options.peers);
  }

  setPeers(peers: readonly MemberId[]): void {
    this.#peers = new Set(peers);
    for (const peer of peers) {
      if (this.#known.has(peer)) continue;
      this.#known.set(peer, {
        sendKey: this.#deriveKey(this.#self, peer),
        receiveKey: this.#deriveKey(peer, this.#self),
        window: new ReplayWindow(),
        nextSequence: 1,
        newestSentAtMs: Number.NEGATIVE_INFINITY,
      });
    }
  }

  /** `undefined` if the receiver is no member, or the message too large for a datagram. */
  seal(receiver: MemberId, message: Message): Uint8Array | undefined {
    const peer = this.#peer(receiver);
    if (peer === undefined) return undefined;
    const { type, body } = encodeMessage(message);
    const length = FIXED_LENGTH + this.#self.length * 3 + body.length;
    if (length + FRAME_AUTHENTICATOR_LENGTH > MAXIMUM_LENGTH) return undefined;
    const writer = new ByteWriter(length + FRAME_AUTHENTICATOR_LENGTH)
      .u16(MAGIC)
      .u8(VERSION)
      .u8(type)
      .u32(this.#bootCount)
      .u64(peer.nextSequence++)
      .shortText(this.#self)
      .bytes(body);
    return writer.bytes(frameAuthenticator(peer.sendKey, writer.written())).written();
  }

  /** Authenticates before it believes: the body is looked at last. */
  open(frame: Uint8Array): FrameResult {
    if (frame.length < FIXED_LENGTH + FRAME_AUTHENTICATOR_LENGTH) return refuse("not-a-frame");
    const covered = frame.subarray(0, frame.length - FRAME_AUTHENTICATOR_LENGTH);
    const reader = new ByteReader(covered);
    try {
      if (reader.u16() !== MAGIC) return refuse("not-a-frame");
      const version = reader.u8();
      if (version !== VERSION) return refuse(version > VERSION ? "newer-version" : "not-a-frame");
      const type = reader.u8();
      const bootCount = reader.u32();
      const sequence = reader.u64();
      const sender = reader.shortText();
      const peer = this.#peer(sender);
      if (peer === undefined) return refuse("unknown-sender");
      if (!verifyFrame(peer.receiveKey, covered, frame.subarray(covered.length))) return refuse("bad-authenticator");
      const isFresh = peer.window.accept(bootCount, sequence);
      const message = decodeMessage(type, reader);
      // Nobody can have recorded what is said only now.
      const isNewest = message.type === "heartbeat" && message.sentAtMs > peer.newestSentAtMs;
      if (!isFresh) return isNewest ? { ok: false, fault: "member-twice", sender } : refuse("replayed");
      if (isNewest) peer.newestSentAtMs = message.sentAtMs;
      return { ok: true, sender, bootCount, message };
    } catch (error) {
      if (error instanceof FrameFormatError) return refuse("malformed-body");
      throw error;
    }
  }

  #peer(id: MemberId): Peer | undefined {
    return this.#peers.has(id) ? this.#known.get(id) : undefined;
  }
}

function refuse(fault: Exclude<FrameFault, "member-twice">): FrameResult {
  return { ok: false, fault };
}
