/** Whom packets are passed on to of which this member knows nothing, as the programs have it. */
import type { Ipv4Address, Ipv4Prefix, Ipv4Range } from "../../core/wire/ipv4.ts";

/** As in homes.bpf.h. */
export const HOMES_PER_SLOT = 4;

export interface Homes {
  /** The addresses of all members. Elsewhere a member is its place in this list. */
  readonly members: readonly Ipv4Address[];
  /** For each of 65,536 slots of home addresses the first in their ranking, `HOMES_PER_SLOT` of them; 255: there are not so many. */
  readonly slots: Uint8Array;
  /** Addresses that a member hands out, which it ranks first for. */
  readonly pools: readonly { readonly range: Ipv4Range; readonly member: number }[];
}

export const NO_HOMES: Homes = { members: [], slots: new Uint8Array(), pools: [] };

/** Packets that went on to another member, by the direction that they have. */
export interface PassedOn {
  readonly toMobile: number;
  readonly fromMobile: number;
}

/** Of a forwarder that passes packets on. */
export interface Passing {
  /** Nobody is alive until that is said anew. @throws SystemCallError */
  setHomes(homes: Homes): void;
  setAlive(members: readonly Ipv4Address[]): void;
  /** Home addresses of which packets were passed on since the last time, `maximum` of them at most. */
  takeMissed(maximum: number): Ipv4Address[];
  passedOn(): PassedOn;
}

/** The largest networks that make up a range. */
export function prefixesOf({ first, last }: Ipv4Range): Ipv4Prefix[] {
  const prefixes: Ipv4Prefix[] = [];
  for (let next: number = first; next <= last; ) {
    let length = 32;
    // As long as the network of twice the size begins here as well, and doesn't go beyond the end.
    while (length > 0 && next % 2 ** (33 - length) === 0 && next + 2 ** (33 - length) - 1 <= last) length--;
    prefixes.push({ address: next as Ipv4Address, length });
    next += 2 ** (32 - length);
  }
  return prefixes;
}
