/** What goes wrong in a simulation, drawn from its seed. Plans are lists, so that a failing one can be made shorter. */
import { z } from "zod";
import { DAMAGE_KINDS } from "./disk-damage.ts";
import type { SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export const FAULT_KINDS = [
  /** SIGKILL or loss of power; the disk keeps what was committed. */
  "kill",
  /** The same, in the moment after it has relayed a request as its ingress. */
  "kill-ingress",
  /** The same, and the disk is lost. */
  "wipe",
  /** The same, and the disk has suffered: see disk-damage.ts. */
  ...DAMAGE_KINDS,
  /** Nothing of the process runs: SIGSTOP, a suspended machine. */
  "pause",
  /** Everything takes its time. */
  "slow-member",
  /** Some members can't reach the others. */
  "partition",
  /** Some members aren't heard by the others. */
  "one-way",
  /** Two members can't reach each other; others reach both. */
  "path",
  /** Datagrams are lost, doubled, late and overtaken; streams are late. */
  "storm",
  "disk-full",
  /** A write fails, and it is unknown whether it took place. */
  "disk-error",
  /** No write comes to an end. */
  "disk-hang",
  "slow-disk",
  /** All members lose power at once. */
  "power-cycle",
  /** A clock jumps, and later back. */
  "clock",
  /** The clocks of one member, or of all, are set wrong by a minute to an hour, and back. */
  "clock-step",
  /** A member stops, and the others get a configuration without it, one after the other; later it comes back the same way. */
  "leave",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly lastsMs: number;
  /** Numbers of the members that it strikes. */
  readonly members: readonly number[];
}

/** A plan as `anyhome sim` prints it. */
export const planSchema = z.array(
  z.strictObject({
    kind: z.enum(FAULT_KINDS),
    atMs: z.number().nonnegative(),
    lastsMs: z.number().nonnegative(),
    members: z.array(z.int().nonnegative()),
  }),
);

/**
 * A fault of these kinds lasts so many times as long: what is to be done about it takes a while, and a while is to be seen
 * after. A member whose disk is damaged is mostly back before others take over from it, which would hide what it has lost.
 */
const LASTING: Partial<Record<FaultKind, number>> = {
  leave: 2,
  "disk-full": 2,
  "disk-error": 2,
  "disk-hang": 2,
  "flipped-bits": 0.25,
  "lost-fsync": 0.25,
  "misdirected-write": 0.25,
  "torn-write": 0.25,
  "truncated-file": 0.25,
};

/** Time that the cluster gets between two faults: the promise is about any single failure. */
const RECOVERY_MS = 6000;

/** `atOnce`: how many faults strike together; each member is struck by one of them at most. */
export function planFaults(
  random: Random,
  { kinds, nodes, untilMs, atOnce }: { kinds: readonly FaultKind[]; nodes: number; untilMs: number; atOnce: number },
): Fault[] {
  const faults: Fault[] = [];
  if (kinds.length === 0) return faults;
  for (let atMs = random.between(2500, 6000); atMs < untilMs; ) {
    let endsMs = atMs;
    const spared = Array.from({ length: nodes }, (_, index) => index);
    for (let count = 0; count < atOnce && spared.length > 0; count++) {
      const fault = drawFault(
        random,
        kinds,
        { spared, isAlone: atOnce === 1 },
        count === 0 ? atMs : random.between(atMs, endsMs),
      );
      faults.push(fault);
      endsMs = Math.max(endsMs, fault.atMs + fault.lastsMs);
    }
    atMs = endsMs + RECOVERY_MS + random.between(0, 3000);
  }
  return faults;
}

/** Takes the members that it strikes out of `spared`. */
function drawFault(
  random: Random,
  kinds: readonly FaultKind[],
  { spared, isAlone }: { readonly spared: number[]; readonly isAlone: boolean },
  atMs: number,
): Fault {
  const kind = random.pick(kinds);
  const lastsMs = random.between(300, 5000) * (LASTING[kind] ?? 1);
  const take = (count: number) =>
    Array.from({ length: count }, () => spared.splice(random.integer(spared.length), 1)[0] ?? 0);
  if (kind === "power-cycle" || kind === "storm") return { kind, atMs, lastsMs, members: [] };
  // If a member started meanwhile, no other could tell it the time.
  if (kind === "clock-step" && isAlone && random.chance(0.5)) return { kind, atMs, lastsMs, members: [] };
  const half = Math.max(1, Math.floor(spared.length / 2));
  if (kind === "partition" || kind === "one-way")
    return { kind, atMs, lastsMs, members: take(1 + random.integer(half)) };
  return { kind, atMs, lastsMs, members: take(Math.min(kind === "path" ? 2 : 1, spared.length)) };
}

/** Members are given a new configuration within this time; shorter than any fault. */
const RELOADING_MS = 250;

/** Sets a fault, and its end, into the world's future. */
export function schedule(world: World, fault: Fault): void {
  world.queue.at(fault.atMs, () => {
    const end = begin(world, fault);
    world.queue.after(fault.lastsMs, end);
  });
}

/** Returns how it is undone. */
function begin(world: World, { kind, members }: Fault): () => void {
  const { random } = world;
  const struck = world.nodes.filter((_, index) => members.includes(index));
  const others = world.nodes.filter((node) => !struck.includes(node));
  switch (kind) {
    case "kill":
      return each(struck, (node) => killed(world, node));
    case "kill-ingress":
      return each(struck, (node) => {
        world.doomed.add(node);
        return () => {
          world.doomed.delete(node);
          node.start();
        };
      });
    case "wipe":
      return each(struck, (node) => {
        world.kill(node);
        node.wipe();
        world.diskLostAtMs = world.queue.nowMs;
        return () => node.start();
      });
    case "flipped-bits":
    case "lost-fsync":
    case "misdirected-write":
    case "torn-write":
    case "truncated-file":
      return each(struck, (node) => {
        world.kill(node);
        node.damageDisk(kind);
        world.diskLostAtMs = world.queue.nowMs;
        return () => node.start();
      });
    case "power-cycle":
      return each(world.nodes, (node) => killed(world, node));
    case "pause":
      return each(struck, (node) => {
        node.pause();
        return () => node.resume();
      });
    case "slow-member":
      return each(struck, (node) => {
        node.slowDown(random.between(1, 20));
        return () => node.slowDown(0);
      });
    case "partition":
      return cut(world, struck, others, true);
    case "one-way":
      return cut(world, struck, others, false);
    case "path":
      return cut(world, struck.slice(0, 1), struck.slice(1), true);
    case "storm":
      world.network.storm();
      return () => world.network.calm();
    case "disk-full":
    case "disk-error":
      return each(struck, (node) => {
        node.breakDisk(kind === "disk-full" ? "full" : "error");
        return () => node.mendDisk();
      });
    case "disk-hang":
      return each(struck, (node) => {
        node.hangDisk();
        return () => node.mendDisk();
      });
    case "slow-disk":
      return each(struck, (node) => {
        node.disk.extraMs = random.between(50, 1500);
        return () => {
          node.disk.extraMs = 0;
          node.disk.fairSinceMs = world.queue.nowMs;
        };
      });
    case "clock":
      return each(struck, (node) => {
        const jumpMs = random.between(-900, 900);
        node.clockOffsetMs += jumpMs;
        return () => {
          node.clockOffsetMs -= jumpMs;
        };
      });
    case "clock-step": {
      const stepMs = random.pick([-1, 1]) * random.between(60_000, 3_600_000);
      return each(struck.length > 0 ? struck : world.nodes, (node) => {
        node.clockOffsetMs += stepMs;
        return () => {
          node.clockOffsetMs -= stepMs;
        };
      });
    }
    case "leave":
      return each(struck, (node) => {
        world.kill(node);
        reload(world, others, (members) => members.filter((id) => id !== node.id));
        return () => {
          reload(world, others, (members) => [...members, node.id]);
          world.queue.after(random.between(0, RELOADING_MS), () => node.start());
        };
      });
  }
}

function each(nodes: readonly SimulatedNode[], strike: (node: SimulatedNode) => () => void): () => void {
  const ends = nodes.map(strike);
  return () => {
    for (const end of ends) end();
  };
}

/** Each at a time of its own. */
function reload(
  world: World,
  nodes: readonly SimulatedNode[],
  change: (members: readonly string[]) => readonly string[],
): void {
  for (const node of nodes) {
    const delayMs = world.random.between(0, RELOADING_MS);
    world.queue.after(delayMs, () => world.reload(node, change));
  }
}

function killed(world: World, node: SimulatedNode): () => void {
  world.kill(node);
  return () => node.start();
}

function cut(
  world: World,
  some: readonly SimulatedNode[],
  others: readonly SimulatedNode[],
  bothWays: boolean,
): () => void {
  const pairs = some.flatMap(({ id: one }) =>
    others.flatMap(({ id: other }) =>
      bothWays ? [[one, other] as const, [other, one] as const] : [[one, other] as const],
    ),
  );
  for (const [from, to] of pairs) world.network.cut(from, to);
  return () => {
    for (const [from, to] of pairs) world.network.mend(from, to);
  };
}
