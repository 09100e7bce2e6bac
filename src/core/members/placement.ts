/**
 * Placement: which member should own a mobile that is not known yet. Weighted rendezvous hashing gives every member the
 * same ranking without talking; the bound on loads keeps one member from filling up while others are empty.
 */

import { createHmac, type KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { MemberId, MobileKey } from "../names.ts";
import { type Ipv4Address, type Ipv4Range, parseIpv4, rangeContains } from "../wire/ipv4.ts";

export interface PlacementMember {
  readonly id: MemberId;
  readonly weight: number;
  /** Its slice of the dynamic home addresses. */
  readonly pool: readonly Ipv4Range[];
}

/** What placement needs to know about the current state of a member. */
export interface Candidate {
  readonly id: MemberId;
  readonly weight: number;
  readonly acceptsNewMobiles: boolean;
  /** Whether it can store what it would have to promise. */
  readonly canStore: boolean;
  readonly ownedBindings: number;
}

/** How many rankings are cached; a request needs that of its mobile several times on its way there and back. */
const MAXIMUM_REMEMBERED = 65_536;

interface Scored {
  readonly id: MemberId;
  readonly score: number;
}

export class Placement {
  readonly #key: KeyObject;
  #members: readonly { readonly member: PlacementMember; readonly high: number; readonly low: number }[] = [];
  /**
   * An LRU cache rather than a Map: removing the oldest entry of a Map iterates over all entries deleted before, for every
   * new mobile of a flood.
   */
  readonly #remembered = new LRUCache<MobileKey, readonly MemberId[]>({ max: MAXIMUM_REMEMBERED });
  #digest = 0;

  constructor(key: KeyObject, members: readonly PlacementMember[]) {
    this.#key = key;
    this.setMembers(members);
  }

  setMembers(members: readonly PlacementMember[]): void {
    this.#remembered.clear();
    this.#members = members.map((member) => ({ member, ...this.#hash(`member ${member.id}`) }));
    // 0 means that there is no digest.
    this.#digest = this.#hash(`members ${members.map(describe).sort().join("; ")}`).high || 1;
  }

  /** A member with a different digest has different members, weights or pools, and ranks mobiles differently. */
  get digest(): number {
    return this.#digest;
  }

  /**
   * All members, best first. An address from a member's pool slice ranks that member first: it handed the address out,
   * so a mobile that got its address dynamically is found by the address as well as by its NAI.
   */
  rank(mobile: MobileKey): readonly MemberId[] {
    const remembered = this.#remembered.get(mobile);
    if (remembered !== undefined) return remembered;
    const ranking = this.#scored(mobile)
      .sort((a, b) => (ranksBefore(a, b) ? -1 : 1))
      .map(({ id }) => id);
    this.#remembered.set(mobile, ranking);
    return ranking;
  }

  #scored(mobile: MobileKey): Scored[] {
    const hash = this.#hash(mobile);
    const address = mobile.startsWith("ip:") ? parseIpv4(mobile.slice(3)) : undefined;
    return this.#members.map(({ member, high, low }) => ({
      id: member.id,
      score: holdsAddress(member, address) ? Number.POSITIVE_INFINITY : score(hash, high, low, member.weight),
    }));
  }

  #hash(text: string): { high: number; low: number } {
    const digest = createHmac("sha256", this.#key).update(text).digest();
    return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
  }
}

/**
 * The first in rank that accepts new mobiles and is under its bound; else the first that accepts them at all.
 * The bound is the fair share by weight times the load factor (consistent hashing with bounded loads).
 */
export function chooseOwner(
  ranking: readonly MemberId[],
  candidates: ReadonlyMap<MemberId, Candidate>,
  loadFactor: number,
): MemberId | undefined {
  let totalWeight = 0;
  let totalBindings = 0;
  for (const candidate of candidates.values()) {
    if (!candidate.acceptsNewMobiles) continue;
    totalWeight += candidate.weight;
    totalBindings += candidate.ownedBindings;
  }
  let fallback: MemberId | undefined;
  for (const id of ranking) {
    const candidate = candidates.get(id);
    if (!candidate?.acceptsNewMobiles) continue;
    const bound = Math.ceil((loadFactor * (totalBindings + 1) * candidate.weight) / totalWeight);
    if (candidate.ownedBindings < bound) return id;
    fallback ??= id;
  }
  return fallback;
}

function describe({ id, weight, pool }: PlacementMember): string {
  return [id, weight, ...pool.map(({ first, last }) => `${first}-${last}`)].join(" ");
}

function ranksBefore(a: Scored, b: Scored): boolean {
  return a.score > b.score || (a.score === b.score && a.id < b.id);
}

function holdsAddress(member: PlacementMember, address: Ipv4Address | undefined): boolean {
  return address !== undefined && member.pool.some((range) => rangeContains(range, address));
}

/** Weighted rendezvous score: -weight / ln(u), with u uniform in (0, 1) from the two hashes. */
function score(mobile: { high: number; low: number }, memberHigh: number, memberLow: number, weight: number): number {
  const mixed = mix(mix(mobile.high ^ memberHigh) ^ mobile.low ^ memberLow);
  return -weight / Math.log((mixed + 0.5) / 2 ** 32);
}

/** The finalizer of MurmurHash3: every input bit changes every output bit with probability one half. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
