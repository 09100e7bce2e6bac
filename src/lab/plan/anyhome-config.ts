import { stringify } from "yaml";
import type { DataPlaneConfig, RelayAddressing } from "../../config/config.ts";
import type { RoutingProtocol } from "./frr-files.ts";
import {
  bgpPeers,
  type MobileKeys,
  nodeAddress,
  nodesOf,
  routersBeside,
  type Topology,
  type TopologyNode,
} from "./topology.ts";

/** `{node}` in a path stands for the home agent's name. */
export interface HomeAgentPaths {
  readonly secretFile: string;
  readonly dataDirectory: string;
  readonly controlSocket: string;
  /** Where the sockets of FRR are, for OSPF. */
  readonly vtyDirectory?: string;
  /** What the daemon shares with an ExaBGP that is started elsewhere; without, the daemon starts it. */
  readonly speakerDirectory?: string;
  /** Where the key of an association is, if not in the configuration itself. */
  readonly keyFile?: (spi: number) => string;
}

/** What may differ from lab to lab. */
export interface LabVariant {
  /** How home agents relay to each other. */
  readonly relay?: RelayAddressing;
  /** The section `health`. */
  readonly health?: Readonly<Record<string, unknown>>;
  /** By what home agents announce, and routers route. */
  readonly routing?: RoutingProtocol;
  /** Who runs ExaBGP: the daemon (the default), or something beside it. Of network namespaces. */
  readonly speaker?: "managed" | "sidecar";
  /** Whether home agents speak BFD; they do by default, where they speak BGP. */
  readonly bfd?: boolean;
  /** On how many backups each binding is; the default of the configuration if not given. */
  readonly copies?: number;
  /** Whether home agents forward packets of mobiles. */
  readonly dataPlane?: DataPlaneConfig["type"];
}

/** The configuration of the lab's home agents: one file for all of them. */
export function anyhomeConfig(topology: Topology, paths: HomeAgentPaths, variant: LabVariant = {}): string {
  return stringify({
    cluster: "lab",
    "secret-file": paths.secretFile,
    "virtual-network": topology.virtualNetwork,
    "virtual-address": topology.virtualAddress,
    "manage-address": true,
    "data-directory": paths.dataDirectory,
    "control-socket": paths.controlSocket,
    relay: {
      addressing: variant.relay ?? "l3",
      ...(topology.linkedPairs
        ? { pairs: topology.linkedPairs.map((members) => ({ members, addressing: "l2" })) }
        : {}),
    },
    members: nodesOf(topology, "home-agent").map((node) => member(topology, node, variant)),
    "security-associations": { mobiles: topology.associations.map((it) => association(it, paths)) },
    advertiser: advertiser(paths, variant),
    ...(variant.copies === undefined ? {} : { replication: { copies: variant.copies } }),
    "data-plane": { type: variant.dataPlane ?? "none" },
    // Disks of labs may be small, so that they can be filled.
    health: { "free-disk": { degraded: "8MiB", fail: "2MiB" }, ...variant.health },
  });
}

function advertiser({ vtyDirectory, speakerDirectory }: HomeAgentPaths, { routing }: LabVariant) {
  if (routing === "ospf") return { type: "ospf", "vty-directory": vtyDirectory };
  return {
    type: "exabgp",
    ...(speakerDirectory === undefined ? {} : { mode: "sidecar", "runtime-directory": speakerDirectory }),
  };
}

function member(topology: Topology, node: TopologyNode, { routing, bfd }: LabVariant) {
  return {
    id: node.name,
    address: nodeAddress(node),
    pool: node.pool ?? [],
    ...(node.backups ? { backups: node.backups } : {}),
    ...(routing === "ospf" ? {} : bgpAndBfd(topology, node, bfd)),
  };
}

function bgpAndBfd(topology: Topology, node: TopologyNode, bfd = true) {
  return {
    bgp: {
      as: node.as,
      "router-id": nodeAddress(node),
      neighbors: bgpPeers(topology, node).map(({ address, as }) => ({ address, as })),
    },
    ...(bfd ? { bfd: { neighbors: routersBeside(topology, node) } } : {}),
  };
}

function association({ mobiles, spi, key }: MobileKeys, { keyFile }: HomeAgentPaths) {
  return { ...mobiles, spi, algorithm: "hmac-md5", ...(keyFile ? { "key-file": keyFile(spi) } : { key }) };
}
