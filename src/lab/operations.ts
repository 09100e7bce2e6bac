import { LabError } from "./lab-error.ts";
import type { RunOptions, RunResult } from "./namespaces/namespace.ts";
import type { LabPlace } from "./place.ts";
import type { Topology, TopologyName, TopologyNode } from "./plan/topology.ts";

export type ProcessKind =
  | "daemon"
  | "exabgp"
  | "helper"
  | "sidecar"
  | "guard"
  | "zebra"
  | "bfdd"
  | "bgpd"
  | "ospfd"
  | "other";

export interface NodeStatus {
  readonly node: string;
  readonly role: TopologyNode["role"];
  readonly address: string;
  readonly processes: readonly { readonly pid: number; readonly kind: ProcessKind }[];
  /** Of a home agent; `null` on other nodes. */
  readonly ready: boolean | null;
  /** Why a home agent isn't ready. */
  readonly reasons: readonly string[];
  /** Where the kernel sends what is for the virtual network; empty where it has no route. */
  readonly nextHops: readonly string[];
}

/** What can be done with a lab that is up, whatever it is made of. */
export interface LabOperations {
  readonly place: LabPlace;
  readonly topology: Topology;
  /** Removes everything that has this lab's name, also what a crash left behind; does nothing where there is nothing. */
  down(): Promise<void>;
  exists(): Promise<boolean>;
  /** @throws LabError where there is no such node. */
  node(name: string): TopologyNode;
  /** Runs a command inside a node in our place; resolves with its exit code. */
  exec(name: string, command: readonly string[]): Promise<number>;
  /** Runs a command inside a node to its end; its exit code is the caller's to judge. */
  run(name: string, command: readonly string[], options?: Omit<RunOptions, "env">): Promise<RunResult>;
  status(): Promise<NodeStatus[]>;
  /** Where a node's kernel sends what is for the virtual network. */
  nextHops(name: string): Promise<string[]>;
  /** Sends a signal to the processes of a kind; resolves with the time of it, epoch ms. @throws LabError where there is none. */
  kill(name: string, kind: ProcessKind, signal: NodeJS.Signals): Promise<number>;
  /** Starts what a node should run and doesn't, and waits until it works. */
  start(name: string, signal?: AbortSignal): Promise<void>;
  /** Stops what a node runs, as an operator would. */
  stop(name: string): Promise<void>;
}

/** Takes the lab's name. @throws LabError where a lab of this name is there. */
export function claim(place: LabPlace, topology: TopologyName): void {
  try {
    place.create(topology);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new LabError(`a lab named ${place.name} is there already`, { cause: error });
  }
}

/** @throws LabError where there is no such node. */
export function findNode({ nodes }: Topology, name: string): TopologyNode {
  const found = nodes.find((node) => node.name === name);
  if (found) return found;
  throw new LabError(`no node ${name} in the lab; there are ${nodes.map((node) => node.name).join(", ")}`);
}
