/** What carries the packets of mobiles, as the daemon sees it. */
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { Homes, PassedOn } from "./homes.ts";
import type { Traffic } from "./traffic.ts";

export interface DataPlane {
  readonly type: "bpf" | "user";
  /** Why packets can't be forwarded; `undefined` while they can. */
  readonly failure: string | undefined;
  /** Names of the interfaces by which tunnels come and go. */
  readonly uplinks: readonly string[];
  /** Sets up what can be set up now, and goes on trying. */
  start(): Promise<void>;
  forward(entries: readonly ForwardingEntry[]): void;
  /** Since it works; zero each while it doesn't. */
  drops(): Record<DropReason, number>;
  trafficOf(homeAddress: Ipv4Address): Traffic;
  /** Packets of mobiles unknown here that went on to another member. */
  passedOn(): PassedOn;
  /** Whom they go on to, where `setAlive` has said that it is alive. */
  setHomes(homes: Homes): void;
  setAlive(members: readonly Ipv4Address[]): void;
  /** Leaves nothing behind. */
  stop(): void;
}
