import { type BgpPeer, bgpPeers, nodeAddress, type Topology, type TopologyNode } from "./topology.ts";

/** `bgpd.conf` of a router: eBGP with the home agents (all their routes at once, ECMP) and with other routers. */
export function bgpdConfig(topology: Topology, router: TopologyNode): string {
  const peers = bgpPeers(topology, router);
  const homeAgents = peers.filter(({ node }) => node.role === "home-agent");
  const routers = peers.filter(({ node }) => node.role === "router");
  const lines = [
    ...identity(router),
    `router bgp ${router.as}`,
    ` bgp router-id ${nodeAddress(router)}`,
    " no bgp ebgp-requires-policy",
    // Home agents have an AS each: their paths are as good as one another, and are all used.
    " bgp bestpath as-path multipath-relax",
    ...(homeAgents.length > 0
      ? [
          " neighbor HA peer-group",
          " neighbor HA remote-as external",
          " neighbor HA timers 3 9",
          " neighbor HA timers connect 5",
          ` neighbor HA bfd profile ${BFD_PROFILE}`,
        ]
      : []),
    ...homeAgents.map(({ address }) => ` neighbor ${address} peer-group HA`),
    ...routers.flatMap(routerNeighbor),
    " address-family ipv4 unicast",
    "  redistribute connected",
    "  maximum-paths 16",
    // A home agent sees all announcers, its own echo among them.
    ...(homeAgents.length > 0 ? ["  neighbor HA activate", "  neighbor HA addpath-tx-all-paths"] : []),
    ...routers.map(({ address }) => `  neighbor ${address} activate`),
    " exit-address-family",
  ];
  return `${lines.join("\n")}\n`;
}

const BFD_PROFILE = "lab";

/** `bfdd.conf` of a router: who falls silent is out within a second. */
export function bfddConfig(router: TopologyNode): string {
  const lines = [
    ...identity(router),
    "bfd",
    ` profile ${BFD_PROFILE}`,
    "  detect-multiplier 3",
    "  receive-interval 300",
    "  transmit-interval 300",
  ];
  return `${lines.join("\n")}\n`;
}

/** `zebra.conf` of a router: the rest zebra learns from the kernel and from bgpd. */
export function zebraConfig(router: TopologyNode): string {
  return `${identity(router).join("\n")}\n`;
}

export function identity(router: TopologyNode): string[] {
  return ["frr defaults datacenter", `hostname ${router.name}`];
}

function routerNeighbor({ address, as }: BgpPeer): string[] {
  return [
    ` neighbor ${address} remote-as ${as}`,
    ` neighbor ${address} timers 3 9`,
    ` neighbor ${address} timers connect 5`,
    ` neighbor ${address} bfd profile ${BFD_PROFILE}`,
  ];
}
