/** Forwarding by a thread of this process, for home agents on hosts that take no programs. */
import { DROP_REASONS, type DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Libc } from "../kernel/libc.ts";
import type { DataPlaneOptions, Forwarder, Forwarding } from "./forwarder.ts";
import { SlowPath } from "./slow-path.ts";
import type { TunnelDevice } from "./tunnel-device.ts";

export async function loadUserForwarding(
  { virtualAddress: homeAgent, networks }: DataPlaneOptions,
  libc: Libc,
  failed: (error: Error) => void,
): Promise<Forwarding> {
  const make = ({ descriptor }: TunnelDevice): Forwarder => {
    const slowPath = new SlowPath(libc, descriptor, { side: "home", address: homeAgent, networks }, failed);
    return {
      put(entries, clocks) {
        const toHere = Iterator.from(entries).map(({ homeAddress, tunnels }) => ({
          homeAddress,
          tunnels: tunnels.map((tunnel) => ({ ...tunnel, homeAgent })),
        }));
        slowPath.put(toHere, clocks);
      },
      tend: (attendedUntilMs) => slowPath.tend(attendedUntilMs),
      drops() {
        const reasons = Object.keys(DROP_REASONS) as DropReason[];
        const counts = reasons.map((reason) => [reason, slowPath.drops.get(reason) ?? 0]);
        return Object.fromEntries(counts);
      },
      passing: undefined,
      trafficOf: (homeAddress) => slowPath.trafficOf(homeAddress),
      close: () => slowPath.close(),
    };
  };
  // All of it ends with the process.
  return { make, remove: () => undefined };
}
