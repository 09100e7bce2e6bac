/**
 * Frames of the cluster channel: what members say to each other over UDP.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      'A'      |      'H'      |  Version = 1  |     Type      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Sender Incarnation                       |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Sequence Number                         |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      Heard Incarnation: the receiver's, 0 if never heard      |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |    Heard Sequence Number: of the receiver's newest frame      |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Sender Length |  Sender ...                                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Body, by type (core/protocol/datagrams.ts) ...               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Authenticator: HMAC-SHA-256-128 over all of the above        |
 *   |  (16 bytes)                                                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The key is derived for the direction sender → receiver (core/auth/cluster-key.ts). What shows that a frame is no recording, and
 * what is believed of it, core/protocol/acquaintance.ts says.
 */
import type { KeyObject } from "node:crypto";
import { deriveFrameKey, FRAME_AUTHENTICATOR_LENGTH, frameAuthenticator, verifyFrame } from "../auth/cluster-key.ts";
import type { MemberId } from "../names.ts";
import { Acquaintance, type Doubt, type FrameNumber, type Incarnation } from "./acquaintance.ts";
import { ByteReader, ByteWriter, FrameFormatError } from "./byte-cursor.ts";
import { decodeMessage, encodeMessage, type Message } from "./datagrams.ts";

const MAGIC = 0x4148; // "AH"
const VERSION = 1;
const FIXED_LENGTH = 37;
/** UDP over IPv4 carries no more. */
const MAXIMUM_LENGTH = 65_507;

/** Why a frame was refused. Reasons are stable: they name counters. */
export type FrameFault =
  | "not-a-frame"
  | "newer-version"
  | "unknown-sender"
  | "bad-authenticator"
  | "unproven"
  | "replayed"
  /** By two daemons that say they are the same member: heartbeats of two starts, of which each has sent one after the other's. */
  | "member-twice"
  | "malformed-body";

export type FrameResult =
  | { readonly ok: true; readonly sender: MemberId; readonly incarnation: Incarnation; readonly message: Message }
  | { readonly ok: false; readonly fault: Exclude<FrameFault, "unproven" | "member-twice"> }
  | {
      readonly ok: false;
      readonly fault: "unproven" | "member-twice";
      readonly sender: MemberId;
      /** It names a start of this member that is later than this one. */
      readonly hearsLaterStart: boolean;
    };

/** An authentic frame, whether or not it is believed. */
export interface Frame {
  readonly sender: MemberId;
  readonly sent: FrameNumber;
  /** The newest frame of its receiver that its sender has had. */
  readonly named: FrameNumber;
  readonly message: Message;
}

type Refusal = Exclude<FrameFault, Doubt | "member-twice">;

interface Peer {
  readonly sendKey: KeyObject;
  readonly receiveKey: KeyObject;
  readonly acquaintance: Acquaintance;
  /** Of the newest heartbeat that was believed, by the sender's clock. */
  newestSentAtMs: number;
  /** The newest heartbeat of another start, which was not. */
  other: { readonly incarnation: Incarnation; readonly sentAtMs: number } | undefined;
}

/** Authenticates before it believes: the body is looked at last. */
export function openFrame(frame: Uint8Array, keyOf: (sender: MemberId) => KeyObject | undefined): Frame | Refusal {
  if (frame.length < FIXED_LENGTH + FRAME_AUTHENTICATOR_LENGTH) return "not-a-frame";
  const covered = frame.subarray(0, frame.length - FRAME_AUTHENTICATOR_LENGTH);
  const reader = new ByteReader(covered);
  try {
    if (reader.u16() !== MAGIC) return "not-a-frame";
    const version = reader.u8();
    if (version !== VERSION) return version > VERSION ? "newer-version" : "not-a-frame";
    const type = reader.u8();
    const sent = readNumber(reader);
    const named = readNumber(reader);
    const sender = reader.shortText();
    const key = keyOf(sender);
    if (key === undefined) return "unknown-sender";
    if (!verifyFrame(key, covered, frame.subarray(covered.length))) return "bad-authenticator";
    return { sender, sent, named, message: decodeMessage(type, reader) };
  } catch (error) {
    if (error instanceof FrameFormatError) return "malformed-body";
    throw error;
  }
}

