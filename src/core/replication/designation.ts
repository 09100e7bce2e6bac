/** Who backs a binding up, and who takes it over. Pure: the same on every member that sees the same members. */

import type { Membership } from "../members/membership.ts";
import type { Candidate } from "../members/placement.ts";
import type { MemberId } from "../names.ts";

export interface DesignationSettings {
  /** How many backups a binding has, where there are as many other members. */
  readonly copies: number;
  /** Per owner, where the operator has named its backups; they go before all others. */
  readonly designated: ReadonlyMap<MemberId, readonly MemberId[]>;
}

/**
 * The backups of a binding. Those it has stay as long as they are fit; vacancies go to the members that the operator has
 * designated for the owner, then to the next in the mobile's own ranking, so that a dead owner's mobiles spread over all.
 */
export function designateBackups(
  owner: MemberId,
  present: readonly MemberId[],
  ranking: readonly MemberId[],
  fitness: { readonly toStay: (member: MemberId) => boolean; readonly toJoin: (member: MemberId) => boolean },
  { copies, designated }: DesignationSettings,
): readonly MemberId[] {
  const joining = [...(designated.get(owner) ?? []), ...ranking].filter(fitness.toJoin);
  const candidates = new Set([...present.filter(fitness.toStay), ...joining]);
  candidates.delete(owner);
  return [...candidates].slice(0, copies);
}

/**
 * The backup that decides about a dead owner's binding: all members that hold it name the same one. One that can't store
 * decides only where no other can, as it could promise nothing of what it takes.
 */
export function decider(
  backups: readonly MemberId[],
  members: Pick<Membership, "isAlive" | "isAble">,
): MemberId | undefined {
  return backups.find((member) => members.isAble(member)) ?? backups.find((member) => members.isAlive(member));
}

/** The least loaded, by weight, of the backups that can take the binding; `loads` counts what they own. */
export function leastLoaded(
  backups: readonly MemberId[],
  loads: ReadonlyMap<MemberId, { readonly ownedBindings: number; readonly weight: number }>,
): MemberId | undefined {
  let best: { readonly id: MemberId; readonly load: number } | undefined;
  for (const id of backups) {
    const candidate = loads.get(id);
    if (candidate === undefined || candidate.weight <= 0) continue;
    const load = candidate.ownedBindings / candidate.weight;
    if (best === undefined || load < best.load) best = { id, load };
  }
  return best?.id;
}

/** Those that accept bindings of others. */
export function takers(loads: ReadonlyMap<MemberId, Candidate>): ReadonlyMap<MemberId, Candidate> {
  return new Map([...loads].filter(([, { acceptsNewMobiles }]) => acceptsNewMobiles));
}

/** A row more for a member. */
export function push(pages: Map<MemberId, Uint8Array[]>, member: MemberId, row: Uint8Array): void {
  const page = pages.get(member);
  if (page === undefined) pages.set(member, [row]);
  else page.push(row);
}

/** A binding is on its way there: the next ones should know. */
export function addLoad(loads: Map<MemberId, Candidate>, member: MemberId): void {
  const candidate = loads.get(member);
  if (candidate !== undefined) loads.set(member, { ...candidate, ownedBindings: candidate.ownedBindings + 1 });
}
