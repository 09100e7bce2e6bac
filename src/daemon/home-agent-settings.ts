import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/config.ts";
import { AssociationTable } from "../core/auth/association-table.ts";
import type { HomeAgentSettings } from "../core/home-agent/settings.ts";

interface Running {
  readonly config: Config;
  readonly settings: HomeAgentSettings;
}

/** Long enough for asking again to cost nothing, and no longer than mobiles can do without an owner that is gone. */
const FORWARDING_LEASE_MS = 20_000;

/** What distinguishes this start of the daemon from all others. */
type Start = Pick<HomeAgentSettings, "bootCount" | "startNonce">;

/**
 * The part of the configuration that the core needs. Parts of the running one that are slow to replace are kept if they are
 * unchanged.
 */
export function homeAgentSettings(config: Config, start: Start, running?: Running): HomeAgentSettings {
  return {
    cluster: config.cluster,
    secret: config.secret,
    self: config.node,
    members: config.members,
    ...start,
    virtualEndpoint: { address: config.virtualAddress, port: config.self.listen.port },
    heartbeatIntervalMs: config.timers.heartbeatIntervalMs,
    peerTimeoutMs: config.timers.peerTimeoutMs,
    maximumClockSkewMs: config.timers.maximumClockSkewMs,
    relayTimeoutMs: config.timers.relayTimeoutMs,
    hopLimit: config.relay.hopLimit,
    maximumPending: config.relay.maximumPending,
    loadFactor: config.placement.loadFactor,
    forwardingLeaseMs: FORWARDING_LEASE_MS,
    replication: config.replication,
    policy: isDeepStrictEqual(running?.config.registration, config.registration)
      ? (running?.settings.policy ?? config.registration)
      : config.registration,
    associations: hasSameAssociations(config, running)
      ? running.settings.associations
      : new AssociationTable(config.mobileAssociations, config.foreignAgentAssociations),
  };
}

/** A reload that doesn't change them keeps the lists. */
function hasSameAssociations(config: Config, running: Running | undefined): running is Running {
  return (
    running?.config.mobileAssociations === config.mobileAssociations &&
    running.config.foreignAgentAssociations === config.foreignAgentAssociations
  );
}
