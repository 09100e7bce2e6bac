/**
 * Bodies of cluster frames (core/protocol/frame.ts has the header). Texts are one byte of length and UTF-8. A body may be longer
 * than this version knows: later versions append fields, and older members ignore them; the last field of `relay-request`
 * and `relay-reply` is therefore preceded by its length.
 *
 * Heartbeat (type 1)
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                Sent At (epoch milliseconds)                   |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |               System Time (epoch milliseconds)                |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |    Health     |A|G|L|D|C|Resv.|    Event Loop Delay (ms)      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Owned Bindings                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Registrations per Second                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                     Store Queue (changes)                     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Silent Count  | Silent Length |  Silent ... (of each member)  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Unfit Count                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |    Heard Unfit Count: the receiver's, as the sender knows it  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |        Members Digest: of the sender's configuration          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Relay Request (type 2): the untouched Registration Request, and what its first receiver knew of it
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Request Id                           |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Minimum Generation                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Source Address                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |          Source Port          |     Destination Address ...   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  ... Destination Address      |       Destination Port        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Hop Limit   |Ingress Length |  Ingress ...                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |        Request Length         |  Registration Request ...     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Relay Reply (type 3); an empty Registration Reply says that the owner discarded the request silently
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Request Id                           |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Generation                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Known Until (epoch milliseconds, all ones: ever)      |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Bound Until (epoch milliseconds, all ones: ever)      |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Has Address Since (epoch milliseconds, all ones: it is gone)  |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Destination Address: the virtual home agent address          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |       Destination Port        | Backups Count | Backup Length |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Backup ... (of each backup)  |         Mobile Length         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Mobile ...                   |         Reply Length          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Registration Reply ...
 */
import { isMobileKey, type MemberId, type MobileKey } from "../names.ts";
import type { Endpoint } from "../wire/ipv4.ts";
import { type ByteReader, ByteWriter, FrameFormatError } from "./byte-cursor.ts";

/**
 * Where a member stands. `guarding`: as unfit as `down`, but still announced, as the last one. The order is that of the
 * numbers on the wire, where `guarding` is a `down` with a flag, so that members that don't know it still understand.
 */
export const HEALTH_STATES = ["starting", "ready", "draining", "degraded", "down", "guarding"] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

const FLAG_ANNOUNCED = 0x80;
const FLAG_GUARDING = 0x40;
const FLAG_LINK_RELAY = 0x20;
const FLAG_CAN_STORE = 0x10;
const FLAG_TIME_CERTAIN = 0x08;

/** It serves well enough for others to leave routing to it. */
export function isFit(health: HealthState): boolean {
  return health === "ready" || health === "degraded" || health === "draining";
}

/** What an HA tells the others of itself (mission M10). */
export interface Load {
  readonly ownedBindings: number;
  readonly registrationsPerSecond: number;
  readonly eventLoopDelayMs: number;
  /** Row changes not yet on disk. */
  readonly storeQueue: number;
}

export interface Heartbeat {
  readonly type: "heartbeat";
  /** By the time that the sender goes by, epoch ms. */
  readonly sentAtMs: number;
  /** What the clock of its system says, which is another one while a step is held back; epoch ms. */
  readonly systemTimeMs: number;
  /** C: others have confirmed the sender's time. */
  readonly isTimeCertain: boolean;
  readonly health: HealthState;
  /** Routers have the sender's announcement, as far as it knows. */
  readonly announced: boolean;
  /** How often the sender has become unfit since its start. */
  readonly unfitCount: number;
  /** The receiver's unfit count as the sender knows it: a receiver that has become unfit learns who knows. */
  readonly heardUnfitCount: number;
  /** Of the members in the sender's configuration, as `Placement` has them; 0: it doesn't say. */
  readonly membersDigest: number;
  readonly load: Load;
  /** L: the sender takes relay frames that are addressed to its MAC address and the virtual IP address. */
  readonly takesLinkRelay: boolean;
  /** D: the sender's disk takes what is written. Alive is not able: without a disk it can promise nothing. */
  readonly canStore: boolean;
  /** Members that the sender does not hear: one is dead only when everybody alive says so. */
  readonly silent: readonly MemberId[];
}

