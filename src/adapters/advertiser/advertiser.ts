/** The declarative interface to routing: "this is the set of prefixes with these attributes; make it so". */
import type { Preference } from "../../core/health/ladder.ts";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Announcer } from "./announcers.ts";
import type { RoutingView } from "./routing-view.ts";

export interface Advertisement {
  readonly prefix: Ipv4Prefix;
  /** `normal` if absent. For BGP the attributes express the same in its own terms; other protocols use this. */
  readonly preference?: Preference;
  /** Standard communities, `[high, low]` (RFC 1997). */
  readonly communities: readonly (readonly [number, number])[];
  /** MULTI_EXIT_DISC; not sent if absent. */
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
  /** Process id of the speaker, if we started it. */
  readonly pid?: number;
  readonly restarts: number;
  /** Why the speaker last stopped. */
  readonly lastError?: string;
  readonly desired: readonly Advertisement[];
  /** What the speaker has confirmed. */
  readonly applied: readonly Advertisement[];
  readonly neighbors: readonly NeighborStatus[];
  /** What the routers say about who announces. */
  readonly view: RoutingView;
}

export interface Advertiser {
  start(): Promise<void>;
  /**
   * Replaces the whole set. Returns at once; `status().applied` follows. The last call wins over restarts of the speaker.
   */
  set(advertisements: readonly Advertisement[]): void;
  status(): AdvertiserStatus;
  /** The members whose announcements may appear in what routers say. */
  setMembers(members: readonly Announcer[]): void;
  /**
   * Withdraws everything, waits until the speaker has confirmed it (bounded), then stops the speaker. No other call may
   * follow.
   */
  stop(): Promise<void>;
}

export interface AdvertiserListener {
  /** The state of the speaker, the applied set or a neighbor has changed. */
  changed(status: AdvertiserStatus): void;
}
