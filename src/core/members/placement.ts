/**
 * Placement: which member should own a mobile that is not known yet. Weighted rendezvous hashing gives every member the
 * same ranking without talking; the bound on loads keeps one member from filling up while others are empty.
 */

import { createHmac, type KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { MemberId, MobileIdentity, MobileKey } from "../names.ts";
import { formatIpv4, type Ipv4Address, type Ipv4Range, parseIpv4, rangeContains, UNSPECIFIED } from "../wire/ipv4.ts";

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

/**
 * Home addresses are ranked by slots, those of the same low 16 bits together: so few that whoever forwards packets can have the
 * ranking of all of them as a table.
 */
export const ADDRESS_SLOTS = 65_536;

interface Scored {
  readonly id: MemberId;
  readonly score: number;
}

/** 64 bits that differ for whatever is hashed. */
interface Hash {
  readonly high: number;
  readonly low: number;
}

export class Placement {
  readonly #key: KeyObject;
  #members: readonly ({ readonly member: PlacementMember } & Hash)[] = [];
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
    const address = mobile.startsWith("ip:") ? parseIpv4(mobile.slice(3)) : undefined;
    const hash = address === undefined ? this.#hash(mobile) : this.#slotHash(address % ADDRESS_SLOTS);
    const ranking = this.#ranked(hash, address);
    this.#remembered.set(mobile, ranking);
    return ranking;
  }

  /**
   * The first members in the ranking of each slot, but for the slices of pools: their numbers in the list of members, `count` of
   * each slot one after the other, 255 where there are not so many.
   */
  slotTable(count: number): Uint8Array {
    const table = new Uint8Array(ADDRESS_SLOTS * count).fill(NOBODY);
    const scores = new Float64Array(this.#members.length);
    for (let slot = 0; slot < ADDRESS_SLOTS; slot += SLOTS_PER_HASH) {
      const digest = this.#digestOf(slotName(slot));
      for (let part = 0; part < SLOTS_PER_HASH; part++) {
        const hash = hashIn(digest, part);
        this.#members.forEach(({ member, high, low }, index) => {
          scores[index] = score(hash, high, low, member.weight);
        });
        for (let rank = 0; rank < Math.min(count, scores.length); rank++) {
          const best = this.#best(scores);
          table[(slot + part) * count + rank] = best;
          scores[best] = Number.NEGATIVE_INFINITY;
        }
      }
    }
    return table;
  }

  /** The number of the member that ranks first. */
  #best(scores: Float64Array): number {
    let best = 0;
    for (let index = 1; index < scores.length; index++) {
      const [mine, theirs] = [scores[index] ?? 0, scores[best] ?? 0];
      if (mine > theirs || (mine === theirs && this.#idOf(index) < this.#idOf(best))) best = index;
    }
    return best;
  }

  #idOf(number: number): MemberId {
    return this.#members[number]?.member.id ?? "";
  }

  #ranked(hash: Hash, address: Ipv4Address | undefined): MemberId[] {
    const scored = this.#members.map(
      ({ member, high, low }): Scored => ({
        id: member.id,
        score: holdsAddress(member, address) ? Number.POSITIVE_INFINITY : score(hash, high, low, member.weight),
      }),
    );
    return scored.sort((a, b) => (ranksBefore(a, b) ? -1 : 1)).map(({ id }) => id);
  }

  #slotHash(slot: number): Hash {
    return hashIn(this.#digestOf(slotName(slot)), slot % SLOTS_PER_HASH);
  }

  #hash(text: string): Hash {
    return hashIn(this.#digestOf(text), 0);
  }

  #digestOf(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

/** So many share an HMAC, that a table of all of them is quickly made. */
const SLOTS_PER_HASH = 4;

function slotName(slot: number): string {
  return `slots ${Math.floor(slot / SLOTS_PER_HASH)}`;
}

function hashIn(digest: Buffer, part: number): Hash {
  return { high: digest.readUInt32BE(8 * part), low: digest.readUInt32BE(8 * part + 4) };
}

/** Stands for no member. */
const NOBODY = 0xff;

/** By what a mobile is ranked: by its home address where it has one, as that is all that packets say. */
export function placedBy({
  mobile,
  homeAddress,
}: { readonly mobile: MobileKey } & Pick<MobileIdentity, "homeAddress">) {
  return homeAddress === UNSPECIFIED ? mobile : (`ip:${formatIpv4(homeAddress)}` as const);
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
function score(mobile: Hash, memberHigh: number, memberLow: number, weight: number): number {
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
