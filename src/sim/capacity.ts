/** What a cluster of this size does with its load, and how fast it takes over: measured in two runs, in simulated time. */

import { isTombstone } from "../core/bindings/mobility-bindings.ts";
import type { MobileKey } from "../core/names.ts";
import { mobileKeyOf } from "../core/registration/identity.ts";
import type { Attempt, Mobile } from "./mobile.ts";
import { Mobiles } from "./mobiles.ts";
import type { SimulatedNode } from "./node.ts";
import { World, type WorldOptions } from "./world.ts";

/** Over all members. */
export interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export interface Capacity {
  readonly ownedBindings: Spread;
  readonly backupBindings: Spread;
  readonly registrationsPerSecond: Spread;
  /** A request that comes in at its owner needs none, which with few members is frequent: hence of those that are relayed. */
  readonly framesPerRelayedRegistration: number;
  /** On streams: copies of temporary bindings, and word of their end. */
  readonly messagesPerRelayedRegistration: number;
  /** On streams as well: rows, their acknowledgements, locations. Without what time causes: heartbeats, comparisons of digests. */
  readonly messagesPerRegistration: number;
  readonly rowsPerRegistration: number;
  /** Of rows, as text. */
  readonly replicatedBytesPerRegistration: number;
  readonly takeover: {
    /** That the dead member had owned. */
    readonly bindings: number;
    /** From its death until the last one has an owner that is alive. */
    readonly claimedMs: number | undefined;
    /** From its death until one of its mobiles was accepted again. */
    readonly servedMs: number | undefined;
  };
}

export interface CapacityOptions extends WorldOptions {
  readonly mobiles: number;
}

const START_MS = 3000;
const LOAD_MS = 12_000;
const TAKEOVER_MS = 10_000;
const LOOK_MS = 5;
const MESSAGES_OF_REGISTRATIONS = ["rows", "ack", "moved"];

export function measureCapacity(options: CapacityOptions): Capacity {
  return { ...measureLoad(options), takeover: measureTakeover(options) };
}

export function measureLoad(options: CapacityOptions): Omit<Capacity, "takeover"> {
  const { world, accepted } = startLoad(options);
  const before = new Map(world.counts);
  world.runFor(LOAD_MS);
  const per = (total: number, of: number) => Number((total / Math.max(of, 1)).toFixed(2));
  const counted = (what: string) => (world.counts.get(what) ?? 0) - (before.get(what) ?? 0);
  const messages = MESSAGES_OF_REGISTRATIONS.map((type) => counted(`stream-messages ${type}`));
  const registrations = accepted.length;
  return {
    ownedBindings: spread(world.nodes, ({ agent }) => agent.counts.owned),
    backupBindings: spread(world.nodes, ({ agent }) => agent.counts.backup),
    registrationsPerSecond: spread(world.nodes, ({ agent, now }) => agent.load(now).registrationsPerSecond),
    framesPerRelayedRegistration: per(counted("relay-frames"), counted("relayed-requests")),
    messagesPerRelayedRegistration: per(counted("stream-messages temporary"), counted("relayed-requests")),
    messagesPerRegistration: per(
      messages.reduce((sum, count) => sum + count, 0),
      registrations,
    ),
    rowsPerRegistration: per(counted("stream-rows"), registrations),
    replicatedBytesPerRegistration: Math.round(per(counted("stream-bytes"), registrations)),
  };
}

/** Kills the member that owns most. */
function measureTakeover(options: CapacityOptions): Capacity["takeover"] {
  const { world, accepted } = startLoad(options);
  world.runFor(LOAD_MS);
  const [dead] = world.nodes.toSorted((a, b) => b.agent.counts.owned - a.agent.counts.owned);
  if (dead === undefined || world.nodes.length === 1) return { bindings: 0, claimedMs: undefined, servedMs: undefined };
  const owned = [...dead.agent.bindings].filter(isOwnedBy(dead));
  const orphans = new Set(owned.filter((row) => !isTombstone(row)).map(({ mobile }) => mobile));
  const diedAtMs = world.queue.nowMs;
  const acceptedBefore = accepted.length;
  world.kill(dead);
  let claimedMs: number | undefined;
  while (claimedMs === undefined && world.queue.nowMs < diedAtMs + TAKEOVER_MS) {
    world.runFor(LOOK_MS);
    const claimed = new Set<string>();
    for (const node of world.nodes) {
      if (node === dead) continue;
      for (const row of node.agent.bindings) if (isOwnedBy(node)(row)) claimed.add(row.mobile);
    }
    if ([...orphans].every((mobile) => claimed.has(mobile))) claimedMs = world.queue.nowMs - diedAtMs;
  }
  world.runFor(Math.max(diedAtMs + TAKEOVER_MS - world.queue.nowMs, 0));
  const served = accepted
    .slice(acceptedBefore)
    .filter(({ mobile, attempt }) => attempt.sentMs > diedAtMs && orphans.has(keyOf(mobile)))
    .map(({ attempt }) => (attempt.accepted?.atMs ?? Number.POSITIVE_INFINITY) - diedAtMs);
  return {
    bindings: orphans.size,
    claimedMs: claimedMs === undefined ? undefined : Math.round(claimedMs),
    servedMs: served.length === 0 ? undefined : Math.round(Math.min(...served)),
  };
}

function startLoad(options: CapacityOptions) {
  const world = new World(options);
  const mobiles = new Mobiles(world, options.mobiles);
  const accepted: { readonly mobile: Mobile; readonly attempt: Attempt }[] = [];
  mobiles.onAccepted = (mobile, attempt) => accepted.push({ mobile, attempt });
  world.runFor(START_MS);
  mobiles.liveUntil(Number.POSITIVE_INFINITY);
  return { world, accepted };
}

function isOwnedBy({ id }: SimulatedNode) {
  return (row: { readonly ownership: { readonly owner: string }; readonly mobile: MobileKey }) =>
    row.ownership.owner === id;
}

function keyOf({ nai, homeAddress }: Mobile): MobileKey {
  return mobileKeyOf({ homeAddress, nai }) ?? "nai:";
}

function spread(nodes: readonly SimulatedNode[], measure: (node: SimulatedNode) => number): Spread {
  const sorted = nodes.map(measure).toSorted((a, b) => a - b);
  return {
    least: sorted[0] ?? 0,
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
    most: sorted.at(-1) ?? 0,
  };
}
