/** What must hold once faults are over and the cluster has had time to settle (docs/replication.md). */
import type { Binding } from "../core/bindings/binding.ts";
import { compareOwnerships, compareRegistrations } from "../core/bindings/merge.ts";
import { canForget, isTombstone, neededAloneUntilMs, withoutExpired } from "../core/bindings/mobility-bindings.ts";
import { type Attempt, deregistersAll, isDegraded, type Mobile, rowOf } from "./mobile.ts";
import type { Mobiles } from "./mobiles.ts";
import { EPOCH_MS, type SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** Clocks of members may differ by so much. */
const CLOCK_SLACK_MS = 2500;
/** Until rows are looked at, and two comparisons of digests have taken place. */
const FORGETTING_SLACK_MS = 6000;
/** Until an owner has looked again whether all have acknowledged what it may forget, as well. */
const EARLY_FORGETTING_SLACK_MS = 12_000;
/** From the end of whatever struck a member or a path until all members are level. */
const CONVERGENCE_MS = 5000;

/** `lostDisks`: a disk was wiped, so what was granted without any backup may be gone. */
export function check(world: World, mobiles: Mobiles, { lostDisks }: { readonly lostDisks: boolean }): string[] {
  return [
    ...mobiles.violations,
    ...mobiles.mobiles.flatMap((mobile) => checkMobile(world, mobiles, mobile, lostDisks)),
    ...checkAddresses(world),
  ];
}

function checkMobile(world: World, mobiles: Mobiles, mobile: Mobile, lostDisks: boolean): string[] {
  const violations: string[] = [];
  const held = copiesOf(world, mobile);
  const nowMs = EPOCH_MS + world.queue.nowMs;
  const last = mobiles.lastAccepted(mobile);
  for (const copy of held)
    if (canForget(copy.row, nowMs - FORGETTING_SLACK_MS))
      violations.push(`${mobile.name}: a copy has outlived its time: ${describe(copy)}`);
    else if (isKeptForNothing(world, copy.row))
      violations.push(`${mobile.name}: a tombstone is kept that nothing needs: ${describe(copy)}`);
  // Those that may just be on their way out, its owner first.
  const copies = held.filter(({ row }) => !mayForget(row, nowMs + CLOCK_SLACK_MS));
  for (const [index, copy] of copies.entries()) {
    const other = copies[index - 1];
    if (other === undefined) continue;
    if (
      compareRegistrations(copy.row, other.row) !== 0 ||
      compareOwnerships(copy.row.ownership, other.row.ownership) !== 0
    ) {
      violations.push(`${mobile.name}: copies differ: ${describe(copy)} and ${describe(other)}`);
    }
  }
  for (const copy of copies) {
    const { owner, backups } = copy.row.ownership;
    // The owner forgets first; that the others follow in time is looked at above.
    const isOver = mayForget(copy.row, world.queue.nowMs + EPOCH_MS);
    if (!isOver && !copies.some(({ node }) => node.id === owner))
      violations.push(`${mobile.name}: ${owner} owns it and doesn't have it: ${describe(copy)}`);
    if (copy.node.id !== owner && !backups.includes(copy.node.id))
      violations.push(`${mobile.name}: a copy where none belongs: ${describe(copy)}`);
  }
  // A request from before that was not answered may have been under way still.
  const hasAsked = mobile.attempts.some(
    ({ lastSentMs, replies, datagrams }) =>
      lastSentMs > mobile.deletedAtMs - (replies < datagrams ? CONVERGENCE_MS : 0),
  );
  if (!hasAsked && !lostDisks && mobile.isDeletionConfirmed() && copies.some(({ row }) => !isTombstone(row)))
    violations.push(`${mobile.name}: lives on after an operator has ended its binding`);
  if (last?.accepted === undefined) return violations;

  const { reply, atMs } = last.accepted;
  const endsMs = atMs + reply.lifetimeSeconds * 1000;
  // A lifetime begins with the decision, and the answer to a retransmission may be late.
  const mustLive =
    mobile.cededAtMs < atMs &&
    reply.lifetimeSeconds > 0 &&
    last.sentMs + reply.lifetimeSeconds * 1000 > world.queue.nowMs + 2000;
  const newest = copies[0]?.row;
  if (mustLive && !(lostDisks && isDegraded(last))) {
    if (newest === undefined) {
      if (!mayHaveEnded(mobile, last, world.queue.nowMs))
        violations.push(`${mobile.name}: the registration accepted at ${atMs.toFixed(0)} ms is lost`);
    } else if (newest.registration.identification < last.identification) {
      violations.push(
        `${mobile.name}: the registration accepted at ${atMs.toFixed(0)} ms was replaced by an older one`,
      );
    }
  }
  // A later request that was never answered may have changed things, and no one was told.
  if (mobiles.unknownAfter(mobile).length > 0 || newest === undefined) return violations;
  const isLive = copies.some(({ row }) => !isTombstone(row));
  if (reply.lifetimeSeconds === 0 && isLive && deregistersAll(last, mobile)) {
    violations.push(`${mobile.name}: lives on after its deregistration at ${atMs.toFixed(0)} ms`);
  }
  if (mustLive && !isLive) violations.push(`${mobile.name}: expired before its time`);
  if (reply.lifetimeSeconds > 0 && endsMs < world.queue.nowMs - 2000 && isLive)
    violations.push(`${mobile.name}: outlives its lifetime`);
  return violations;
}

/** Whether its owner may have forgotten it, because its time is over or no member has an older copy. */
function mayForget(row: Binding, nowMs: number): boolean {
  return canForget(row, nowMs) || (isTombstone(row) && neededAloneUntilMs(row) <= nowMs);
}

/**
 * Whether all members have been well since before the first registration of the mobile, so that none can return with an old
 * copy.
 */
function isKeptForNothing(world: World, row: Binding): boolean {
  const { nowMs } = world.queue;
  if (!isTombstone(row) || neededAloneUntilMs(row) > EPOCH_MS + nowMs - EARLY_FORGETTING_SLACK_MS) return false;
  const sinceMs = row.createdAtMs - EPOCH_MS - CONVERGENCE_MS;
  const areUndisturbed = world.nodes.every((node) => node.hasBeenServingFor(nowMs - sinceMs));
  return areUndisturbed && world.wasWholeSince(sinceMs) && world.network.wasFairSince(sinceMs);
}

interface Copy {
  readonly node: SimulatedNode;
  readonly row: Binding;
}

function copiesOf({ nodes, queue }: World, mobile: Mobile): Copy[] {
  return nodes.flatMap((node) => {
    const row = rowOf(node, mobile);
    return row === undefined ? [] : [{ node, row: withoutExpired(row, EPOCH_MS + queue.nowMs) }];
  });
}

/** No home address belongs to two mobiles. */
function checkAddresses({ nodes }: World): string[] {
  const holders = new Map<number, string>();
  const violations: string[] = [];
  for (const node of nodes) {
    for (const row of node.agent.bindings) {
      if (isTombstone(row)) continue;
      const holder = holders.get(row.homeAddress);
      if (holder !== undefined && holder !== row.mobile)
        violations.push(`${row.mobile} and ${holder} have the same home address`);
      holders.set(row.homeAddress, row.mobile);
    }
  }
  return violations;
}

function describe({ node, row: { ownership, registration } }: Copy): string {
  return `on ${node.id} ${ownership.owner}/${ownership.generation}:${ownership.backups} @${registration.identification} #${registration.counter} x${registration.careOfAddresses.length}`;
}

/** By a later request, of a lifetime that is over, whose reply was lost. */
function mayHaveEnded(mobile: Mobile, accepted: Attempt, nowMs: number): boolean {
  return mobile.attempts.some(
    ({ sentMs, lastSentMs, requestedSeconds }) =>
      sentMs > accepted.sentMs && lastSentMs + requestedSeconds * 1000 <= nowMs,
  );
}
