/** IPv4 packets in IPv4 packets, as home agents, foreign agents and mobile nodes exchange them (RFC 5944 1.2, 4.2.3). */
import type { Encapsulation } from "../forwarding/forwarding-entry.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reasons.ts";
import { decodeGre, encodeGre, GRE_HEADER_LENGTH } from "./gre.ts";
import {
  hasRightChecksum,
  IPV4_HEADER_LENGTH,
  type Ipv4Header,
  MAXIMUM_IPV4_LENGTH,
  readIpv4Header,
  writeIpv4Header,
} from "./ipv4-packet.ts";
import { canBeMinimal, decodeMinimal, encodeMinimal } from "./minimal-encapsulation.ts";
import { intoUdp, outOfUdp, PROTOCOL_UDP, type UdpPorts } from "./udp-tunnel.ts";

/** Of the outer header. */
export const TUNNEL_PROTOCOLS: Readonly<Record<Encapsulation, number>> = { "ip-in-ip": 4, gre: 47, minimal: 55 };

/** "A value appropriate for delivery of the encapsulated datagram to the tunnel exit point" (RFC 2003 3.1). */
const OUTER_TIME_TO_LIVE = 64;

/** How a packet is put into another one. */
export interface TunnelForm {
  readonly encapsulation: Encapsulation;
  /** RFC 2890 2.1; absent: packets of GRE carry no key. */
  readonly greKey?: number;
  /** Between them, where the tunnel passes a NAT (RFC 3519). */
  readonly udpPorts?: UdpPorts;
}

/** Of the outer header: where the tunnel begins, and where it ends. */
export interface TunnelEnds {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
}

/** A packet that has left its tunnel. */
export interface Decapsulated extends TunnelEnds, TunnelForm {
  /** DSCP and ECN of the outer header. */
  readonly outerTrafficClass: number;
  /** Of the inner packet. */
  readonly header: Ipv4Header;
  /** Where nothing had to be changed, a part of what was received. */
  readonly packet: Uint8Array;
}

/**
 * @param inner a whole packet that begins with `header`
 * @param identification of the outer header, 16 bits: it should differ from packet to packet
 * @returns `undefined` if it would be too long for IPv4
 */
export function encapsulate(
  inner: Uint8Array,
  header: Ipv4Header,
  { source, destination }: TunnelEnds,
  { encapsulation, greKey, udpPorts }: TunnelForm,
  identification: number,
): Uint8Array | undefined {
  const used = formFor(encapsulation, header);
  const protocol = TUNNEL_PROTOCOLS[used];
  const packet =
    used === "minimal"
      ? encodeMinimal(inner, header, { protocol, source, destination })
      : behindHeader(used === "gre" ? encodeGre(inner, greKey) : inner, {
          // DSCP as a uniform tunnel has it (RFC 2983), ECN in the normal mode of RFC 6040 4.1.
          trafficClass: header.trafficClass,
          identification,
          // "If the 'Don't Fragment' bit is set in the inner IP header, it MUST be set in the outer IP header" (RFC 2003 3.1).
          dontFragment: header.dontFragment,
          timeToLive: OUTER_TIME_TO_LIVE,
          protocol,
          source,
          destination,
        });
  const whole = udpPorts === undefined ? packet : intoUdp(packet, protocol, udpPorts);
  return whole.length > MAXIMUM_IPV4_LENGTH ? undefined : whole;
}

/** Each end of a tunnel takes IP in IP too (RFC 5944 4.2.3). */
function formFor(encapsulation: Encapsulation, header: Ipv4Header): Encapsulation {
  return encapsulation === "minimal" && !canBeMinimal(header) ? "ip-in-ip" : encapsulation;
}

/** Whether a packet came as its tunnel was agreed on. */
export function isAsRegistered(taken: TunnelForm, registered: Pick<TunnelForm, "encapsulation">): boolean {
  const isFallback = registered.encapsulation === "minimal" && taken.encapsulation === "ip-in-ip";
  return (taken.encapsulation === registered.encapsulation || isFallback) && taken.greKey === undefined;
}

function behindHeader(payload: Uint8Array, header: Parameters<typeof writeIpv4Header>[1]): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + payload.length);
  packet.set(payload, IPV4_HEADER_LENGTH);
  writeIpv4Header(packet, header);
  return packet;
}

/** `outer`: of one of the protocols above or in UDP, reassembled if it came in fragments; octets beyond its length aren't its. */
export function decapsulate(outer: Uint8Array): Decapsulated | DropReason {
  const header = readIpv4Header(outer);
  if (header === undefined) return "truncated";
  if (header.version !== 4 || header.headerLength !== IPV4_HEADER_LENGTH) return "outer-options";
  if (header.isFragment) return "outer-fragment";
  if (!hasRightChecksum(outer, IPV4_HEADER_LENGTH)) return "outer-checksum";
  if (header.totalLength > outer.length || header.totalLength < IPV4_HEADER_LENGTH) return "outer-length";
  const received = outer.subarray(0, header.totalLength);
  if (header.protocol !== PROTOCOL_UDP) return open(received, header);
  const native = outOfUdp(received);
  if (native === undefined) return "udp-header";
  const opened = open(native.packet, { ...header, protocol: native.packet[9] ?? 0 });
  return typeof opened === "string" ? opened : { ...opened, udpPorts: native.ports };
}

function open(outer: Uint8Array, outerHeader: Ipv4Header): Decapsulated | DropReason {
  const taken = take(outer, outerHeader.protocol);
  if (typeof taken === "string") return taken;
  const { packet } = taken;
  const header = readIpv4Header(packet);
  if (header === undefined) return "outer-length";
  if (header.version !== 4 || header.headerLength < IPV4_HEADER_LENGTH) return "inner-header";
  if (header.totalLength !== packet.length || header.totalLength < header.headerLength) return "inner-length";
  if (!hasRightChecksum(packet, header.headerLength)) return "inner-checksum";
  const { source, destination, trafficClass } = outerHeader;
  return { ...taken, source, destination, outerTrafficClass: trafficClass, header };
}

/** What is in the tunnel, not looked at yet. */
function take(outer: Uint8Array, protocol: number): (TunnelForm & { readonly packet: Uint8Array }) | DropReason {
  const payload = outer.subarray(IPV4_HEADER_LENGTH);
  switch (protocol) {
    case TUNNEL_PROTOCOLS["ip-in-ip"]:
      return { encapsulation: "ip-in-ip", packet: payload };
    case TUNNEL_PROTOCOLS.gre: {
      if (payload.length < GRE_HEADER_LENGTH + IPV4_HEADER_LENGTH) return "outer-length";
      const decoded = decodeGre(payload);
      if (decoded === undefined) return "gre-header";
      const { key, packet } = decoded;
      return { encapsulation: "gre", packet, ...(key === undefined ? {} : { greKey: key }) };
    }
    case TUNNEL_PROTOCOLS.minimal: {
      const decoded = decodeMinimal(outer);
      if ("packet" in decoded) return { encapsulation: "minimal", packet: decoded.packet };
      return decoded.fault === "length" ? "outer-length" : "minimal-header";
    }
    default:
      return "encapsulation-mismatch";
  }
}
