/**
 * The BFD Control packet without authentication, RFC 5880 4.1:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
 *     |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *     +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
 *     |                       My Discriminator                        |
 *     |                      Your Discriminator                       |
 *     |                    Desired Min TX Interval                    |   µs, as the two below
 *     |                   Required Min RX Interval                    |
 *     |                 Required Min Echo RX Interval                 |
 *     +---------------------------------------------------------------+
 */

/** Where they are sent to, RFC 5881 4. */
export const BFD_CONTROL_PORT = 3784;

/** By their numbers in the packet. */
const SESSION_STATES = ["admin-down", "down", "init", "up"] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** RFC 5880 4.1; the ones we send. */
export const Diagnostic = {
  none: 0,
  detectionTimeExpired: 1,
  neighborSignaledDown: 3,
  pathDown: 5,
  administrativelyDown: 7,
} as const;

const DIAGNOSTIC_TEXTS = [
  "no diagnostic",
  "the detection time has expired",
  "the echo function has failed",
  "the neighbor signaled it down",
  "the forwarding plane was reset",
  "the path is down",
  "a concatenated path is down",
  "administratively down",
  "a reverse concatenated path is down",
] as const;

/** For people. */
export function describeDiagnostic(diagnostic: number): string {
  return DIAGNOSTIC_TEXTS[diagnostic] ?? `diagnostic ${diagnostic}`;
}

export interface ControlPacket {
  readonly state: SessionState;
  readonly diagnostic: number;
  readonly poll: boolean;
  readonly final: boolean;
  readonly controlPlaneIndependent: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  /** 0 while the sender has not heard the other's. */
  readonly yourDiscriminator: number;
  readonly desiredMinTxUs: number;
  /** 0: the sender wants no periodic packets. */
  readonly requiredMinRxUs: number;
  /** 0: the sender doesn't loop back Echo packets. */
  readonly requiredMinEchoRxUs: number;
}

/** Why a packet is discarded regardless of its session. Reasons are stable: they name counters. */
export type PacketFault =
  | "wrong-version"
  | "wrong-length"
  | "zero-detect-multiplier"
  | "multipoint"
  | "zero-discriminator"
  | "state-without-discriminator"
  | "authentication";

export type DecodedPacket =
  | { readonly ok: true; readonly packet: ControlPacket }
  | { readonly ok: false; readonly fault: PacketFault };

const VERSION = 1;
const LENGTH = 24;
const LENGTH_WITH_AUTHENTICATION = 26;

const Flag = { poll: 0x20, final: 0x10, controlPlaneIndependent: 0x08, authentication: 0x04, demand: 0x02 } as const;
const MULTIPOINT = 0x01;

export function encodeControlPacket(packet: ControlPacket): Uint8Array {
  const bytes = Buffer.alloc(LENGTH);
  const flags = [
    packet.poll && Flag.poll,
    packet.final && Flag.final,
    packet.controlPlaneIndependent && Flag.controlPlaneIndependent,
    packet.demand && Flag.demand,
  ].reduce<number>((sum, bit) => sum | (bit || 0), 0);
  bytes.writeUInt8((VERSION << 5) | packet.diagnostic, 0);
  bytes.writeUInt8((SESSION_STATES.indexOf(packet.state) << 6) | flags, 1);
  bytes.writeUInt8(packet.detectMultiplier, 2);
  bytes.writeUInt8(LENGTH, 3);
  bytes.writeUInt32BE(packet.myDiscriminator, 4);
  bytes.writeUInt32BE(packet.yourDiscriminator, 8);
  bytes.writeUInt32BE(packet.desiredMinTxUs, 12);
  bytes.writeUInt32BE(packet.requiredMinRxUs, 16);
  bytes.writeUInt32BE(packet.requiredMinEchoRxUs, 20);
  return bytes;
}

/** With the checks of RFC 5880 6.8.6 that need no session, in their order. No authentication is in use. */
export function decodeControlPacket(payload: Uint8Array): DecodedPacket {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  // The packet is too short for the fields that say what is wrong.
  if (bytes.length < LENGTH) return { ok: false, fault: "wrong-length" };
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  const length = bytes.readUInt8(3);
  const has = (bit: number) => (second & bit) !== 0;
  const packet: ControlPacket = {
    state: SESSION_STATES[second >> 6] ?? "down",
    diagnostic: first & 0x1f,
    poll: has(Flag.poll),
    final: has(Flag.final),
    controlPlaneIndependent: has(Flag.controlPlaneIndependent),
    demand: has(Flag.demand),
    detectMultiplier: bytes.readUInt8(2),
    myDiscriminator: bytes.readUInt32BE(4),
    yourDiscriminator: bytes.readUInt32BE(8),
    desiredMinTxUs: bytes.readUInt32BE(12),
    requiredMinRxUs: bytes.readUInt32BE(16),
    requiredMinEchoRxUs: bytes.readUInt32BE(20),
  };
  const leastLength = has(Flag.authentication) ? LENGTH_WITH_AUTHENTICATION : LENGTH;
  const faults: readonly (readonly [boolean, PacketFault])[] = [
    [first >> 5 !== VERSION, "wrong-version"],
    [length < leastLength || length > bytes.length, "wrong-length"],
    [packet.detectMultiplier === 0, "zero-detect-multiplier"],
    [has(MULTIPOINT), "multipoint"],
    [packet.myDiscriminator === 0, "zero-discriminator"],
    [packet.yourDiscriminator === 0 && !isDown(packet.state), "state-without-discriminator"],
    [has(Flag.authentication), "authentication"],
  ];
  const found = faults.find(([isFault]) => isFault);
  return found === undefined ? { ok: true, packet } : { ok: false, fault: found[1] };
}

function isDown(state: SessionState): boolean {
  return state === "down" || state === "admin-down";
}
