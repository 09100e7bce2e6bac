import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import { HOMES_PER_SLOT, type Homes } from "../adapters/dataplane/homes.ts";
import { TunnelDataPlane } from "../adapters/dataplane/tunnel-data-plane.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";
import { derivePlacementKey } from "../core/auth/cluster-key.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import { Placement } from "../core/members/placement.ts";
import { formatPrefix } from "../core/wire/ipv4.ts";
import type { Driver } from "./driver.ts";

/** `undefined` where something else forwards. From here on the core says what changes for packets. */
export function makeDataPlane(
  config: Config,
  agent: HomeAgent,
  driver: Driver,
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
    ownAddress: config.self.address,
    wallMs: () => driver.time().wallMs,
    networks: [...networks].flatMap(([name, network]) => (isElsewhere(name) ? [network] : [])),
    entries: () => agent.forwardingEntries,
    missed: (homeAddresses) => driver.input({ type: "missed", homeAddresses }),
    changed: () => {
      const { failure, uplinks } = plane;
      if (failure === undefined) log.event("data-plane-working", { uplinks });
      else log.event("data-plane-failed", { reason: failure });
      changed();
    },
  });
  plane.setHomes(homesOf(config));
  return plane;
}

/** Whom packets are passed on to, by the members in this configuration. */
export function homesOf({ members, secret, cluster }: Config): Homes {
  return {
    members: members.map(({ address }) => address),
    slots: new Placement(derivePlacementKey(secret, cluster), members).slotTable(HOMES_PER_SLOT),
    pools: members.flatMap(({ pool }, member) => pool.map((range) => ({ range, member }))),
  };
}