export interface RelayRequest {
  readonly type: "relay-request";
  /** Chosen by the ingress; finds its temporary binding again. */
  readonly requestId: number;
  readonly ingress: MemberId;
  readonly hopLimit: number;
  /** A binding that the receiver creates for this request must have at least this ownership generation. */
  readonly minimumGeneration: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly request: Uint8Array;
}

export interface RelayReply {
  readonly type: "relay-reply";
  readonly requestId: number;
  readonly generation: number;
  /** Who holds copies of the binding. */
  readonly backups: readonly MemberId[];
  /** How long the owner keeps the mobile's row, even as a tombstone; epoch ms or `Infinity`. */
  readonly knownUntilMs: number;
  /** When the mobile's binding by the foreign agent that asked ends at the owner; 0 if it has none there. Epoch ms or `Infinity`. */
  readonly boundUntilMs: number;
  /** As in its row; `undefined`: it has none. */
  readonly mobile: MobileKey | undefined;
  /** Since when the mobile has had its home address; epoch ms or `Infinity`. */
  readonly homeAddressSinceMs: number;
  readonly destination: Endpoint;
  /** Empty: the request was discarded silently. */
  readonly reply: Uint8Array;
}

/** Of a request that was discarded silently, and whose mobile has no row. */
export const DISCARDED: Omit<RelayReply, "requestId" | "destination"> = {
  type: "relay-reply",
  generation: 0,
  backups: [],
  knownUntilMs: 0,
  boundUntilMs: 0,
  mobile: undefined,
  homeAddressSinceMs: Number.POSITIVE_INFINITY,
  reply: new Uint8Array(),
};

export type Message = Heartbeat | RelayRequest | RelayReply;

const TYPES = ["heartbeat", "relay-request", "relay-reply"] as const satisfies readonly Message["type"][];
/** Room for the fixed fields of any body, two texts of 255 bytes and the names of up to 64 members. */
const FIXED_ROOM = 64 + 2 * 256 + 64 * 33;
const MAXIMUM_U32 = 0xffff_ffff;

export function encodeMessage(message: Message): { readonly type: number; readonly body: Uint8Array } {
  return { type: TYPES.indexOf(message.type) + 1, body: encodeBody(message) };
}

function encodeBody(message: Message): Uint8Array {
  switch (message.type) {
    case "heartbeat":
      return new ByteWriter(FIXED_ROOM)
        .u64(message.sentAtMs)
        .u64(message.systemTimeMs)
        .u8(HEALTH_STATES.indexOf(message.health === "guarding" ? "down" : message.health))
        .u8(flagsOf(message))
        .u16(Math.min(Math.round(message.load.eventLoopDelayMs), 0xffff))
        .u32(saturate(message.load.ownedBindings))
        .u32(saturate(message.load.registrationsPerSecond))
        .u32(saturate(message.load.storeQueue))
        .shortTexts(message.silent)
        .u32(message.unfitCount)
        .u32(message.heardUnfitCount)
        .u32(message.membersDigest)
        .written();
    case "relay-request":
      return new ByteWriter(FIXED_ROOM + message.request.length)
        .u64(message.requestId)
        .u32(message.minimumGeneration)
        .endpoint(message.source)
        .endpoint(message.destination)
        .u8(message.hopLimit)
        .shortText(message.ingress)
        .u16(message.request.length)
        .bytes(message.request)
        .written();
    case "relay-reply":
      return new ByteWriter(FIXED_ROOM + message.reply.length)
        .u64(message.requestId)
        .u32(message.generation)
        .time(message.knownUntilMs)
        .time(message.boundUntilMs)
        .time(message.homeAddressSinceMs)
        .endpoint(message.destination)
        .shortTexts(message.backups)
        .text(message.mobile ?? "")
        .u16(message.reply.length)
        .bytes(message.reply)
        .written();
  }
}