/** Seals what this member sends and opens what it receives. One per member; knows the keys of all peers. */
export class FrameCodec {
  readonly #self: MemberId;
  readonly #incarnation: Incarnation;
  readonly #deriveKey: (sender: MemberId, receiver: MemberId) => KeyObject;
  /** Former members as well: one that comes back finds sequence numbers and window where it left them. */
  readonly #known = new Map<MemberId, Peer>();
  #peers: ReadonlySet<MemberId> = new Set();

  constructor(options: {
    readonly cluster: string;
    readonly secret: Uint8Array;
    readonly self: MemberId;
    readonly peers: readonly MemberId[];
    readonly incarnation: Incarnation;
  }) {
    const { cluster, secret, self } = options;
    this.#self = self;
    this.#incarnation = options.incarnation;
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
        acquaintance: new Acquaintance(this.#incarnation),
        newestSentAtMs: Number.NEGATIVE_INFINITY,
        other: undefined,
      });
    }
  }

  /** The peer has not been heard for too long. */
  silent(peer: MemberId): void {
    this.#known.get(peer)?.acquaintance.silent();
  }

  /** `undefined` if the receiver is no member, or the message too large for a datagram. */
  seal(receiver: MemberId, message: Message): Uint8Array | undefined {
    const peer = this.#peer(receiver);
    if (peer === undefined) return undefined;
    const { type, body } = encodeMessage(message);
    const length = FIXED_LENGTH + this.#self.length * 3 + body.length;
    if (length + FRAME_AUTHENTICATOR_LENGTH > MAXIMUM_LENGTH) return undefined;
    const { acquaintance, sendKey } = peer;
    const writer = new ByteWriter(length + FRAME_AUTHENTICATOR_LENGTH).u16(MAGIC).u8(VERSION).u8(type);
    writeNumber(writer, acquaintance.next());
    writeNumber(writer, acquaintance.nextNamed());
    writer.shortText(this.#self).bytes(body);
    return writer.bytes(frameAuthenticator(sendKey, writer.written())).written();
  }

  open(payload: Uint8Array): FrameResult {
    const frame = openFrame(payload, (sender) => this.#peer(sender)?.receiveKey);
    if (typeof frame === "string") return { ok: false, fault: frame };
    const { sender, sent, named, message } = frame;
    const peer = this.#peer(sender);
    if (peer === undefined) return { ok: false, fault: "unknown-sender" };
    const doubt = peer.acquaintance.judge(sent, named);
    const sentAtMs = message.type === "heartbeat" ? message.sentAtMs : Number.NEGATIVE_INFINITY;
    if (doubt === undefined) {
      peer.newestSentAtMs = Math.max(peer.newestSentAtMs, sentAtMs);
      return { ok: true, sender, incarnation: sent.incarnation, message };
    }
    const hearsLaterStart = named.incarnation > this.#incarnation;
    if (isTwins(peer, sent.incarnation, sentAtMs)) return { ok: false, fault: "member-twice", sender, hearsLaterStart };
    return doubt === "unproven" ? { ok: false, fault: doubt, sender, hearsLaterStart } : { ok: false, fault: doubt };
  }

  #peer(id: MemberId): Peer | undefined {
    return this.#peers.has(id) ? this.#known.get(id) : undefined;
  }
}

/**
 * A heartbeat of another start than the one believed, and newer than all of those: no recording. If the one believed has sent
 * some since the other's last, it was not followed by the other, but both run.
 */
function isTwins(peer: Peer, incarnation: Incarnation, sentAtMs: number): boolean {
  const { newestSentAtMs, other } = peer;
  if (incarnation === peer.acquaintance.believed || sentAtMs <= newestSentAtMs) return false;
  peer.other = { incarnation, sentAtMs };
  return other?.incarnation === incarnation && newestSentAtMs > other.sentAtMs;
}

function readNumber(reader: ByteReader): FrameNumber {
  return { incarnation: reader.bigU64(), sequence: reader.u64() };
}

function writeNumber(writer: ByteWriter, { incarnation, sequence }: FrameNumber): void {
  writer.u64(incarnation).u64(sequence);
}
