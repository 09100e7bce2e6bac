/**
 * What the mobile's end of a tunnel does with a packet: a foreign agent for its visitors (RFC 5944 4.2.2, RFC 3024 4), or a mobile
 * node with a co-located care-of address for itself (RFC 5944 4.2.1).
 */
import type { Tunnel } from "../forwarding/forwarding-entry.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import { withCongestion } from "./congestion-notification.ts";
import type { DropReason } from "./drop-reasons.ts";
import { decapsulate, encapsulate, isAsRegistered } from "./encapsulation.ts";
import type { Forwarded, Moment } from "./home-end.ts";
import { readWholePacket } from "./ipv4-packet.ts";

/** Between a care-of address, which is here, and a home agent. */
export interface HomewardTunnel extends Tunnel {
  readonly homeAgent: Ipv4Address;
}

export interface MobileEnd {
  /** Those of a mobile that is here, latest registration last; none for any other address. */
  tunnelsOf(homeAddress: Ipv4Address): readonly HomewardTunnel[];
}

/** Beside what a home agent drops for. */
export type MobileEndDropReason = DropReason | "home-agent-mismatch";

/** `inner`: a packet that a mobile has sent. */
export function decideToHome(inner: Uint8Array, end: MobileEnd, moment: Moment): Forwarded | MobileEndDropReason {
  const read = readWholePacket(inner);
  if (typeof read === "string") return read;
  const { header, packet } = read;
  const tunnel = end.tunnelsOf(header.source).at(-1);
  if (tunnel === undefined) return "source-unregistered";
  if (tunnel.expiresAtMs <= moment.nowMs) return "source-expired";
  if (!tunnel.isReverse) return "reverse-tunnel-not-granted";
  const ends = { source: tunnel.careOfAddress, destination: tunnel.homeAgent };
  const outer = encapsulate(packet, header, ends, { encapsulation: tunnel.encapsulation }, moment.identification);
  return outer === undefined ? "no-memory" : { homeAddress: header.source, octets: packet.length, packets: [outer] };
}

/** `outer`: a packet of a tunnel protocol that has come to a care-of address. What is in it goes to the mobile. */
export function decideFromHome(outer: Uint8Array, end: MobileEnd, { nowMs }: Moment): Forwarded | MobileEndDropReason {
  const taken = decapsulate(outer);
  if (typeof taken === "string") return taken;
  const { header, packet, source: homeAgent, destination: careOfAddress } = taken;
  const tunnels = end.tunnelsOf(header.destination);
  if (tunnels.length === 0) return "destination-unregistered";
  const tunnel = tunnels.find((it) => it.homeAgent === homeAgent && it.careOfAddress === careOfAddress);
  if (tunnel === undefined) return "home-agent-mismatch";
  if (tunnel.expiresAtMs <= nowMs) return "destination-expired";
  if (!isAsRegistered(taken, tunnel)) return "encapsulation-mismatch";
  const marked = withCongestion(taken);
  return marked === undefined
    ? "congestion"
    : { homeAddress: header.destination, octets: packet.length, packets: [marked] };
}
