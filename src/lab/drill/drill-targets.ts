/** What drills may strike in a topology. */

import { LabError } from "../lab-error.ts";
import {
  attachments,
  homeAgentsBeside,
  nodeAddress,
  nodesOf,
  type Topology,
  type TopologyNode,
} from "../plan/topology.ts";
import type { DrillTarget } from "./drill-lab.ts";

/** Each home agent, as the router beside it sees it. */
export function homeAgentsOf(topology: Topology): DrillTarget[] {
  return nodesOf(topology, "home-agent").map((node) => {
    const [beside] = routersOn(topology, node);
    if (beside === undefined) throw new LabError(`the lab has no router beside ${node.name}`);
    return { name: node.name, homeAgents: [node.name], router: beside.node.name, address: nodeAddress(node) };
  });
}

/** Each router with home agents beside it, as the next router sees it; none where there is only one. */
export function sitesOf(topology: Topology): DrillTarget[] {
  const leaves = nodesOf(topology, "router").filter((router) => homeAgentsBeside(topology, router).length > 0);
  if (leaves.length < 2) return [];
  return leaves.map((leaf) => {
    const [beside] = routersOn(topology, leaf);
    if (beside === undefined) throw new LabError(`the lab has no router beside ${leaf.name}`);
    const homeAgents = homeAgentsBeside(topology, leaf).map(({ name }) => name);
    return { name: leaf.name, homeAgents, router: beside.node.name, address: beside.addressOfNode };
  });
}

/** Other routers on a node's segments, with the address that the node has there. */
function routersOn(topology: Topology, node: TopologyNode) {
  return node.interfaces.flatMap(({ network, address }) =>
    attachments(topology, network)
      .filter(({ node: other }) => other !== node && other.role === "router")
      .map(({ node: other }) => ({ node: other, addressOfNode: address })),
  );
}
