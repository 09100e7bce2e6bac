/**
 * What a lab's home agents suffer. A fault is drawn from a seed: the same seed gives the same faults in the same order,
 * though not the same interleaving with what the cluster does.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../sim/random.ts";
import { LabError } from "../lab-error.ts";
import type { Lab } from "../namespaces/lab.ts";
import { hasClockOfItsOwn, shiftClock } from "../namespaces/own-clock.ts";
import { cut, type Direction, mend } from "../namespaces/segment-cut.ts";
import { fillDisk, freeDisk, hasDiskOfItsOwn } from "../namespaces/small-disk.ts";
import { attachments, nodeAddress, nodesOf, type TopologyNode } from "../plan/topology.ts";

export const FAULT_KINDS = [
  "kill",
  "wipe",
  "pause",
  "cut-off",
  "partition",
  "mute",
  "deaf",
  "disk-full",
  "clock-ahead",
  "clock-behind",
  "power-cycle",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One is more than `maximum-clock-skew`, the other less, and less than the window of timestamps. */
const CLOCK_SHIFT_SECONDS = { "clock-ahead": 60, "clock-behind": -5 } as const;

/** In the order of `FAULT_KINDS`, for help texts. */
export const FAULT_MEANINGS: Readonly<Record<FaultKind, string>> = {
  kill: "SIGKILL to the daemon, which is started again",
  wipe: "SIGKILL, and it starts with an empty data directory",
  pause: "SIGSTOP to the daemon, and SIGCONT",
  "cut-off": "neither other home agents nor routers hear it, or are heard",
  partition: "other home agents and it don't hear each other; routers do",
  mute: "other home agents don't hear it, but it hears them",
  deaf: "it doesn't hear other home agents, but they hear it",
  "disk-full": "no room is left where its store is; needs `lab up --disk`",
  "clock-ahead": "its clock goes a minute ahead, which is too far for the others; needs `lab up --clocks`",
  "clock-behind": "its clock goes five seconds back, which must be tolerated; needs `lab up --clocks`",
  "power-cycle": "SIGKILL to all daemons at once",
};

export interface Fault {
  readonly kind: FaultKind;
  /** The home agent that it strikes; a power cycle strikes all. */
  readonly homeAgent: string;
  readonly lastsMs: number;
}

/** What a lab has only if it was brought up for it. */
export const USUAL_FAULTS = FAULT_KINDS.filter((kind) => kind !== "disk-full" && !(kind in CLOCK_SHIFT_SECONDS));

const SHORTEST_MS = 500;
const LONGEST_MS = 5000;

export function drawFault(random: Random, kinds: readonly FaultKind[], homeAgents: readonly string[]): Fault {
  return {
    kind: random.pick(kinds),
    homeAgent: random.pick(homeAgents),
    lastsMs: Math.round(random.between(SHORTEST_MS, LONGEST_MS)),
  };
}

/** @throws LabError where the lab can't have such faults. */
export function mustBePossible(lab: Lab, kinds: readonly FaultKind[]): void {
  for (const { name } of nodesOf(lab.topology, "home-agent")) {
    const node = lab.place.node(name);
    if (kinds.includes("disk-full") && !hasDiskOfItsOwn(node.dataDirectory))
      throw new LabError(`the store of ${name} has no disk of its own to fill; bring the lab up with --disk 64`);
    if (kinds.some((kind) => kind in CLOCK_SHIFT_SECONDS) && !hasClockOfItsOwn(node))
      throw new LabError(`${name} has no clock of its own to shift; bring the lab up with --clocks`);
  }
}

/** Home agents that can't be asked anything while the fault lasts. */
export function silenced(lab: Lab, { kind, homeAgent }: Fault): readonly string[] {
  if (kind === "power-cycle") return nodesOf(lab.topology, "home-agent").map(({ name }) => name);
  return kind === "kill" || kind === "wipe" || kind === "pause" ? [homeAgent] : [];
}

export async function begin(lab: Lab, fault: Fault): Promise<void> {
  const { kind, homeAgent } = fault;
  switch (kind) {
    case "kill":
    case "wipe":
    case "power-cycle":
      await Promise.all(silenced(lab, fault).map((name) => lab.kill(name, "daemon", "SIGKILL")));
      if (kind === "wipe") empty(lab.place.node(homeAgent).dataDirectory);
      break;
    case "pause":
      await lab.kill(homeAgent, "daemon", "SIGSTOP");
      break;
    case "disk-full":
      fillDisk(lab.place.node(homeAgent).dataDirectory);
      break;
    case "clock-ahead":
    case "clock-behind":
      shiftClock(lab.place.node(homeAgent), CLOCK_SHIFT_SECONDS[kind]);
      break;
    default:
      await cut(directions(lab, kind, homeAgent));
  }
}

/** The home agent may need time to recover after this. */
export async function end(lab: Lab, { kind, homeAgent }: Fault): Promise<void> {
  switch (kind) {
    case "kill":
    case "wipe":
    case "power-cycle":
      break; // Started with whatever else doesn't run.
    case "pause":
      await lab.kill(homeAgent, "daemon", "SIGCONT");
      break;
    case "disk-full":
      freeDisk(lab.place.node(homeAgent).dataDirectory);
      break;
    case "clock-ahead":
    case "clock-behind":
      shiftClock(lab.place.node(homeAgent), 0);
      break;
    default:
      await mend(directions(lab, kind, homeAgent));
  }
}

/** What is cut off. */
export function directions(lab: Lab, kind: "cut-off" | "partition" | "mute" | "deaf", homeAgent: string): Direction[] {
  const one = lab.node(homeAgent);
  const network = one.interfaces[0]?.network ?? "";
  const others = attachments(lab.topology, network).filter(
    ({ node }) => node !== one && (kind === "cut-off" || node.role === "home-agent"),
  );
  const namespace = ({ name }: TopologyNode) => lab.place.namespace(name);
  return others.flatMap(({ node, address }) => [
    ...(kind === "deaf" ? [] : [{ from: namespace(one), to: address }]),
    ...(kind === "mute" ? [] : [{ from: namespace(node), to: nodeAddress(one) }]),
  ]);
}

/** The directory itself stays: it may be where a disk is mounted. */
function empty(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
}
