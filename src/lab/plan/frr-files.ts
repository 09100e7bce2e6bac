import { bfddConfig, bgpdConfig, zebraConfig } from "./frr-config.ts";
import { ospfdConfig } from "./ospf-config.ts";
import type { Topology, TopologyNode } from "./topology.ts";

/** By what a lab routes. */
export type RoutingProtocol = "bgp" | "ospf";

/** The configuration files of a node's FRR, by their names. */
export function frrFiles(
  topology: Topology,
  node: TopologyNode,
  routing: RoutingProtocol = "bgp",
): Record<string, string> {
  return {
    "vtysh.conf": "no service integrated-vtysh-config\n",
    "zebra.conf": zebraConfig(node),
    ...(routing === "ospf"
      ? { "ospfd.conf": ospfdConfig(topology, node) }
      : { "bfdd.conf": bfddConfig(node), "bgpd.conf": bgpdConfig(topology, node) }),
  };
}
