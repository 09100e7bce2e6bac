/** IPv4 packets (RFC 791 3.1), as far as tunnels look at them. */
import { internetChecksum } from "../wire/internet-checksum.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";

export const IPV4_HEADER_LENGTH = 20;
export const MAXIMUM_IPV4_LENGTH = 65_535;

const VERSION_AND_HEADER_WORDS = 0x45;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

export interface Ipv4Header {
  /** 4, if it is a header of IPv4 at all. */
  readonly version: number;
  /** Octets, options included. */
  readonly headerLength: number;
  /** DSCP and ECN (RFC 2474, RFC 3168). */
  readonly trafficClass: number;
  /** Octets of the whole packet. */
  readonly totalLength: number;
  readonly dontFragment: boolean;
  /** A piece of a larger packet, be it the first one. */
  readonly isFragment: boolean;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
}

/** The fields that `packet` begins with, whether or not they make sense; `undefined` where it is too short for them. */
export function readIpv4Header(packet: Uint8Array): Ipv4Header | undefined {
  if (packet.length < IPV4_HEADER_LENGTH) return undefined;
  const view = viewOf(packet);
  const first = view.getUint8(0);
  const fragment = view.getUint16(6);
  return {
    version: first >> 4,
    headerLength: (first & 0xf) * 4,
    trafficClass: view.getUint8(1),
    totalLength: view.getUint16(2),
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    isFragment: (fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0,
    protocol: view.getUint8(9),
    source: view.getUint32(12) as Ipv4Address,
    destination: view.getUint32(16) as Ipv4Address,
  };
}

/** A packet that the kernel has routed: octets behind its end are none of it. */
export function readWholePacket(
  bytes: Uint8Array,
): { readonly header: Ipv4Header; readonly packet: Uint8Array } | "truncated" | "not-ipv4" {
  const header = readIpv4Header(bytes);
  if (header === undefined) return "truncated";
  if (header.version !== 4) return "not-ipv4";
  const { headerLength, totalLength } = header;
  if (totalLength > bytes.length || headerLength < IPV4_HEADER_LENGTH || headerLength > totalLength) return "truncated";
  return { header, packet: bytes.subarray(0, totalLength) };
}

export function hasRightChecksum(packet: Uint8Array, headerLength: number): boolean {
  return internetChecksum(packet.subarray(0, headerLength)) === 0;
}

export interface NewIpv4Header {
  readonly trafficClass: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
}

/** Writes a header without options to the start of `packet`, whose length is the total length. */
export function writeIpv4Header(packet: Uint8Array, fields: NewIpv4Header): void {
  const view = viewOf(packet);
  view.setUint8(0, VERSION_AND_HEADER_WORDS);
  view.setUint8(1, fields.trafficClass);
  view.setUint16(2, packet.length);
  view.setUint16(4, fields.identification);
  view.setUint16(6, fields.dontFragment ? DONT_FRAGMENT : 0);
  view.setUint8(8, fields.timeToLive);
  view.setUint8(9, fields.protocol);
  view.setUint32(12, fields.source);
  view.setUint32(16, fields.destination);
  renewChecksum(packet, IPV4_HEADER_LENGTH);
}

/** Fields of a header that tunnels change; what isn't given stays. */
export interface ChangedIpv4Header {
  readonly trafficClass?: number;
  readonly protocol?: number;
  readonly source?: Ipv4Address;
  readonly destination?: Ipv4Address;
}

/** Changes the header that `packet` begins with. Its length becomes the total length. */
export function changeIpv4Header(packet: Uint8Array, headerLength: number, changes: ChangedIpv4Header): void {
  const view = viewOf(packet);
  const { trafficClass, protocol, source, destination } = changes;
  view.setUint16(2, packet.length);
  if (trafficClass !== undefined) view.setUint8(1, trafficClass);
  if (protocol !== undefined) view.setUint8(9, protocol);
  if (source !== undefined) view.setUint32(12, source);
  if (destination !== undefined) view.setUint32(16, destination);
  renewChecksum(packet, headerLength);
}

function renewChecksum(packet: Uint8Array, headerLength: number): void {
  const view = viewOf(packet);
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(packet.subarray(0, headerLength)));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
