/**
 * Tunnels in UDP, which pass NATs (RFC 3519 3.3, 4.2, 4.3). To an encapsulation of its own each adds two headers behind the outer
 * one, and without them it is that encapsulation again.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |          Source Port          |       Destination Port        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |            Length             |          Checksum 0           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |    Type 4     |  Next Header  |           Reserved            |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { internetChecksum } from "../wire/internet-checksum.ts";
import { changeIpv4Header, IPV4_HEADER_LENGTH, viewOf } from "./ipv4-packet.ts";

export const PROTOCOL_UDP = 17;
const TUNNEL_DATA_MESSAGE = 4;
const UDP_HEADER_LENGTH = 8;
const HEADERS_LENGTH = UDP_HEADER_LENGTH + 4;

export interface UdpPorts {
  readonly source: number;
  readonly destination: number;
}

/** A whole packet of another tunnel protocol, which becomes the Next Header. */
export function intoUdp(packet: Uint8Array, nextHeader: number, ports: UdpPorts): Uint8Array {
  const longer = new Uint8Array(packet.length + HEADERS_LENGTH);
  longer.set(packet.subarray(0, IPV4_HEADER_LENGTH));
  longer.set(packet.subarray(IPV4_HEADER_LENGTH), IPV4_HEADER_LENGTH + HEADERS_LENGTH);
  const view = viewOf(longer.subarray(IPV4_HEADER_LENGTH));
  view.setUint16(0, ports.source);
  view.setUint16(2, ports.destination);
  view.setUint16(4, longer.length - IPV4_HEADER_LENGTH);
  view.setUint8(8, TUNNEL_DATA_MESSAGE);
  view.setUint8(9, nextHeader);
  changeIpv4Header(longer, IPV4_HEADER_LENGTH, { protocol: PROTOCOL_UDP });
  return longer;
}

/** The packet of the tunnel protocol that it is about; `undefined` for one of UDP that is no tunnel's. */
export function outOfUdp(packet: Uint8Array): { readonly packet: Uint8Array; readonly ports: UdpPorts } | undefined {
  const udp = packet.subarray(IPV4_HEADER_LENGTH);
  if (udp.length < HEADERS_LENGTH) return undefined;
  const view = viewOf(udp);
  if (view.getUint16(4) !== udp.length || view.getUint8(8) !== TUNNEL_DATA_MESSAGE) return undefined;
  // The pseudo header's addresses are those at the end of the IPv4 header; 0 says that there is no checksum (RFC 768).
  const isRight = view.getUint16(6) === 0 || internetChecksum(packet.subarray(12), PROTOCOL_UDP + udp.length) === 0;
  if (!isRight) return undefined;
  const shorter = new Uint8Array(packet.length - HEADERS_LENGTH);
  shorter.set(packet.subarray(0, IPV4_HEADER_LENGTH));
  shorter.set(udp.subarray(HEADERS_LENGTH), IPV4_HEADER_LENGTH);
  changeIpv4Header(shorter, IPV4_HEADER_LENGTH, { protocol: view.getUint8(9) });
  return { packet: shorter, ports: { source: view.getUint16(0), destination: view.getUint16(2) } };
}
