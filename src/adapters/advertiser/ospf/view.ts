import type { MemberId } from "../../../core/names.ts";
import { formatIpv4, formatPrefix, type Ipv4Prefix } from "../../../core/wire/ipv4.ts";
import type { Announcer } from "../announcers.ts";
import type { RoutingView, SeenPath } from "../routing-view.ts";
import type { OspfRouter, OwnState } from "./link-state.ts";

/**
 * Who announces, according to the link-state database, which is the same in all routers of the area. Our own announcement
 * counts as seen if a neighbor has acknowledged it.
 */
export function routingViewOf(
  { routerId, neighbors }: OwnState,
  routers: readonly OspfRouter[],
  {
    prefixes,
    self,
    members,
  }: {
    readonly prefixes: readonly Ipv4Prefix[];
    readonly self: MemberId;
    readonly members: readonly Pick<Announcer, "id" | "address">[];
  },
): RoutingView {
  const wanted = new Set(prefixes.map(formatPrefix));
  const full = neighbors.filter(({ state }) => state === "Full");
  const [teller] = full;
  const paths = routers.flatMap(({ id, stubs }) => {
    const announcer = id === routerId ? self : members.find(({ address }) => formatIpv4(address) === id)?.id;
    // Ours is taken from each neighbor that has it; what others announce, either all neighbors have or none.
    const tellers = id === routerId ? full.filter(({ isLevel }) => isLevel) : teller ? [teller] : [];
    return stubs
      .filter(({ prefix }) => wanted.has(formatPrefix(prefix)))
      .flatMap(({ prefix, metric }) =>
        tellers.map(
          ({ address }): SeenPath => ({
            prefix,
            neighbor: address,
            nextHop: id,
            attributes: { asPath: [], med: metric, communities: [], largeCommunities: [] },
            ...(announcer === undefined ? {} : { announcer }),
            isEcho: id === routerId,
          }),
        ),
      );
  });
  return { paths, complete: full.map(({ address }) => address), isComplete: full.length > 0 };
}
