import { isIPv4 } from "node:net";

declare const ipv4Address: unique symbol;

/**
 * An IPv4 address as an unsigned 32-bit number in host order: cheap as a map key, and never mistaken for a plain number.
 */
export type Ipv4Address = number & { readonly [ipv4Address]: true };

/** A UDP endpoint. */
export interface Endpoint {
  readonly address: Ipv4Address;
  readonly port: number;
}

/** An IPv4 network in canonical form: no host bits are set in `address`. */
export interface Ipv4Prefix {
  readonly address: Ipv4Address;
  readonly length: number;
}

/** An inclusive range of IPv4 addresses. */
export interface Ipv4Range {
  readonly first: Ipv4Address;
  readonly last: Ipv4Address;
}

/** 0.0.0.0: "no home address yet" (RFC 2794 2) and "any home agent" (RFC 4433). */
export const UNSPECIFIED = 0 as Ipv4Address;

/** 255.255.255.255. */
export const LIMITED_BROADCAST = 0xffffffff as Ipv4Address;

/** RFC 1122 3.2.1.3 g. */
export const LOOPBACK: Ipv4Prefix = { address: 0x7f000000 as Ipv4Address, length: 8 };

/**
 * Addresses below are "this network", RFC 1122 3.2.1.3; from the other one on they are multicast, reserved, or
 * 255.255.255.255.
 */
const FIRST_HOST_ADDRESS = 0x01000000;
const FIRST_MULTICAST_ADDRESS = 0xe0000000;

const DOT = ".".charCodeAt(0);
const DIGIT_ZERO = "0".charCodeAt(0);

/**
 * Dotted-quad text to an address; `undefined` if the text is anything else. It runs once per datagram, where `split` would
 * cost ten times as much.
 */
export function parseIpv4(text: string): Ipv4Address | undefined {
  if (!isIPv4(text)) return undefined;
  let address = 0;
  let byte = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      address = (address << 8) | byte;
      byte = 0;
    } else byte = byte * 10 + (code - DIGIT_ZERO);
  }
  return (((address << 8) | byte) >>> 0) as Ipv4Address;
}

/** For literals in our own code: throws where `parseIpv4` returns `undefined`. */
export function ipv4(text: string): Ipv4Address {
  const address = parseIpv4(text);
  if (address === undefined) throw new TypeError(`not an IPv4 address: ${text}`);
  return address;
}

export function formatIpv4(address: Ipv4Address): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `A.B.C.D/LENGTH` without host bits; `undefined` if the text is anything else. */
export function parsePrefix(text: string): Ipv4Prefix | undefined {
  const [addressText = "", lengthText = "", ...rest] = text.split("/");
  const address = parseIpv4(addressText);
  if (address === undefined || rest.length > 0 || !/^(\d|[12]\d|3[0-2])$/.test(lengthText)) return undefined;
  const prefix = { address, length: Number(lengthText) };
  return (address & ~netmask(prefix.length)) === 0 ? prefix : undefined;
}

export function formatPrefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`;
}

export function formatEndpoint(endpoint: Endpoint): string {
  return `${formatIpv4(endpoint.address)}:${endpoint.port}`;
}

export function prefixContains(prefix: Ipv4Prefix, address: Ipv4Address): boolean {
  return ((address ^ prefix.address) & netmask(prefix.length)) === 0;
}

/** The subnet-directed broadcast address of a network. */
export function directedBroadcast(prefix: Ipv4Prefix): Ipv4Address {
  return ((prefix.address | ~netmask(prefix.length)) >>> 0) as Ipv4Address;
}

/** Whether it can be the address of a host, including the loopback interface. */
export function isHostAddress(address: Ipv4Address): boolean {
  return address >= FIRST_HOST_ADDRESS && address < FIRST_MULTICAST_ADDRESS;
}

export function rangeContains(range: Ipv4Range, address: Ipv4Address): boolean {
  return address >= range.first && address <= range.last;
}

function netmask(length: number): number {
  return length === 0 ? 0 : -1 << (32 - length);
}
