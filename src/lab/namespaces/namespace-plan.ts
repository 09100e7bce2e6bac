import { attachments, type Network, prefixLength, type Topology, type TopologyNode } from "../plan/topology.ts";

/** What makes a topology out of network namespaces. */
export interface NamespacePlan {
  /** For `ip -batch`, run on the host: namespaces and the links between them. */
  readonly host: readonly string[];
  readonly nodes: readonly NodePlan[];
}

export interface NodePlan {
  readonly node: TopologyNode;
  readonly namespace: string;
  /** For `ip -batch`, run in the namespace. */
  readonly commands: readonly string[];
  /** For `sysctl`, run in the namespace: `name=value`. */
  readonly settings: readonly string[];
}

/**
 * A node's link into a segment: its interface is named after the node at the other end, or after the segment if that is a
 * bridge.
 */
interface Link {
  readonly network: string;
  readonly ends: readonly [LinkEnd, LinkEnd];
}

interface LinkEnd {
  readonly node: TopologyNode;
  readonly interface: string;
  /** The bridge of this node that the link ends in. */
  readonly bridge?: string;
}

/**
 * @param namespaceOf names the namespace of a node
 */
export function namespacePlan(topology: Topology, namespaceOf: (node: string) => string): NamespacePlan {
  const links = topology.networks.flatMap((network) => linksOf(topology, network));
  return {
    host: [
      ...topology.nodes.map(({ name }) => `netns add ${namespaceOf(name)}`),
      ...links.map(({ ends: [a, b] }) => `link add ${place(a)} type veth peer ${place(b)}`),
    ],
    nodes: topology.nodes.map((node) => ({
      node,
      namespace: namespaceOf(node.name),
      commands: nodeCommands(topology, node, links),
      settings: node.role === "router" ? [...COMMON_SETTINGS, ...ROUTER_SETTINGS] : COMMON_SETTINGS,
    })),
  };

  function place(end: LinkEnd): string {
    return `name ${end.interface} netns ${namespaceOf(end.node.name)}`;
  }
}

/** The virtual address is a source address on every home agent, so reverse path filtering must be off. */
const COMMON_SETTINGS = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"];

/** Ports count when ECMP picks a home agent: mobiles behind one foreign agent reach several. */
const ROUTER_SETTINGS = ["net.ipv4.ip_forward=1", "net.ipv4.fib_multipath_hash_policy=1"];

/** Two nodes on a segment are joined by one link; more of them by a bridge in the first router there. */
function linksOf(topology: Topology, network: Network): Link[] {
  const nodes = attachments(topology, network.name).map(({ node }) => node);
  const [first, second] = nodes;
  if (first && second && nodes.length === 2) {
    return [{ network: network.name, ends: [end(first, second.name), end(second, first.name)] }];
  }
  const bridging = nodes.find(({ role }) => role === "router");
  if (!bridging) throw new TypeError(`no router on ${network.name} to hold its bridge`);
  return nodes
    .filter((node) => node !== bridging)
    .map((node) => ({
      network: network.name,
      ends: [end(node, bridging.name), { ...end(bridging, node.name), bridge: network.name }],
    }));
}

/** The name of a node's interface on a segment. */
export function deviceOn(topology: Topology, node: TopologyNode, network: string): string {
  const links = topology.networks.filter(({ name }) => name === network).flatMap((it) => linksOf(topology, it));
  const found = links.flatMap(({ ends }) => ends).find((it) => it.node === node);
  if (!found) throw new TypeError(`${node.name} is not on ${network}`);
  return found.bridge ?? found.interface;
}

function end(node: TopologyNode, interfaceName: string): LinkEnd {
  return { node, interface: interfaceName };
}

function nodeCommands(topology: Topology, node: TopologyNode, links: readonly Link[]): string[] {
  const ends = links
    .flatMap((link) => link.ends.map((it) => ({ ...it, network: link.network })))
    .filter((it) => it.node === node);
  const bridges = new Set(ends.flatMap(({ bridge }) => bridge ?? []));
  return [
    "link set lo up",
    ...[...bridges].map((bridge) => `link add name ${bridge} type bridge forward_delay 0`),
    ...ends.map((it) => `link set ${it.interface}${it.bridge ? ` master ${it.bridge}` : ""} up`),
    ...node.interfaces.map(({ network, address }) => {
      const device = bridges.has(network) ? network : ends.find((it) => it.network === network)?.interface;
      return `address add ${address}/${prefixLength(topology, network)} dev ${device}`;
    }),
    ...[...bridges].map((bridge) => `link set ${bridge} up`),
    ...(node.gateway ? [`route add default via ${node.gateway}`] : []),
  ];
}
