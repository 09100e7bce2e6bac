/**
 * Registration Request and Registration Reply, RFC 5944 3.3 and 3.4.
 *
 * Request (24 bytes, then extensions)
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Type = 1    |S|B|D|M|G|r|T|x|          Lifetime             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Home Address                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                           Home Agent                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Care-of Address                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Identification                         |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Extensions ...
 *
 * Reply (20 bytes, then extensions): Type = 3, Code, Lifetime, Home Address, Home Agent, Identification.
 */
import type { DecodeFault, DecodeResult } from "./decode-result.ts";
import { decodeExtensions, type Extension } from "./extension.ts";
import type { Ipv4Address } from "./ipv4.ts";

/** Flag bits of a Registration Request, by the letters of RFC 5944 3.3. */
export const RequestFlag = {
  /** Simultaneous bindings: keep the previous ones. */
  S: 0x80,
  /** Broadcast datagrams wanted. */
  B: 0x40,
  /** Decapsulation by the mobile node: the care-of address is co-located. */
  D: 0x20,
  /** Minimal encapsulation wanted. */
  M: 0x10,
  /** GRE encapsulation wanted. */
  G: 0x08,
  /** Reverse tunnelling wanted (RFC 3024). */
  T: 0x02,
} as const;

/** The first byte of a datagram, RFC 5944 1.8. */
export const MessageType = { RegistrationRequest: 1, RegistrationReply: 3 } as const;

/** The lifetime value that means "infinity", RFC 5944 3.3. */
export const INFINITE_LIFETIME = 0xffff;

/** The fields that requests and replies have in common. */
interface RegistrationMessage {
  /** Seconds; 0 deregisters or denies, `INFINITE_LIFETIME` never ends. */
  readonly lifetimeSeconds: number;
  readonly homeAddress: Ipv4Address;
  readonly homeAgent: Ipv4Address;
  /** 64 bits, RFC 5944 5.7. */
  readonly identification: bigint;
}

/** The fixed part of a Registration Request. */
export interface RequestFields extends RegistrationMessage {
  /** `RequestFlag` bits; the reserved bits r and x may be set and are ignored (docs/rfc5944.md). */
  readonly flags: number;
  readonly careOfAddress: Ipv4Address;
}

/** The fixed part of a Registration Reply. */
export interface ReplyFields extends RegistrationMessage {
  readonly code: number;
}

/** A decoded message remembers its bytes: authenticators cover ranges of them. */
export interface Decoded {
  readonly bytes: Uint8Array;
  /** In the order of the message, including those of unknown skippable types. */
  readonly extensions: readonly Extension[];
  /**
   * Set to the first fault if an extension could not be understood; `extensions` then holds all others (none after a
   * truncated one). The engine may still authenticate the mobile by them and reply with 134 (RFC 5944 3.4). It is never
   * "unsupported-extension": such a message is not decoded at all, because it must not be answered.
   */
  readonly fault?: DecodeFault;
}

export interface RegistrationRequest extends RequestFields, Decoded {}
export interface RegistrationReply extends ReplyFields, Decoded {}

const REQUEST_LENGTH = 24;
const REPLY_LENGTH = 20;

/** Keeps views of `bytes`, so the caller must not write to them afterwards. */
export function decodeRegistrationRequest(bytes: Uint8Array): DecodeResult<RegistrationRequest> {
  return decodeMessage(bytes, MessageType.RegistrationRequest, REQUEST_LENGTH, readRequestFields);
}

/** Keeps views of `bytes`, so the caller must not write to them afterwards. */
export function decodeRegistrationReply(bytes: Uint8Array): DecodeResult<RegistrationReply> {
  return decodeMessage(bytes, MessageType.RegistrationReply, REPLY_LENGTH, readReplyFields);
}

/** The 24 bytes before the extensions. */
export function encodeRequestFields(fields: RequestFields): Uint8Array {
  const bytes = new Uint8Array(REQUEST_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, MessageType.RegistrationRequest);
  view.setUint8(1, fields.flags);
  view.setUint16(2, fields.lifetimeSeconds);
  view.setUint32(4, fields.homeAddress);
  view.setUint32(8, fields.homeAgent);
  view.setUint32(12, fields.careOfAddress);
  view.setBigUint64(16, fields.identification);
  return bytes;
}

/** The 20 bytes before the extensions. */
export function encodeReplyFields(fields: ReplyFields): Uint8Array {
  const bytes = new Uint8Array(REPLY_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, MessageType.RegistrationReply);
  view.setUint8(1, fields.code);
  view.setUint16(2, fields.lifetimeSeconds);
  view.setUint32(4, fields.homeAddress);
  view.setUint32(8, fields.homeAgent);
  view.setBigUint64(12, fields.identification);
  return bytes;
}

function readRequestFields(view: DataView): RequestFields {
  return {
    flags: view.getUint8(1),
    lifetimeSeconds: view.getUint16(2),
    homeAddress: view.getUint32(4) as Ipv4Address,
    homeAgent: view.getUint32(8) as Ipv4Address,
    careOfAddress: view.getUint32(12) as Ipv4Address,
    identification: view.getBigUint64(16),
  };
}

function readReplyFields(view: DataView): ReplyFields {
  return {
    code: view.getUint8(1),
    lifetimeSeconds: view.getUint16(2),
    homeAddress: view.getUint32(4) as Ipv4Address,
    homeAgent: view.getUint32(8) as Ipv4Address,
    identification: view.getBigUint64(12),
  };
}

function decodeMessage<Fields>(
  bytes: Uint8Array,
  messageType: number,
  fixedLength: number,
  readFields: (view: DataView) => Fields,
): DecodeResult<Fields & Decoded> {
  if (bytes.length > 0 && bytes[0] !== messageType) return failed("unknown-message-type", 0);
  if (bytes.length < fixedLength) return failed("truncated-message", bytes.length);
  const decoded = decodeExtensions(bytes, fixedLength);
  if (!decoded.ok) return decoded;
  const fields = readFields(new DataView(bytes.buffer, bytes.byteOffset, fixedLength));
  const { extensions, fault } = decoded;
  return { ok: true, message: { ...fields, bytes, extensions, ...(fault === undefined ? {} : { fault }) } };
}

function failed(
  reason: "unknown-message-type" | "truncated-message",
  offset: number,
): { ok: false; fault: DecodeFault } {
  return { ok: false, fault: { reason, offset } };
}
