/** Who announces the cluster's prefixes, as the routers tell (mission M9). docs/advertiser.md says what it is good for. */
import type { MemberId } from "../../core/names.ts";
import { formatPrefix, type Ipv4Prefix } from "../../core/wire/ipv4.ts";

/** What BGP says of a path besides where it leads. */
export interface PathAttributes {
  /** From the router's own AS to the one that announces; members of an AS_SET are left out. */
  readonly asPath: readonly number[];
  readonly med?: number;
  /** RFC 1997. */
  readonly communities: readonly (readonly [number, number])[];
  /** RFC 8092. */
  readonly largeCommunities: readonly (readonly [number, number, number])[];
}

/** A path to one of the prefixes that the cluster announces. */
export interface SeenPath {
  readonly prefix: Ipv4Prefix;
  /** The router that told. */
  readonly neighbor: string;
  /** Tells a router's paths to one prefix apart (RFC 7911); absent: it sends only its best one. */
  readonly pathId?: string;
  readonly nextHop: string;
  readonly attributes: PathAttributes;
  /** Which member announces it; absent: nobody of the cluster. */
  readonly announcer?: MemberId;
  /** The router has it from us: it has accepted what we announce. */
  readonly isEcho: boolean;
}

export interface RoutingView {
  readonly paths: readonly SeenPath[];
  /** Routers that tell all they have, and have had the time to. What such a router doesn't tell isn't there. */
  readonly complete: readonly string[];
  /** All routers with a session are such, and there is one. */
  readonly isComplete: boolean;
}

export const UNKNOWN_VIEW: RoutingView = { paths: [], complete: [], isComplete: false };

/** The members whose announcement of a prefix some router has; `undefined`: none is seen, which says nothing. */
export function announcersOf(view: RoutingView, prefix: Ipv4Prefix): readonly MemberId[] | undefined {
  const wanted = formatPrefix(prefix);
  const seen = view.paths.flatMap((path) =>
    path.announcer !== undefined && formatPrefix(path.prefix) === wanted ? [path.announcer] : [],
  );
  return seen.length > 0 || view.isComplete ? [...new Set(seen)] : undefined;
}

/** As `announcersOf`, without this member: `[]` where it is the last one; `undefined` where that can't be known. */
export function othersAnnouncing(
  view: RoutingView,
  prefix: Ipv4Prefix,
  self: MemberId,
): readonly MemberId[] | undefined {
  const others = announcersOf(view, prefix)?.filter((member) => member !== self);
  return others?.length === 0 && !view.isComplete ? undefined : others;
}

/** Whether a router has a prefix from us; `undefined` where that can't be known. */
export function isAccepted(view: RoutingView, neighbor: string, prefix: Ipv4Prefix): boolean | undefined {
  const wanted = formatPrefix(prefix);
  const echo = view.paths.some(
    (path) => path.isEcho && path.neighbor === neighbor && formatPrefix(path.prefix) === wanted,
  );
  return echo || (view.complete.includes(neighbor) ? false : undefined);
}
