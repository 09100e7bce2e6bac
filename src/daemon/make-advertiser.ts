import { dirname, join } from "node:path";
import type { Advertiser, AdvertiserListener } from "../adapters/advertiser/advertiser.ts";
import type { Announcer } from "../adapters/advertiser/announcers.ts";
import { ExabgpAdvertiser, type ExabgpAdvertiserOptions } from "../adapters/advertiser/exabgp/exabgp-advertiser.ts";
import { NoneAdvertiser } from "../adapters/advertiser/none-advertiser.ts";
import { OspfAdvertiser } from "../adapters/advertiser/ospf/ospf-advertiser.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { EventLog } from "../adapters/telemetry/log.ts";
import type { Config } from "../config/config.ts";

/** The advertiser that is configured; it announces nothing yet. */
export function makeAdvertiser(
  config: Config,
  log: EventLog,
  counters: Counters,
  changed: AdvertiserListener["changed"],
): Advertiser {
  const { advertiser, announce, node } = config;
  if (advertiser.type === "ospf") {
    const { interface: interfaceName, vtyPath, leaseSeconds } = advertiser;
    const members = configuredAnnouncers(config);
    const zebraVtyPath = join(dirname(vtyPath), "zebra.vty");
    return new OspfAdvertiser(
      { interfaceName, vtyPath, zebraVtyPath, leaseSeconds, self: node, members, prefixes: announce, log },
      { changed },
    );
  }
  const options = exabgpOptions(config);
  return options ? new ExabgpAdvertiser({ ...options, log, counters }, { changed }) : new NoneAdvertiser({ changed });
}

/** The settings of this member's ExaBGP; `undefined` if none is configured. */
export function exabgpOptions(config: Config): Omit<ExabgpAdvertiserOptions, "log" | "counters"> | undefined {
  const { advertiser } = config;
  const { bgp } = config.self;
  if (advertiser.type !== "exabgp") return undefined;
  if (bgp === undefined) throw new Error(`member ${config.node} has no bgp section`);
  return {
    bgp: {
      localAddress: bgp.localAddress,
      localAs: bgp.as,
      routerId: bgp.routerId,
      holdTimeSeconds: advertiser.holdTimeSeconds,
      neighbors: bgp.neighbors,
    },
    prefixes: config.announce,
    members: configuredAnnouncers(config),
    self: config.node,
    runtimeDirectory: advertiser.runtimeDirectory,
    sidecar: advertiser.sidecar,
    helperDeadlineMs: advertiser.heartbeatTimeoutMs,
  };
}

/** All members, in their role as announcers. */
export function configuredAnnouncers({ members }: Config): Announcer[] {
  return members.map(({ id, address, bgp }) => ({ id, address, as: bgp?.as ?? 0 }));
}
