/** What goes wrong in a simulation, drawn from its seed. Plans are lists, so that a failing one can be made shorter. */
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export const FAULT_KINDS = [
  "kill",
  "wipe",
  "pause",
  "partition",
  "one-way",
  "disk-full",
  "power-cycle",
  "clock",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly lastsMs: number;
  /** Numbers of the members that it strikes. */
  readonly members: readonly number[];
}

/** Time that the cluster gets between two faults: the promise is about any single failure. */
const RECOVERY_MS = 6000;

export function planFaults(random: Random, kinds: readonly FaultKind[], nodes: number, untilMs: number): Fault[] {
  const faults: Fault[] = [];
  if (kinds.length === 0) return faults;
  for (let atMs = random.between(2500, 6000); atMs < untilMs; ) {
    const kind = random.pick(kinds);
    const lastsMs = random.between(300, 5000);
    const side = 1 + random.integer(Math.max(1, Math.floor(nodes / 2)));
    const members = kind === "partition" || kind === "one-way" ? sample(random, nodes, side) : [random.integer(nodes)];
    faults.push({ kind, atMs, lastsMs, members });
    atMs += lastsMs + RECOVERY_MS + random.between(0, 3000);
  }
  return faults;
}

/** Sets a fault, and its end, into the world's future. */
export function schedule(world: World, fault: Fault): void {
  world.queue.at(fault.atMs, () => begin(world, fault));
  world.queue.at(fault.atMs + fault.lastsMs, () => end(world, fault));
}

function begin(world: World, { kind, members }: Fault): void {
  const struck = world.nodes.filter((_, index) => members.includes(index));
  const others = world.nodes.filter((node) => !struck.includes(node));
  switch (kind) {
    case "kill":
      for (const node of struck) world.kill(node);
      break;
    case "wipe":
      for (const node of struck) {
        world.kill(node);
        node.wipe();
      }
      break;
    case "power-cycle":
      for (const node of world.nodes) world.kill(node);
      break;
    case "pause":
      for (const node of struck) node.pause();
      break;
    case "partition":
      for (const one of struck) {
        for (const other of others) {
          world.cut(one.id, other.id);
          world.cut(other.id, one.id);
        }
      }
      break;
    case "one-way":
      for (const one of struck) for (const other of others) world.cut(one.id, other.id);
      break;
    case "disk-full":
      for (const node of struck) node.breakDisk();
      break;
    case "clock":
      for (const node of struck) node.clockOffsetMs += world.random.between(-900, 900);
      break;
  }
}

function end(world: World, { kind, members }: Fault): void {
  const struck = world.nodes.filter((_, index) => members.includes(index));
  switch (kind) {
    case "kill":
    case "wipe":
      for (const node of struck) node.start();
      break;
    case "power-cycle":
      for (const node of world.nodes) node.start();
      break;
    case "pause":
      for (const node of struck) node.resume();
      break;
    case "partition":
    case "one-way":
      world.heal();
      break;
    case "disk-full":
      for (const node of struck) node.mendDisk();
      break;
    case "clock":
      for (const node of struck) node.clockOffsetMs = 0;
      break;
  }
}

function sample(random: Random, count: number, size: number): number[] {
  const rest = Array.from({ length: count }, (_, index) => index);
  return Array.from({ length: size }, () => rest.splice(random.integer(rest.length), 1)[0] ?? 0);
}
