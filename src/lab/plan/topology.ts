/**
 * The lab as data: which nodes there are, how they are linked, and which of them speak BGP with each other. What runs it
 * (network namespaces, or containers) and what configures its parts are generated from this.
 *
 *      mn1 ── 10.1.21.0/24 ── fa1 ── 10.1.11.0/24 ──┐                                  ┌── ha1
 *      mn2 ── 10.1.22.0/24 ── fa2 ── 10.1.12.0/24 ── r2 ── 10.1.1.0/29 ── r1 ── 10.1.0.0/24 ── ha2
 *                             cn1 ── 10.1.20.0/24 ──┘                                  └── ha3
 *
 *      10.64.0.0/12 is the virtual network that each home agent announces to r1; 10.64.0.1 in it is the virtual address.
 */

/** A correspondent is a host like any other, that mobiles have something to do with. */
export type NodeRole = "home-agent" | "router" | "foreign-agent" | "mobile" | "correspondent";

export interface TopologyNode {
  readonly name: string;
  readonly role: NodeRole;
  /** Present where the node speaks BGP. */
  readonly as?: number;
  readonly interfaces: readonly Interface[];
  /** Where a node that does not route sends everything. */
  readonly gateway?: string;
  /** Of a mobile, which is at its foreign agent's: the gateway. */
  readonly homeAddress?: string;
  /** Dynamic home addresses that a home agent hands out, `FIRST-LAST`. */
  readonly pool?: readonly string[];
  /** Names of the home agents that back this one up; without, as each mobile's own ranking has it. */
  readonly backups?: readonly string[];
}

export interface Interface {
  /** Name of a network of the topology. */
  readonly network: string;
  readonly address: string;
}

/** One link-layer segment. */
export interface Network {
  readonly name: string;
  readonly prefix: string;
}

export interface MobileKeys {
  /** `FIRST-LAST` of home addresses, or the realm of their NAIs. */
  readonly mobiles: { readonly range: string } | { readonly realm: string };
  readonly spi: number;
  /** ASCII. */
  readonly key: string;
}

export const TOPOLOGY_NAMES = ["lab", "two-sites"] as const;
export type TopologyName = (typeof TOPOLOGY_NAMES)[number];

export interface Topology {
  readonly name: TopologyName;
  readonly virtualNetwork: string;
  readonly virtualAddress: string;
  readonly networks: readonly Network[];
  readonly nodes: readonly TopologyNode[];
  readonly associations: readonly [MobileKeys, ...MobileKeys[]];
  /** Home agents on one link that relay to each other by MAC address, whatever the others do. */
  readonly linkedPairs?: readonly (readonly [string, string])[];
}

const MOBILE_KEY = "1234567812345678";

export const LAB_TOPOLOGY: Topology = {
  name: "lab",
  virtualNetwork: "10.64.0.0/12",
  virtualAddress: "10.64.0.1",
  networks: [
    { name: "ha-lan", prefix: "10.1.0.0/24" },
    // Room for the address that Docker wants of every network, beside two routers.
    { name: "core", prefix: "10.1.1.0/29" },
    { name: "fa1-lan", prefix: "10.1.11.0/24" },
    { name: "fa2-lan", prefix: "10.1.12.0/24" },
    { name: "cn-lan", prefix: "10.1.20.0/24" },
    { name: "mn1-lan", prefix: "10.1.21.0/24" },
    { name: "mn2-lan", prefix: "10.1.22.0/24" },
  ],
  nodes: [
    homeAgent("ha1", 65011, onLan("10.1.0.11"), "10.79.0.0-10.79.63.255"),
    homeAgent("ha2", 65012, onLan("10.1.0.12"), "10.79.64.0-10.79.127.255"),
    homeAgent("ha3", 65013, onLan("10.1.0.13"), "10.79.128.0-10.79.191.255"),
    router("r1", 65001, { "ha-lan": "10.1.0.1", core: "10.1.1.1" }),
    router("r2", 65002, {
      core: "10.1.1.2",
      "fa1-lan": "10.1.11.1",
      "fa2-lan": "10.1.12.1",
      "cn-lan": "10.1.20.1",
    }),
    foreignAgent("fa1", { "fa1-lan": "10.1.11.2", "mn1-lan": "10.1.21.1" }, "10.1.11.1"),
    foreignAgent("fa2", { "fa2-lan": "10.1.12.2", "mn2-lan": "10.1.22.1" }, "10.1.12.1"),
    mobile("mn1", "mn1-lan", "10.1.21.2", { homeAddress: "10.64.9.1", gateway: "10.1.21.1" }),
    mobile("mn2", "mn2-lan", "10.1.22.2", { homeAddress: "10.64.9.2", gateway: "10.1.22.1" }),
    {
      name: "cn1",
      role: "correspondent",
      interfaces: [{ network: "cn-lan", address: "10.1.20.2" }],
      gateway: "10.1.20.1",
    },
  ],
  associations: [
    { mobiles: { range: "10.64.1.0-10.79.255.254" }, spi: 256, key: MOBILE_KEY },
    { mobiles: { realm: "lab.example" }, spi: 257, key: MOBILE_KEY },
  ],
};

