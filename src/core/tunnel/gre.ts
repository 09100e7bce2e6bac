/**
 * Generic Routing Encapsulation of IPv4 (RFC 2784 2, RFC 2890 2).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |C| |K|S|    Reserved     | Ver |     Protocol Type 0x0800      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Checksum (if C is set)    |       Reserved (if C)         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Key (if K is set)                      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                  Sequence Number (if S is set)                |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { internetChecksum } from "../wire/internet-checksum.ts";
import { viewOf } from "./ipv4-packet.ts";

const CHECKSUM_PRESENT = 0x8000;
const KEY_PRESENT = 0x2000;
const SEQUENCE_NUMBER_PRESENT = 0x1000;
/** Bits 1, 4 and 5, which RFC 1701 gave a meaning: "a receiver MUST discard a packet" with them (RFC 2784 2.1). */
const ROUTING_AND_STRICT = 0x4c00;
const VERSION = 0x0007;
const ETHERTYPE_IPV4 = 0x0800;
const WORD_LENGTH = 4;

/** Of a header without a key. */
export const GRE_HEADER_LENGTH = WORD_LENGTH;

export function encodeGre(inner: Uint8Array, key: number | undefined): Uint8Array {
  const headerLength = key === undefined ? GRE_HEADER_LENGTH : GRE_HEADER_LENGTH + WORD_LENGTH;
  const payload = new Uint8Array(headerLength + inner.length);
  const view = viewOf(payload);
  view.setUint16(0, key === undefined ? 0 : KEY_PRESENT);
  view.setUint16(2, ETHERTYPE_IPV4);
  if (key !== undefined) view.setUint32(GRE_HEADER_LENGTH, key);
  payload.set(inner, headerLength);
  return payload;
}

/**
 * What is in the payload of an IPv4 packet that is at least as long as the shortest header; `undefined` if it isn't IPv4 in
 * GRE. Sequence numbers are ignored, as ordering was not requested (RFC 2890 2.2).
 */
export function decodeGre(
  payload: Uint8Array,
): { readonly key: number | undefined; readonly packet: Uint8Array } | undefined {
  const view = viewOf(payload);
  const flags = view.getUint16(0);
  if ((flags & (ROUTING_AND_STRICT | VERSION)) !== 0 || view.getUint16(2) !== ETHERTYPE_IPV4) return undefined;
  let offset = GRE_HEADER_LENGTH;
  const next = (flag: number) => {
    if ((flags & flag) === 0) return undefined;
    offset += WORD_LENGTH;
    return offset - WORD_LENGTH;
  };
  const checksumAt = next(CHECKSUM_PRESENT);
  const keyAt = next(KEY_PRESENT);
  next(SEQUENCE_NUMBER_PRESENT);
  if (payload.length < offset) return undefined;
  if (checksumAt !== undefined && internetChecksum(payload) !== 0) return undefined;
  return { key: keyAt === undefined ? undefined : view.getUint32(keyAt), packet: payload.subarray(offset) };
}
