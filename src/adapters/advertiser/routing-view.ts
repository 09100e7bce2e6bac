/** Who announces the cluster's prefixes, according to the routers. docs/advertiser.md says what this is used for. */
import type { MemberId } from "../../core/names.ts";
import { formatPrefix, type Ipv4Prefix } from "../../core/wire/ipv4.ts";

/** What BGP says about a path apart from its destination. */
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
  /** The router that reports the path. */
  readonly neighbor: string;
  /** Distinguishes a router's paths to one prefix (RFC 7911); absent if it sends only its best one. */
  readonly pathId?: string;
  readonly nextHop: string;
  readonly attributes: PathAttributes;
  /** The member that announces it; absent if it is none of the cluster. */
  readonly announcer?: MemberId;
  /** Whether the router has it from us, and thus has accepted our announcement. */
  readonly isEcho: boolean;
}

export interface RoutingView {
  readonly paths: readonly SeenPath[];
  /** Routers that report all they have and have had the time to do so. What such a router doesn't report doesn't exist. */
  readonly complete: readonly string[];
  /** Whether there are routers with a session and all of them are such. */
  readonly isComplete: boolean;
}

export const UNKNOWN_VIEW: RoutingView = { paths: [], complete: [], isComplete: false };

/** The members whose announcement of a prefix some router has; `undefined` if none is seen and that means nothing. */
export function announcersOf(view: RoutingView, prefix: Ipv4Prefix): readonly MemberId[] | undefined {
  const wanted = formatPrefix(prefix);
  const seen = view.paths.flatMap((path) =>
    path.announcer !== undefined && formatPrefix(path.prefix) === wanted ? [path.announcer] : [],
  );
  return seen.length > 0 || view.isComplete ? [...new Set(seen)] : undefined;
}

/** Like `announcersOf`, without this member: `[]` if it is the last one; `undefined` if that can't be known. */
export function othersAnnouncing(
  view: RoutingView,
  prefix: Ipv4Prefix,
  self: MemberId,
): readonly MemberId[] | undefined {
  const others = announcersOf(view, prefix)?.filter((member) => member !== self);
  return others?.length === 0 && !view.isComplete ? undefined : others;
}

/** Whether a router has a prefix from us; `undefined` if that can't be known. */
export function isAccepted(view: RoutingView, neighbor: string, prefix: Ipv4Prefix): boolean | undefined {
  const wanted = formatPrefix(prefix);
  const echo = view.paths.some(
    (path) => path.isEcho && path.neighbor === neighbor && formatPrefix(path.prefix) === wanted,
  );
  return echo || (view.complete.includes(neighbor) ? false : undefined);
}
