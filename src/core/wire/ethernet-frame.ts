/**
 * UDP in IPv4 in Ethernet, for datagrams that are relayed to the MAC address of another home agent while their IP
 * destination stays the virtual address, so that the kernel would choose another link-layer destination.
 *
 *   Ethernet II    destination MAC, source MAC, type 0x0800
 *   IPv4           RFC 791; not to be fragmented, so its identification may be 0 (RFC 6864 4.1)
 *   UDP            RFC 768
 */
import { internetChecksum } from "./internet-checksum.ts";
import type { Endpoint } from "./ipv4.ts";
import type { MacAddress } from "./mac-address.ts";

export interface EthernetUdpDatagram {
  readonly sourceMac: MacAddress;
  readonly destinationMac: MacAddress;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly payload: Uint8Array;
}

const ETHERNET_HEADER_LENGTH = 14;
const IPV4_HEADER_LENGTH = 20;
const UDP_HEADER_LENGTH = 8;
const HEADERS_LENGTH = ETHERNET_HEADER_LENGTH + IPV4_HEADER_LENGTH + UDP_HEADER_LENGTH;
const MAXIMUM_IPV4_LENGTH = 65_535;

const ETHERTYPE_IPV4 = 0x0800;
const VERSION_AND_HEADER_WORDS = 0x45;
const DONT_FRAGMENT = 0x4000;
/** The receiver is on the link, and the packet must not be forwarded: a router that gets it by mistake drops it. */
const TIME_TO_LIVE = 1;
const PROTOCOL_UDP = 17;

/** `undefined` if it is too long for an IPv4 packet. */
export function encodeEthernetUdp(datagram: EthernetUdpDatagram): Uint8Array | undefined {
  const { source, destination, payload } = datagram;
  const ipv4Length = IPV4_HEADER_LENGTH + UDP_HEADER_LENGTH + payload.length;
  if (ipv4Length > MAXIMUM_IPV4_LENGTH) return undefined;
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + ipv4Length);
  const view = new DataView(frame.buffer);
  writeMac(view, 0, datagram.destinationMac);
  writeMac(view, 6, datagram.sourceMac);
  view.setUint16(12, ETHERTYPE_IPV4);

  const ip = ETHERNET_HEADER_LENGTH;
  view.setUint8(ip, VERSION_AND_HEADER_WORDS);
  view.setUint16(ip + 2, ipv4Length);
  view.setUint16(ip + 6, DONT_FRAGMENT);
  view.setUint8(ip + 8, TIME_TO_LIVE);
  view.setUint8(ip + 9, PROTOCOL_UDP);
  view.setUint32(ip + 12, source.address);
  view.setUint32(ip + 16, destination.address);
  view.setUint16(ip + 10, internetChecksum(frame.subarray(ip, ip + IPV4_HEADER_LENGTH)));

  const udp = ip + IPV4_HEADER_LENGTH;
  const udpLength = UDP_HEADER_LENGTH + payload.length;
  view.setUint16(udp, source.port);
  view.setUint16(udp + 2, destination.port);
  view.setUint16(udp + 4, udpLength);
  frame.set(payload, HEADERS_LENGTH);
  // The pseudo header's addresses are those at the end of the IPv4 header.
  const checksum = internetChecksum(frame.subarray(ip + 12), PROTOCOL_UDP + udpLength);
  // 0 would mean that there is no checksum.
  view.setUint16(udp + 6, checksum === 0 ? 0xffff : checksum);
  return frame;
}

function writeMac(view: DataView, offset: number, mac: MacAddress): void {
  view.setUint16(offset, Math.floor(mac / 2 ** 32));
  view.setUint32(offset + 2, mac % 2 ** 32);
}
