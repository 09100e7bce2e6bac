/** How members are told apart in what routers say: each announcement carries a mark of its own. */
import type { MemberId } from "../../core/names.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { PathAttributes } from "./routing-view.ts";

export interface Announcer {
  readonly id: MemberId;
  /** 0, which is nobody's (RFC 7607), where it doesn't speak BGP. */
  readonly as: number;
  /** The member's own. */
  readonly address: Ipv4Address;
}

export type LargeCommunity = readonly [number, number, number];

/** The function within our AS's large communities that says "announced by the member with this address": Mobile IP's port. */
const MEMBER_FUNCTION = 434;

export function memberCommunity({ as, address }: Omit<Announcer, "id">): LargeCommunity {
  return [as, MEMBER_FUNCTION, address];
}

/** By the large community; where a router strips those, by the AS that the path begins in, if no other member has it too. */
export function findAnnouncer(
  { asPath, largeCommunities }: PathAttributes,
  members: readonly Announcer[],
): Announcer | undefined {
  const marked = members.find((member) =>
    largeCommunities.some((community) => community.every((part, index) => part === memberCommunity(member)[index])),
  );
  if (marked) return marked;
  const [first, ...others] = members.filter(({ as }) => as === asPath.at(-1));
  return others.length === 0 ? first : undefined;
}

/** Whether the router that told has the path from that member itself: nothing but its AS follows the router's own. */
export function isDirect({ asPath }: PathAttributes, neighborAs: number, announcer: Announcer): boolean {
  const rest = asPath[0] === neighborAs ? asPath.slice(1) : asPath;
  return rest.every((as) => as === announcer.as);
}
