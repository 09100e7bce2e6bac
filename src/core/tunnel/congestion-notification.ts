/** Explicit Congestion Notification through a tunnel, in the normal mode of RFC 6040. */
import type { Decapsulated } from "./encapsulation.ts";
import { changeIpv4Header } from "./ipv4-packet.ts";

const ECN = 0b11;
const NOT_CAPABLE = 0b00;
const CAPABLE_1 = 0b01;
const CAPABLE_0 = 0b10;
const CONGESTION_EXPERIENCED = 0b11;

/**
 * The traffic class of a packet that leaves a tunnel: its own, and what routers on the way through the tunnel have marked on
 * the outer header (RFC 6040 4.2, figure 4). `undefined`: it is to be dropped, since its ends would not heed the mark.
 */
export function trafficClassAfterTunnel(inner: number, outer: number): number | undefined {
  const [innerMark, outerMark] = [inner & ECN, outer & ECN];
  if (outerMark === CONGESTION_EXPERIENCED) {
    return innerMark === NOT_CAPABLE ? undefined : (inner & ~ECN) | CONGESTION_EXPERIENCED;
  }
  if (outerMark === CAPABLE_1 && innerMark === CAPABLE_0) return (inner & ~ECN) | CAPABLE_1;
  return inner;
}

/** The inner packet, with what the tunnel has met; `undefined`: it is to be dropped. */
export function withCongestion({ packet, header, outerTrafficClass }: Decapsulated): Uint8Array | undefined {
  const trafficClass = trafficClassAfterTunnel(header.trafficClass, outerTrafficClass);
  if (trafficClass === undefined) return undefined;
  if (trafficClass === header.trafficClass) return packet;
  const marked = packet.slice();
  changeIpv4Header(marked, header.headerLength, { trafficClass });
  return marked;
}
