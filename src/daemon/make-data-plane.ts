import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import { TunnelDataPlane } from "../adapters/dataplane/tunnel-data-plane.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import { formatPrefix } from "../core/wire/ipv4.ts";

/** `undefined` where something else forwards. From here on the core says what changes for packets. */
export function makeDataPlane(
  config: Config,
  agent: HomeAgent,
  wallMs: () => number,
  log: EventLog,
  changed: () => void,
): DataPlane | undefined {
  const { dataPlane, virtualAddress, virtualNetwork, announce } = config;
  if (dataPlane.type === "none") return undefined;
  agent.startForwarding();
  const isElsewhere = (prefix: string) => prefix !== formatPrefix({ address: virtualAddress, length: 32 });
  const networks = new Map([virtualNetwork, ...announce].map((prefix) => [formatPrefix(prefix), prefix]));
  const plane = new TunnelDataPlane({
    ...dataPlane,
    virtualAddress,
    wallMs,
    networks: [...networks].flatMap(([name, network]) => (isElsewhere(name) ? [network] : [])),
    entries: () => agent.forwardingEntries,
    changed: () => {
      const { failure, uplinks } = plane;
      if (failure === undefined) log.event("data-plane-working", { uplinks });
      else log.event("data-plane-failed", { reason: failure });
      changed();
    },
  });
  return plane;
}
