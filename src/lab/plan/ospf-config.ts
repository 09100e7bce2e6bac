import { deviceOn } from "../namespaces/namespace-plan.ts";
import { identity } from "./frr-config.ts";
import { attachments, type Interface, nodeAddress, type Topology, type TopologyNode } from "./topology.ts";

/** What ospfd makes of the preferences of an announcement: those of all home agents add up with the same way to each. */
const COSTS = { anyhome: 10, "anyhome-low": 1000, "anyhome-lowest": 10_000 };

/**
 * `ospfd.conf` of a router or a home agent: all in area 0, a neighbor is missed within a second. As docs/advertiser.md shows
 * it to operators.
 */
export function ospfdConfig(topology: Topology, node: TopologyNode): string {
  const lines = [
    ...identity(node),
    ...node.interfaces.flatMap((it) => segment(topology, node, it)),
    ...(node.role === "home-agent" ? Object.entries(COSTS).flatMap(announcing) : []),
    "router ospf",
    // Not by itself: the virtual address would be the same on all home agents.
    ` ospf router-id ${nodeAddress(node)}`,
    " timers throttle spf 0 50 500",
    // Without these, what changes twice within five seconds would wait.
    " timers throttle lsa all 0",
    " timers lsa min-arrival 0",
  ];
  return `${lines.join("\n")}\n`;
}

function segment(topology: Topology, node: TopologyNode, { network }: Interface): string[] {
  const speaks = ({ role }: TopologyNode) => role === "router" || role === "home-agent";
  const others = attachments(topology, network).filter((it) => it.node !== node && speaks(it.node));
  return [
    `interface ${deviceOn(topology, node, network)}`,
    " ip ospf area 0",
    " ip ospf dead-interval minimal hello-multiplier 4",
    // A home agent that comes or goes shall not change who speaks for the segment.
    ...(node.role === "home-agent" ? [" ip ospf priority 0"] : []),
    ...(others.length === 0 ? [" ip ospf passive"] : []),
    ...(others.length === 1 ? [" ip ospf network point-to-point"] : []),
  ];
}

function announcing([name, cost]: readonly [string, number]): string[] {
  return [`interface ${name}`, " ip ospf area 0", " ip ospf passive", ` ip ospf cost ${cost}`];
}
