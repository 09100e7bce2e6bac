/** The declarative interface to routing: "this is the set of prefixes with these attributes; make it so". */
import type { Preference } from "../../core/health/ladder.ts";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Announcer } from "./announcers.ts";
import type { RoutingView } from "./routing-view.ts";

export interface Advertisement {
  readonly prefix: Ipv4Prefix;
  /** Absent: `normal`. For BGP the attributes say the same in its own words; other protocols go by this. */
  readonly preference?: Preference;
  /** Standard communities, `[high, low]` (RFC 1997). */
  readonly communities: readonly (readonly [number, number])[];
  /** MULTI_EXIT_DISC; absent: not sent. */
  readonly med?: number;
  /** How many times our own AS is prepended; 0 for none. */
  readonly asPathPrepend: number;
}

export type SpeakerState = "stopped" | "starting" | "running" | "failed";

export interface NeighborStatus {
  readonly address: string;
  readonly state: "down" | "connected" | "up";
  /** Epoch ms of the last change. */
  readonly sinceMs: number;
  /** Why it went down, in the speaker's words. */
  readonly reason?: string;
}

export interface AdvertiserStatus {
  readonly type: "exabgp" | "ospf" | "none";
  readonly speaker: SpeakerState;
  /** Process id of the speaker, where we started it. */
  readonly pid?: number;
  readonly restarts: number;
  /** Why the speaker last stopped. */
  readonly lastError?: string;
  readonly desired: readonly Advertisement[];
  /** What the speaker has confirmed. */
  readonly applied: readonly Advertisement[];
  readonly neighbors: readonly NeighborStatus[];
  /** What the routers say: who announces. */
  readonly view: RoutingView;
}

export interface Advertiser {
  start(): Promise<void>;
  /** Replaces the whole set. Returns at once; `status().applied` follows. The last call wins over restarts of the speaker. */
  set(advertisements: readonly Advertisement[]): void;
  status(): AdvertiserStatus;
  /** Whose announcements there may be in what routers say. */
  setMembers(members: readonly Announcer[]): void;
  /** Withdraws everything, waits until the speaker has confirmed it (bounded), then stops the speaker. The last call. */
  stop(): Promise<void>;
}

export interface AdvertiserListener {
  /** Speaker state, applied set or a neighbor changed. */
  changed(status: AdvertiserStatus): void;
}
