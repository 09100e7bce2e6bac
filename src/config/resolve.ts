import type { Ipv4Address } from "../core/wire/ipv4.ts";
import type { Checked } from "./check.ts";
import type { AdvertiserConfig, Config, Member, RelayAddressing, Settings, Speaker } from "./config.ts";
import { homeNetworks, listenEndpoint, type MemberPaths, memberPaths } from "./derived.ts";
import { named } from "./names.ts";
import { type ConfigFile, configFile } from "./schema.ts";

/** Turns the sections of the file into the daemon's configuration. The node must be known. */
export function resolveConfig({ source, node, sections, secret, associations }: Checked): Config {
  // Associations have been resolved already, and there may be many.
  const { "security-associations": _, ...few } = sections;
  const settings = named(configFile, few as ConfigFile);
  const { timers, virtualAddress } = settings;
  const members = settings.members.map((member) => resolveMember(member, listenEndpoint(member, virtualAddress)));
  const self = members.find(({ id }) => id === node);
  if (!self) throw new Error("a checked configuration names one of its members as this node");
  const { pairs: __, ...relay } = settings.relay;
  const { encapsulation, ...registration } = settings.registration;
  const { dataDirectory, controlSocket, ...paths } = memberPaths(source, sections, self.id);
  return {
    cluster: settings.cluster,
    node: self.id,
    members,
    self,
    virtualAddress,
    virtualNetwork: settings.virtualNetwork,
    announce: resolveAnnounce(settings),
    manageAddress: settings.manageAddress,
    secret,
    dataDirectory,
    controlSocket,
    timers,
    relay: { ...relay, addressing: resolveAddressing(settings, self.id) },
    placement: settings.placement,
    replication: resolveReplication(settings),
    registration: {
      ...registration,
      virtualAddress,
      homeNetworks: homeNetworks(sections),
      minimalEncapsulation: encapsulation.includes("minimal"),
      greEncapsulation: encapsulation.includes("gre"),
      pool: self.pool,
      otherPools: members.flatMap((member) => (member === self ? [] : member.pool)),
      maximumClockSkewMs: timers.maximumClockSkewMs,
    },
    mobileAssociations: associations.mobiles,
    foreignAgentAssociations: associations.foreignAgents,
    advertiser: resolveAdvertiser(settings.advertiser, paths),
    dataPlane: settings.dataPlane,
    bfd: settings.bfd,
    health: settings.health,
    log: settings.log,
  };
}

function resolveAddressing({ relay, members }: Settings, self: string): ReadonlyMap<string, RelayAddressing> {
  const others = members.map(({ id }) => id).filter((id) => id !== self);
  return new Map(
    others.map((id) => {
      const pair = relay.pairs.find((candidate) => candidate.members.includes(self) && candidate.members.includes(id));
      return [id, (pair ?? relay).addressing];
    }),
  );
}

function resolveReplication({ replication, members }: Settings): Config["replication"] {
  const { acks: acknowledgements, degraded, degradedLifetimeSeconds, ...others } = replication;
  return {
    ...others,
    acknowledgements,
    degradedLifetimeSeconds: degraded === "serve" ? degradedLifetimeSeconds : undefined,
    designated: new Map(members.map(({ id, backups }) => [id, backups])),
  };
}

function resolveMember(
  { backups: _, bgp, bfd, ...member }: Settings["members"][number],
  listen: Member["listen"],
): Member {
  return { ...member, listen, bgp: bgp && speaker(bgp, member), bfd: bfd && speaker(bfd, member) };
}

function speaker<Section extends { readonly localAddress?: Ipv4Address | undefined }>(
  section: Section,
  { address }: Pick<Member, "address">,
): Speaker<Section> {
  return { ...section, localAddress: section.localAddress ?? address };
}

function resolveAnnounce({ announce, virtualNetwork, virtualAddress }: Settings): Config["announce"] {
  const prefixes = announce.map((what) => {
    if (what === "network") return virtualNetwork;
    return what === "address" ? { address: virtualAddress, length: 32 } : what;
  });
  const [first, ...others] = prefixes.toSorted((a, b) => Number(b === virtualNetwork) - Number(a === virtualNetwork));
  if (!first) throw new Error("a checked configuration announces something");
  return [first, ...others];
}

function resolveAdvertiser(
  advertiser: Settings["advertiser"],
  { exabgpDirectory, vtySocket }: Pick<MemberPaths, "exabgpDirectory" | "vtySocket">,
): AdvertiserConfig {
  switch (advertiser.type) {
    case "none":
      return advertiser;
    case "ospf": {
      const { vtyDirectory: _, ...ospf } = advertiser;
      return { ...ospf, vtyPath: vtySocket };
    }
    case "exabgp": {
      const { mode, group, ...exabgp } = advertiser;
      return { ...exabgp, runtimeDirectory: exabgpDirectory, sidecar: mode === "sidecar" ? { group } : undefined };
    }
  }
}
