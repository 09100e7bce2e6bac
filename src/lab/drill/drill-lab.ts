/** What drills need from a lab of either kind. Methods that strike return the time of the blow, epoch ms. */

import type { Listings } from "../chaos/chaos-check.ts";
import type { ChaosLoadReport, ChaosLoadSettings } from "../chaos/chaos-load.ts";
import type { RouteWatch } from "./route-watch.ts";

export type DrillProcess = "daemon" | "exabgp" | "helper";

/** What a home agent is cut off from: everything, or the other home agents. */
export type Isolation = "all" | "home-agents";

/** What is struck at once: a home agent or a site. */
export interface DrillTarget {
  readonly name: string;
  readonly homeAgents: readonly string[];
  /** The router that routes to it. */
  readonly router: string;
  /** The next hop that this router has for it. */
  readonly address: string;
}

export interface DrillLoad {
  /** Logs of accepted registrations, as `anyhome mn load --log` writes them. */
  readonly logs: readonly string[];
  /** Mobiles of all sites. */
  readonly mobiles: number;
  mustRun(): void;
  /** Ends the load once its requests are answered or given up; reports by site. */
  stop(): Promise<Record<string, ChaosLoadReport>>;
  abandon(): void;
}

/** Differences between labs that affect the results of drills. */
export interface DrillLabTraits {
  /** Whether the network of ExaBGP goes away when the daemon ends, so that routers have to find out by themselves. */
  readonly networkEndsWithDaemon: boolean;
}

export interface DrillLab {
  readonly homeAgents: readonly DrillTarget[];
  /** Groups of home agents behind a leaf router each; none if all are behind one. */
  readonly sites: readonly DrillTarget[];
  readonly traits: DrillLabTraits;
  /** Whether routers know by BFD of a host that has vanished. */
  hasBfd(): Promise<boolean>;
  /**
   * Starts what doesn't run, and waits until all are ready, replicate to each other, and are routed to, as after `lab up`.
   */
  untilWhole(signal: AbortSignal): Promise<void>;
  /** Watches what a router has for the virtual network from now on. */
  watchRoutes(router: string): Promise<RouteWatch>;
  startLoad(settings: ChaosLoadSettings): Promise<DrillLoad>;
  signal(homeAgent: string, process: DrillProcess, signal: NodeJS.Signals): Promise<number>;
  drain(homeAgent: string): Promise<number>;
  undrain(homeAgent: string): Promise<void>;
  isolate(homeAgent: string, from: Isolation): Promise<number>;
  rejoin(homeAgent: string, from: Isolation): Promise<void>;
  /** Makes the image that `upgrade` replaces home agents with. */
  prepareUpgrade(): Promise<void>;
  /** Drains a home agent and starts a new one of the same name on its store. Does not wait until that is ready. */
  upgrade(homeAgent: string, signal: AbortSignal): Promise<void>;
  /** Kills everything of a site at once. */
  lose(site: string): Promise<number>;
  /** Starts everything of the site except its home agents. */
  restore(site: string): Promise<void>;
  /** All bindings that these home agents hold. */
  listings(homeAgents: readonly string[]): Promise<Listings>;
}