/** Throws a `FrameFormatError`. */
export function decodeMessage(type: number, reader: ByteReader): Message {
  switch (TYPES[type - 1]) {
    case "heartbeat":
      return decodeHeartbeat(reader);
    case "relay-request":
      return decodeRelayRequest(reader);
    case "relay-reply":
      return decodeRelayReply(reader);
    default:
      throw new FrameFormatError(`unknown frame type ${type}`);
  }
}

function decodeHeartbeat(reader: ByteReader): Heartbeat {
  const sentAtMs = reader.u64();
  const systemTimeMs = reader.u64();
  const told = HEALTH_STATES[reader.u8()];
  if (told === undefined || told === "guarding") throw new FrameFormatError("unknown health state");
  const flags = reader.u8();
  const health = told === "down" && (flags & FLAG_GUARDING) !== 0 ? "guarding" : told;
  const eventLoopDelayMs = reader.u16();
  const load = {
    ownedBindings: reader.u32(),
    registrationsPerSecond: reader.u32(),
    eventLoopDelayMs,
    storeQueue: reader.u32(),
  };
  const silent = reader.shortTexts();
  // Appended later: members of the first version don't send them.
  const hasCounts = reader.rest().length > 0;
  return {
    type: "heartbeat",
    sentAtMs,
    systemTimeMs,
    health,
    announced: (flags & FLAG_ANNOUNCED) !== 0,
    load,
    takesLinkRelay: (flags & FLAG_LINK_RELAY) !== 0,
    canStore: (flags & FLAG_CAN_STORE) !== 0,
    silent,
    unfitCount: hasCounts ? reader.u32() : 0,
    heardUnfitCount: hasCounts ? reader.u32() : 0,
    membersDigest: reader.rest().length > 0 ? reader.u32() : 0,
    isTimeCertain: (flags & FLAG_TIME_CERTAIN) !== 0,
  };
}

function decodeRelayRequest(reader: ByteReader): RelayRequest {
  const requestId = reader.u64();
  const minimumGeneration = reader.u32();
  const source = reader.endpoint();
  const destination = reader.endpoint();
  const hopLimit = reader.u8();
  const ingress = reader.shortText();
  const request = readSized(reader);
  return { type: "relay-request", requestId, ingress, hopLimit, minimumGeneration, source, destination, request };
}

function decodeRelayReply(reader: ByteReader): RelayReply {
  const requestId = reader.u64();
  const generation = reader.u32();
  const knownUntilMs = reader.time();
  const boundUntilMs = reader.time();
  const homeAddressSinceMs = reader.time();
  const destination = reader.endpoint();
  const backups = reader.shortTexts();
  const mobile = readMobile(reader);
  const reply = readSized(reader);
  const told = { generation, knownUntilMs, boundUntilMs, mobile, homeAddressSinceMs, backups };
  return { type: "relay-reply", requestId, ...told, destination, reply };
}

function readMobile(reader: ByteReader): MobileKey | undefined {
  const key = reader.text();
  if (key === "") return undefined;
  if (!isMobileKey(key)) throw new FrameFormatError("text that is no mobile key");
  return key;
}

function readSized(reader: ByteReader): Uint8Array {
  const length = reader.u16();
  const rest = reader.rest();
  if (rest.length < length) throw new FrameFormatError("message shorter than its length field");
  return rest.subarray(0, length);
}

function flagsOf({ announced, health, takesLinkRelay, canStore, isTimeCertain }: Heartbeat): number {
  return (
    (announced ? FLAG_ANNOUNCED : 0) |
    (health === "guarding" ? FLAG_GUARDING : 0) |
    (takesLinkRelay ? FLAG_LINK_RELAY : 0) |
    (canStore ? FLAG_CAN_STORE : 0) |
    (isTimeCertain ? FLAG_TIME_CERTAIN : 0)
  );
}

function saturate(value: number): number {
  return Math.min(Math.max(Math.round(value), 0), MAXIMUM_U32);
}
