import { AssociationTable } from "../auth/association-table.ts";
import type { HomeAgentSettings } from "../cluster/home-agent.ts";
import type { Config } from "../config/config.ts";

/** What the core needs of the configuration. */
export function homeAgentSettings(config: Config, bootCount: number): HomeAgentSettings {
  return {
    cluster: config.cluster,
    secret: config.secret,
    self: config.node,
    members: config.members,
    bootCount,
    virtualEndpoint: { address: config.virtualAddress, port: config.self.listen.port },
    heartbeatIntervalMs: config.timers.heartbeatIntervalMs,
    peerTimeoutMs: config.timers.peerTimeoutMs,
    relayTimeoutMs: config.timers.relayTimeoutMs,
    hopLimit: config.relay.hopLimit,
    maximumPending: config.relay.maximumPending,
    loadFactor: config.placement.loadFactor,
    replication: config.replication,
    policy: config.registration,
    associations: new AssociationTable(config.mobileAssociations, config.foreignAgentAssociations),
  };
}
