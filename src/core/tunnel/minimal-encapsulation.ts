/**
 * Minimal encapsulation (RFC 2004 3): the original header is changed, and what it said goes behind it.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Protocol    |S|  reserved   |        Header Checksum        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                 Original Destination Address                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   :            (if present) Original Source Address               :
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { internetChecksum } from "../wire/internet-checksum.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import {
  type ChangedIpv4Header,
  changeIpv4Header,
  IPV4_HEADER_LENGTH,
  type Ipv4Header,
  viewOf,
} from "./ipv4-packet.ts";

const SOURCE_PRESENT = 0x80;
const LENGTH_WITH_SOURCE = 12;
const LENGTH_WITHOUT_SOURCE = 8;

/** "MUST NOT be used" for fragments (RFC 2004 3), which are told apart in the header that it changes; nor do options go through. */
export function canBeMinimal({ headerLength, isFragment }: Ipv4Header): boolean {
  return headerLength === IPV4_HEADER_LENGTH && !isFragment;
}

/** Of a packet that can be encapsulated so. The TTL stays: hops of the tunnel count. */
export function encodeMinimal(inner: Uint8Array, header: Ipv4Header, outer: ChangedIpv4Header): Uint8Array {
  const packet = new Uint8Array(inner.length + LENGTH_WITH_SOURCE);
  packet.set(inner.subarray(0, IPV4_HEADER_LENGTH));
  packet.set(inner.subarray(IPV4_HEADER_LENGTH), IPV4_HEADER_LENGTH + LENGTH_WITH_SOURCE);
  const forwarding = packet.subarray(IPV4_HEADER_LENGTH, IPV4_HEADER_LENGTH + LENGTH_WITH_SOURCE);
  const view = viewOf(forwarding);
  view.setUint8(0, header.protocol);
  view.setUint8(1, SOURCE_PRESENT);
  view.setUint32(4, header.destination);
  view.setUint32(8, header.source);
  view.setUint16(2, internetChecksum(forwarding));
  changeIpv4Header(packet, IPV4_HEADER_LENGTH, outer);
  return packet;
}

/** The original packet, of a whole one without IP options. */
export function decodeMinimal(
  outer: Uint8Array,
): { readonly packet: Uint8Array } | { readonly fault: "length" | "checksum" } {
  const forwarding = outer.subarray(IPV4_HEADER_LENGTH);
  if (forwarding.length < LENGTH_WITHOUT_SOURCE) return { fault: "length" };
  const view = viewOf(forwarding);
  const hasSource = (view.getUint8(1) & SOURCE_PRESENT) !== 0;
  const length = hasSource ? LENGTH_WITH_SOURCE : LENGTH_WITHOUT_SOURCE;
  if (forwarding.length < length) return { fault: "length" };
  if (internetChecksum(forwarding.subarray(0, length)) !== 0) return { fault: "checksum" };
  const packet = new Uint8Array(outer.length - length);
  packet.set(outer.subarray(0, IPV4_HEADER_LENGTH));
  packet.set(forwarding.subarray(length), IPV4_HEADER_LENGTH);
  changeIpv4Header(packet, IPV4_HEADER_LENGTH, {
    protocol: view.getUint8(0),
    destination: view.getUint32(4) as Ipv4Address,
    ...(hasSource ? { source: view.getUint32(8) as Ipv4Address } : {}),
  });
  return { packet };
}
