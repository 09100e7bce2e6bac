import { dirname, join } from "node:path";
import type { Advertiser, AdvertiserListener } from "../advertiser/advertiser.ts";
import { ExabgpAdvertiser } from "../advertiser/exabgp-advertiser.ts";
import { NoneAdvertiser } from "../advertiser/none-advertiser.ts";
import type { Config } from "../config/config.ts";
import type { EventLog } from "../telemetry/log.ts";

/** The advertiser that the configuration asks for; it announces nothing yet. */
export function makeAdvertiser(config: Config, log: EventLog, changed: AdvertiserListener["changed"]): Advertiser {
  const { advertiser } = config;
  const { bgp } = config.self;
  if (advertiser.type === "none") return new NoneAdvertiser({ changed });
  if (bgp === undefined) throw new Error(`member ${config.node} has no bgp section`);
  const members = config.members.flatMap(({ id, address, bgp }) => (bgp ? [{ id, address, as: bgp.as }] : []));
  return new ExabgpAdvertiser(
    {
      bgp: {
        localAddress: bgp.localAddress,
        localAs: bgp.as,
        routerId: bgp.routerId,
        holdTimeSeconds: advertiser.holdTimeSeconds,
        neighbors: bgp.neighbors,
      },
      prefixes: config.announce,
      members,
      self: config.node,
      // Beside the control socket: one place for what lives as long as the daemon.
      runtimeDirectory: join(dirname(config.controlSocket), `exabgp-${config.node}`),
      helperDeadlineMs: advertiser.heartbeatTimeoutMs,
      log,
    },
    { changed },
  );
}
