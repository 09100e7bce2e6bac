/**
 * Frames of the cluster channel: what members say to each other over UDP. A header, the fields of a message
 * (core/protocol/datagrams.ts), and an authenticator, HMAC-SHA-256-128 over both (RFC 4868 2.3).
 *
 * The key is derived for the direction sender → receiver (core/auth/cluster-key.ts). What shows that a frame is no recording, and
 * what is believed of it, core/protocol/acquaintance.ts says.
 */
import type { KeyObject } from "node:crypto";
import { deriveFrameKey, FRAME_AUTHENTICATOR_LENGTH, frameAuthenticator, verifyFrame } from "../auth/cluster-key.ts";
import { ByteReader, ByteWriter, LayoutError } from "../layout/byte-cursor.ts";
import { big64, shortText, u8, u64 } from "../layout/kinds.ts";
import { record } from "../layout/record.ts";
import type { MemberId } from "../names.ts";
import { Acquaintance, type Doubt, type FrameNumber, type Incarnation } from "./acquaintance.ts";
import { DATAGRAMS, type Message } from "./datagrams.ts";
import { PREAMBLE_FIELDS, readPreamble, writePreamble } from "./preamble.ts";

const FRAME_NUMBER = record({
  incarnation: [
    big64,
    "A start: its boot count (the second, epoch, in which it happened, but more than the last), then 32 random bits.",
  ],
  sequence: [u64, "1, 2, 3 … for each receiver by itself, from 1 again at every start."],
});

const HEADER_FIELDS = {
  type: [u8, "The number of the message that follows."],
  sent: [FRAME_NUMBER, "Of this frame, at its sender."],
  named: [FRAME_NUMBER, "The newest frame that the sender has had from the receiver; zeros if it has had none."],
  sender: [shortText, "The member's id, as in the configuration."],
} as const;
const HEADER = record(HEADER_FIELDS);

/** Of all frames, before the fields of their message. */
export const FRAME_HEADER_FIELDS = { ...PREAMBLE_FIELDS, ...HEADER_FIELDS } as const;

/** Room for a header and most messages without their payload. */
const EXPECTED_BYTES = 320;
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
  const covered = frame.subarray(0, Math.max(frame.length - FRAME_AUTHENTICATOR_LENGTH, 0));
  const reader = new ByteReader(covered);
  const header = readHeader(reader);
  if (typeof header === "string") return header;
  const { type, sent, named, sender } = header;
  const key = keyOf(sender);
  if (key === undefined) return "unknown-sender";
  if (!verifyFrame(key, covered, frame.subarray(covered.length))) return "bad-authenticator";
  try {
    // What follows the fields that this version knows was appended by a later one.
    return { sender, sent, named, message: DATAGRAMS.read(type, reader) };
  } catch (error) {
    if (error instanceof LayoutError) return "malformed-body";
    throw error;
  }
}

function readHeader(reader: ByteReader): ReturnType<typeof HEADER.read> | Refusal {
  try {
    const fault = readPreamble(reader);
    if (fault !== undefined) return fault === "noise" ? "not-a-frame" : fault;
    return HEADER.read(reader);
  } catch (error) {
    if (error instanceof LayoutError) return "not-a-frame";
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
    const { acquaintance, sendKey } = peer;
    const writer = new ByteWriter(EXPECTED_BYTES);
    writePreamble(writer);
    HEADER.write(writer, {
      type: DATAGRAMS.numberOf(message),
      sent: acquaintance.next(),
      named: acquaintance.nextNamed(),
      sender: this.#self,
    });
    DATAGRAMS.write(writer, message);
    if (writer.length + FRAME_AUTHENTICATOR_LENGTH > MAXIMUM_LENGTH) return undefined;
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
