/** How members are told apart in what routers say: the announcements of each carry a mark of its own. */
import type { MemberId } from "../../core/names.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { PathAttributes } from "./routing-view.ts";

export interface Announcer {
  readonly id: MemberId;
  /** 0, which is reserved (RFC 7607), if the member doesn't speak BGP. */
  readonly as: number;
  /** The member's own address. */
  readonly address: Ipv4Address;
}

export type LargeCommunity = readonly [number, number, number];

/**
 * The function within our AS's large communities that says "announced by the member with this address": Mobile IP's port.
 */
const MEMBER_FUNCTION = 434;

export function memberCommunity({ as, address }: Omit<Announcer, "id">): LargeCommunity {
  return [as, MEMBER_FUNCTION, address];
}

/**
 * Identifies the member by the large community or, if a router strips those, by the AS in which the path begins, unless
 * another member has the same AS.
 */
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

/** Whether the router has the path from that member itself, so that nothing but its AS follows the router's own. */
export function isDirect({ asPath }: PathAttributes, neighborAs: number, announcer: Announcer): boolean {
  const rest = asPath[0] === neighborAs ? asPath.slice(1) : asPath;
  return rest.every((as) => as === announcer.as);
}
