/** Who announces the cluster's prefixes, as the routers tell (mission M9). */
import type { MemberId } from "../registration/binding.ts";
import { formatPrefix, type Ipv4Prefix } from "../wire/ipv4.ts";

/** A path to one of the prefixes that the cluster announces. */
export interface SeenPath {
  readonly prefix: Ipv4Prefix;
  /** The router that told. */
  readonly neighbor: string;
  /** Which member announces it; absent: nobody of the cluster. */
  readonly announcer?: MemberId;
}

export interface RoutingView {
  readonly paths: readonly SeenPath[];
  /** Whether an announcement that isn't among the paths isn't there: all routers with a session tell all they have. */
  readonly isComplete: boolean;
}

export const UNKNOWN_VIEW: RoutingView = { paths: [], isComplete: false };

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
