import { LAB_TOPOLOGY, type Topology, type TopologyName } from "./topology.ts";
import { TWO_SITES } from "./two-sites.ts";

export const TOPOLOGIES: Readonly<Record<TopologyName, Topology>> = { lab: LAB_TOPOLOGY, "two-sites": TWO_SITES };
