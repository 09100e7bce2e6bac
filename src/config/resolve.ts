import { INFINITE_LIFETIME } from "../core/wire/registration-message.ts";
import type { Checked } from "./check.ts";
import type { AdvertiserConfig, BgpConfig, Config, Member, RelayAddressing } from "./config.ts";
import { homeNetworks, listenEndpoint, type MemberPaths, memberPaths } from "./derived.ts";
import { resolveHealth } from "./resolve-health.ts";
import type { ConfigFile } from "./schema.ts";

/** From the words of the file to those of the daemon. The node must be known. */
export function resolveConfig({ source, node, sections, secret, associations }: Checked): Config {
  const members = sections.members.map((member) => resolveMember(member, sections));
  const self = members.find(({ id }) => id === node);
  if (!self) throw new Error("a checked configuration names one of its members as this node");
  const { timers, relay, registration } = sections;
  const paths = memberPaths(source, sections, self.id);
  const lifetimeMs = registration["maximum-lifetime"];
  return {
    cluster: sections.cluster,
    node: self.id,
    members,
    self,
    virtualAddress: sections["virtual-address"],
    virtualNetwork: sections["virtual-network"],
    announce: resolveAnnounce(sections),
    manageAddress: sections["manage-address"],
    secret,
    dataDirectory: paths.dataDirectory,
    controlSocket: paths.controlSocket,
    timers: {
      heartbeatIntervalMs: timers["heartbeat-interval"],
      peerTimeoutMs: timers["peer-timeout"],
      maximumClockSkewMs: timers["maximum-clock-skew"],
      relayTimeoutMs: timers["relay-timeout"],
    },
    relay: {
      addressing: resolveAddressing(sections, self.id),
      hopLimit: relay["hop-limit"],
      maximumPending: relay["maximum-pending"],
    },
    placement: { loadFactor: sections.placement["load-factor"] },
    replication: resolveReplication(sections),
    registration: {
      virtualAddress: sections["virtual-address"],
      homeNetworks: homeNetworks(sections),
      maximumLifetimeSeconds: lifetimeMs === Number.POSITIVE_INFINITY ? INFINITE_LIFETIME : lifetimeMs / 1000,
      maximumSimultaneousBindings: registration["maximum-simultaneous-bindings"],
      minimalEncapsulation: registration.encapsulation.includes("minimal"),
      greEncapsulation: registration.encapsulation.includes("gre"),
      reverseTunneling: registration["reverse-tunneling"],
      prohibitedCareOfNetworks: registration["prohibited-care-of-networks"],
      authenticationFailureRepliesPerSecond: registration["authentication-failure-replies-per-second"],
      pool: self.pool,
      otherPools: members.flatMap((member) => (member === self ? [] : member.pool)),
      poolStickinessMs: registration["pool-stickiness"],
      maximumMobilesPerAssociation: registration["maximum-mobiles-per-association"],
      maximumClockSkewMs: timers["maximum-clock-skew"],
    },
    mobileAssociations: associations.mobiles,
    foreignAgentAssociations: associations.foreignAgents,
    advertiser: resolveAdvertiser(sections, paths),
    dataPlane: sections["data-plane"],
    bfd: {
      transmitIntervalMs: sections.bfd["transmit-interval"],
      receiveIntervalMs: sections.bfd["receive-interval"],
      detectMultiplier: sections.bfd["detect-multiplier"],
      heartbeatTimeoutMs: sections.bfd["heartbeat-timeout"],
    },
    health: resolveHealth(sections.health, resolveAnnounce(sections)[0]),
    log: sections.log,
  };
}

function resolveAddressing({ relay, members }: ConfigFile, self: string): ReadonlyMap<string, RelayAddressing> {
  const others = members.map(({ id }) => id).filter((id) => id !== self);
  return new Map(
    others.map((id) => {
      const pair = relay.pairs.find((candidate) => candidate.members.includes(self) && candidate.members.includes(id));
      return [id, (pair ?? relay).addressing];
    }),
  );
}

function resolveReplication({ replication, members }: ConfigFile): Config["replication"] {
  const lifetimeSeconds = replication["degraded-lifetime"] / 1000;
  return {
    copies: replication.copies,
    acknowledgements: replication.acks,
    degradedLifetimeSeconds: replication.degraded === "serve" ? lifetimeSeconds : undefined,
    digestIntervalMs: replication["digest-interval"],
    designated: new Map(members.map(({ id, backups }) => [id, backups])),
  };
}

function resolveMember(member: ConfigFile["members"][number], sections: ConfigFile): Member {
  const { id, address, port, weight, pool, bgp, bfd } = member;
  return {
    id,
    address,
    port,
    weight,
    pool,
    listen: listenEndpoint(member, sections["virtual-address"]),
    bgp: bgp && resolveBgp(bgp, member),
    bfd: bfd && { localAddress: bfd["local-address"] ?? address, neighbors: bfd.neighbors },
  };
}

function resolveBgp(
  bgp: NonNullable<ConfigFile["members"][number]["bgp"]>,
  { address }: ConfigFile["members"][number],
): BgpConfig {
  return {
    as: bgp.as,
    routerId: bgp["router-id"],
    localAddress: bgp["local-address"] ?? address,
    neighbors: bgp.neighbors.map(
      ({ "large-communities": largeCommunities, "as-path-prepend": asPathPrepend, ...rest }) => ({
        ...rest,
        med: rest.med,
        largeCommunities,
        asPathPrepend,
      }),
    ),
  };
}

function resolveAnnounce(sections: ConfigFile): Config["announce"] {
  const network = sections["virtual-network"];
  const prefixes = sections.announce.map((what) => {
    if (what === "network") return network;
    return what === "address" ? { address: sections["virtual-address"], length: 32 } : what;
  });
  const [first, ...others] = prefixes.toSorted((a, b) => Number(b === network) - Number(a === network));
  if (!first) throw new Error("a checked configuration announces something");
  return [first, ...others];
}

function resolveAdvertiser({ advertiser }: ConfigFile, paths: MemberPaths): AdvertiserConfig {
  if (advertiser.type === "none") return { type: "none" };
  if (advertiser.type === "ospf") {
    const { interface: interfaceName, lease } = advertiser;
    return { type: "ospf", interface: interfaceName, vtyPath: paths.vtySocket, leaseSeconds: lease / 1000 };
  }
  return {
    type: "exabgp",
    runtimeDirectory: paths.exabgpDirectory,
    sidecar: advertiser.mode === "sidecar" ? { group: advertiser.group } : undefined,
    holdTimeSeconds: advertiser["hold-time"] / 1000,
    heartbeatTimeoutMs: advertiser["heartbeat-timeout"],
  };
}