function onLan(address: string) {
  return { network: "ha-lan", address, gateway: "10.1.0.1" };
}

export function homeAgent(
  name: string,
  as: number,
  { network, address, gateway }: { network: string; address: string; gateway: string },
  pool: string,
): TopologyNode {
  return { name, role: "home-agent", as, interfaces: [{ network, address }], gateway, pool: [pool] };
}

/** @param addresses by the networks that it links, its own address there */
export function router(name: string, as: number, addresses: Readonly<Record<string, string>>): TopologyNode {
  return { name, role: "router", as, interfaces: interfacesOf(addresses) };
}

/** The first of its addresses is its care-of address. */
export function foreignAgent(name: string, addresses: Readonly<Record<string, string>>, gateway: string): TopologyNode {
  return { name, role: "foreign-agent", interfaces: interfacesOf(addresses), gateway };
}

function mobile(
  name: string,
  network: string,
  address: string,
  { homeAddress, gateway }: { readonly homeAddress: string; readonly gateway: string },
): TopologyNode {
  return { name, role: "mobile", interfaces: [{ network, address }], gateway, homeAddress };
}

function interfacesOf(addresses: Readonly<Record<string, string>>): Interface[] {
  return Object.entries(addresses).map(([network, address]) => ({ network, address }));
}

export function nodesOf(topology: Topology, role: NodeRole): TopologyNode[] {
  return topology.nodes.filter((node) => node.role === role);
}

/** The nodes on a segment, each with its address there, in the order of the topology. */
export function attachments(topology: Topology, network: string): { node: TopologyNode; address: string }[] {
  return topology.nodes.flatMap((node) =>
    node.interfaces.filter((it) => it.network === network).map(({ address }) => ({ node, address })),
  );
}

export interface BgpPeer {
  readonly node: TopologyNode;
  readonly as: number;
  readonly address: string;
}

/**
 * The nodes that a node speaks BGP with: routers speak with every speaker on their segments, home agents with routers only.
 */
export function bgpPeers(topology: Topology, node: TopologyNode): BgpPeer[] {
  return node.interfaces.flatMap(({ network }) =>
    attachments(topology, network).flatMap(({ node: other, address }) =>
      other !== node && other.as !== undefined && (node.role === "router" || other.role === "router")
        ? [{ node: other, as: other.as, address }]
        : [],
    ),
  );
}

/** The home agents on a router's segments. */
export function homeAgentsBeside(topology: Topology, router: TopologyNode): TopologyNode[] {
  return router.interfaces.flatMap(({ network }) =>
    attachments(topology, network).flatMap(({ node }) => (node.role === "home-agent" ? [node] : [])),
  );
}

/** The addresses of the routers on a node's segments. */
export function routersBeside(topology: Topology, node: TopologyNode): string[] {
  return node.interfaces.flatMap(({ network }) =>
    attachments(topology, network).flatMap(({ node: other, address }) => (other.role === "router" ? [address] : [])),
  );
}

/** The address a node is known by: that of its first interface. */
export function nodeAddress(node: TopologyNode): string {
  const [first] = node.interfaces;
  if (!first) throw new TypeError(`node ${node.name} has no interface`);
  return first.address;
}

/** The prefix length of a segment. */
export function prefixLength(topology: Topology, network: string): string {
  const found = topology.networks.find(({ name }) => name === network);
  if (!found) throw new TypeError(`no network ${network} in the topology`);
  return found.prefix.split("/")[1] ?? "";
}
