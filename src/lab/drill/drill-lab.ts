/** What drills need of a lab, whatever it is made of. Whoever strikes answers with the time of the blow, epoch ms. */

import type { Listings } from "../chaos/chaos-check.ts";
import type { ChaosLoadReport, ChaosLoadSettings } from "../chaos/chaos-load.ts";
import type { RouteWatch } from "./route-watch.ts";

export type DrillProcess = "daemon" | "exabgp" | "helper";

/** Whom a home agent is cut off from: everybody, or the other home agents. */
export type Isolation = "all" | "home-agents";

/** Who is struck at once: a home agent, or a site. */
export interface DrillTarget {
  readonly name: string;
  readonly homeAgents: readonly string[];
  /** Who routes to it. */
  readonly router: string;
  /** What that router has as next hop. */
  readonly address: string;
}

export interface DrillLoad {
  /** Of accepted registrations, as `anyhome mn load --log` writes them. */
  readonly logs: readonly string[];
  /** Mobiles of all sites. */
  readonly mobiles: number;
  mustRun(): void;
  /** Ends the load once its requests are answered or given up; reports by site. */
  stop(): Promise<Record<string, ChaosLoadReport>>;
  abandon(): void;
}

/** What labs differ in, and with it what may come of drills. */
export interface DrillLabTraits {
  /** When the daemon ends, the network goes from under its ExaBGP, and routers have to find out by themselves. */
  readonly networkEndsWithDaemon: boolean;
}

export interface DrillLab {
  readonly homeAgents: readonly DrillTarget[];
  /** Home agents behind a leaf router each; none where all are behind one. */
  readonly sites: readonly DrillTarget[];
  readonly traits: DrillLabTraits;
  /** Whether routers know by BFD of a host that has vanished. */
  hasBfd(): Promise<boolean>;
  /** Starts what doesn't run, and waits until all are ready, replicate to each other, and are routed to, as after `lab up`. */
  untilWhole(signal: AbortSignal): Promise<void>;
  /** What a router has for the virtual network, from now on. */
  watchRoutes(router: string): Promise<RouteWatch>;
  startLoad(settings: ChaosLoadSettings): Promise<DrillLoad>;
  signal(homeAgent: string, process: DrillProcess, signal: NodeJS.Signals): Promise<number>;
  drain(homeAgent: string): Promise<number>;
  undrain(homeAgent: string): Promise<void>;
  isolate(homeAgent: string, from: Isolation): Promise<number>;
  rejoin(homeAgent: string, from: Isolation): Promise<void>;
  /** Makes what `upgrade` replaces home agents by. */
  prepareUpgrade(): Promise<void>;
  /** Drains a home agent, and puts a new one of the same name on its store. Does not wait until that is ready. */
  upgrade(homeAgent: string, signal: AbortSignal): Promise<void>;
  /** Everything of a site is gone at once. */
  lose(site: string): Promise<number>;
  /** Starts what is no home agent. */
  restore(site: string): Promise<void>;
  /** All bindings that these home agents hold. */
  listings(homeAgents: readonly string[]): Promise<Listings>;
}
