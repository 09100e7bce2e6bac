/**
 * What a home agent does with a packet of a mobile node: RFC 5944 4.2.3, RFC 2003 3, RFC 3024. It is what the programs in
 * the kernel do too (tunnels.bpf.c); the two agree about every packet.
 */
import type { Tunnel } from "../forwarding/forwarding-entry.ts";
import { type Ipv4Address, isHostAddress, LOOPBACK, prefixContains } from "../wire/ipv4.ts";
import { withCongestion } from "./congestion-notification.ts";
import type { DropReason } from "./drop-reasons.ts";
import { type Decapsulated, decapsulate, encapsulate, isAsRegistered } from "./encapsulation.ts";
import { type Ipv4Header, readWholePacket } from "./ipv4-packet.ts";

/** A home agent as the end of its tunnels. */
export interface HomeEnd {
  /** The virtual home agent address. */
  readonly address: Ipv4Address;
  /** The tunnels of a mobile, oldest first; none for an address with which no mobile is registered. */
  tunnelsOf(homeAddress: Ipv4Address): readonly Tunnel[];
  /** An address of this host, or one by which packets reach it and others on a link. */
  isHere(address: Ipv4Address): boolean;
  /** An address of a network that is routed to the tunnels. */
  isAtHome(address: Ipv4Address): boolean;
}

/** Of the moment of a packet. */
export interface Moment {
  /** Epoch ms. */
  readonly nowMs: number;
  /** 16 bits of chance, for headers that are made. */
  readonly identification: number;
}

export interface Forwarded {
  readonly homeAddress: Ipv4Address;
  /** Octets of the inner packet. */
  readonly octets: number;
  /** Several where a mobile has simultaneous bindings (RFC 5944 4.2.3). */
  readonly packets: readonly Uint8Array[];
}

/** `inner`: a packet that was routed to the tunnels. */
export function decideToMobile(inner: Uint8Array, end: HomeEnd, moment: Moment): Forwarded | DropReason {
  const read = readWholePacket(inner);
  if (typeof read === "string") return read;
  const { header, packet } = read;
  const { destination, totalLength } = header;
  let reason: DropReason = "destination-unregistered";
  const packets: Uint8Array[] = [];
  for (const tunnel of end.tunnelsOf(destination)) {
    const outer = throughTunnel(packet, header, tunnel, end, moment);
    if (typeof outer === "string") reason = outer;
    else packets.push(outer);
  }
  return packets.length === 0 ? reason : { homeAddress: destination, octets: totalLength, packets };
}

function throughTunnel(
  packet: Uint8Array,
  header: Ipv4Header,
  { careOfAddress, encapsulation, expiresAtMs }: Tunnel,
  end: HomeEnd,
  { nowMs, identification }: Moment,
): Uint8Array | DropReason {
  if (expiresAtMs <= nowMs) return "destination-expired";
  // RFC 2003 3.2; the kernel sees to its rule about our own addresses, since it forwards nothing that comes from those.
  if (header.source === careOfAddress) return "source-is-care-of";
  if (end.isHere(careOfAddress)) return "care-of-unreachable";
  if (end.isAtHome(careOfAddress)) return "care-of-at-home";
  const ends = { source: end.address, destination: careOfAddress };
  return encapsulate(packet, header, ends, { encapsulation }, identification) ?? "no-memory";
}

/**
 * `outer`: a packet of a tunnel protocol that has come to the end's address. One packet goes on, by the way that it says
 * itself.
 */
export function decideFromMobile(outer: Uint8Array, end: HomeEnd, { nowMs }: Moment): Forwarded | DropReason {
  const taken = decapsulate(outer);
  if (typeof taken === "string") return taken;
  const { header, packet } = taken;
  const fault = refuse(taken, end, nowMs);
  if (fault !== undefined) return fault;
  const marked = withCongestion(taken);
  return marked === undefined ? "congestion" : { homeAddress: header.source, octets: packet.length, packets: [marked] };
}

/** RFC 3024 4.2 and 6: what leaves a tunnel was sent by a mobile that may send by it. */
function refuse(taken: Decapsulated, end: HomeEnd, nowMs: number): DropReason | undefined {
  const { source: careOfAddress, header } = taken;
  const tunnels = end.tunnelsOf(header.source);
  if (tunnels.length === 0) return "source-unregistered";
  const tunnel = tunnels.find((candidate) => candidate.careOfAddress === careOfAddress);
  if (tunnel === undefined) return "care-of-mismatch";
  if (tunnel.expiresAtMs <= nowMs) return "source-expired";
  if (!isAsRegistered(taken, tunnel)) return "encapsulation-mismatch";
  if (!tunnel.isReverse) return "reverse-tunnel-not-granted";
  const { destination } = header;
  // Nothing reaches this host itself, nor a tunnel in the tunnel, nor more than one receiver.
  const isForOne = isHostAddress(destination) && !prefixContains(LOOPBACK, destination);
  return !isForOne || destination === end.address || end.isHere(destination) ? "inner-destination" : undefined;
}
