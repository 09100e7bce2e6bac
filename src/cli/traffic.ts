import type { TrafficView } from "../adapters/api/forwarding.ts";

export function describeTraffic({ packets, octets }: TrafficView): string {
  return `${packets} packets, ${octets} octets`;
}
