/** IPv4 packets as tests want them: right unless a test says otherwise. */
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

export const IP_IN_IP = 4;
const UDP = 17;
export const GRE = 47;
export const MINIMAL = 55;
/** To the loopback interface, on which test runs are, from nobody. */
const ETHERNET_HEADER = Buffer.from("0000000000000000000000000800", "hex");

export interface HeaderFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly tos?: number;
  readonly identification?: number;
  /** Flags and fragment offset. */
  readonly fragment?: number;
  readonly ttl?: number;
  readonly version?: number;
  /** In words of four octets. */
  readonly headerLength?: number;
  readonly totalLength?: number;
  readonly checksum?: number;
}

export const DONT_FRAGMENT = 0x4000;
export const MORE_FRAGMENTS = 0x2000;

export function packet(header: HeaderFields, payload: Uint8Array = Buffer.from("payload of a test")): Buffer {
  const length = 20;
  const bytes = Buffer.alloc(length + payload.length);
  bytes[0] = ((header.version ?? 4) << 4) | (header.headerLength ?? 5);
  bytes[1] = header.tos ?? 0;
  bytes.writeUInt16BE(header.totalLength ?? bytes.length, 2);
  bytes.writeUInt16BE(header.identification ?? 0x1234, 4);
  bytes.writeUInt16BE(header.fragment ?? 0, 6);
  bytes[8] = header.ttl ?? 63;
  bytes[9] = header.protocol ?? UDP;
  bytes.writeUInt32BE(ipv4(header.source), 12);
  bytes.writeUInt32BE(ipv4(header.destination), 16);
  bytes.set(payload, length);
  // What the payload begins with are options then.
  const covered = bytes.subarray(0, Math.max(length, (header.headerLength ?? 5) * 4));
  bytes.writeUInt16BE(header.checksum ?? checksum(covered), 10);
  return bytes;
}

/** GRE without options unless flags say so. */
export function gre(payload: Uint8Array, { flags = 0, type = 0x0800 } = {}): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(flags, 0);
  header.writeUInt16BE(type, 2);
  return Buffer.concat([header, payload]);
}

/** GRE with a checksum (RFC 2784 2.3). */
export function greWithChecksum(payload: Uint8Array, { sum }: { readonly sum?: number } = {}): Buffer {
  const bytes = Buffer.concat([Buffer.from("8000080000000000", "hex"), payload]);
  bytes.writeUInt16BE(sum ?? checksum(bytes), 4);
  return bytes;
}

/** What minimal encapsulation puts behind the changed header of a packet without options (RFC 2004 3.1). */
export function minimalHeader(
  inner: Uint8Array,
  { hasSource = true, sum }: { hasSource?: boolean; sum?: number } = {},
) {
  const header = Buffer.alloc(hasSource ? 12 : 8);
  header[0] = inner[9] ?? 0;
  header[1] = hasSource ? 0x80 : 0;
  header.set(inner.subarray(16, 20), 4);
  if (hasSource) header.set(inner.subarray(12, 16), 8);
  header.writeUInt16BE(sum ?? checksum(header), 2);
  return header;
}

export function frame(payload: Uint8Array): Buffer {
  return Buffer.concat([ETHERNET_HEADER, payload]);
}

export function withoutEthernet(bytes: Buffer): Buffer {
  return bytes.subarray(ETHERNET_HEADER.length);
}

/** Of an even number of octets, or one more that counts as if a zero followed (RFC 1071). */
function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < header.length; index += 2) sum += ((header[index] ?? 0) << 8) | (header[index + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
