/**
 * Whether this member attracts traffic: gathers what the parts report, and acts on what is made of it. The one place that
 * tells the core how this member is, and the advertiser what to announce.
 */
import type { Advertisement, Advertiser } from "../advertiser/advertiser.ts";
import type { BfdSpeaker } from "../bfd/speaker.ts";
import type { HomeAgent } from "../cluster/home-agent.ts";
import type { Config } from "../config/config.ts";
import { type Alarm, Alarms } from "../health/alarms.ts";
import { EventLoopMonitor } from "../health/event-loop-monitor.ts";
import { assess, type Readiness } from "../health/readiness.ts";
import type { Store } from "../store/store.ts";
import type { EventLog } from "../telemetry/log.ts";
import type { Driver } from "./driver.ts";
import type { LiveConfig } from "./live-config.ts";
import type { Sockets } from "./sockets.ts";
import type { StoreWatch } from "./store-watch.ts";

/** How often health is assessed and told, besides at every change. */
const ASSESSMENT_INTERVAL_MS = 500;
/** A stall worth a line in the log. */
const STALL_MS = 250;

export interface HealthSources {
  readonly configuration: LiveConfig;
  readonly agent: HomeAgent;
  readonly driver: Driver;
  readonly store: Store;
  readonly storeWatch: StoreWatch;
  readonly sockets: Sockets;
  readonly advertiser: Advertiser;
  readonly bfd: BfdSpeaker | undefined;
  readonly log: EventLog;
}

export class HealthWatch {
  readiness: Readiness = { health: "starting", ready: false, reasons: ["starting"] };
  readonly #sources: HealthSources;
  readonly #monitor = new EventLoopMonitor();
  readonly #alarms = new Alarms();
  #timer: NodeJS.Timeout | undefined;
  /** On the monotonic clock. */
  #listeningSinceMs = Number.POSITIVE_INFINITY;
  #draining = false;
  #hasCaughtUp = false;
  #stopping = false;

  constructor(sources: HealthSources) {
    this.#sources = sources;
    this.#monitor.start();
  }

  /** Peers can be heard from now on. */
  listening(): void {
    this.#listeningSinceMs = performance.now();
  }

  start(): void {
    this.#timer = setInterval(() => this.reassess(), ASSESSMENT_INTERVAL_MS);
    this.reassess();
  }

  /** The last word: this member is down. */
  stop(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.reassess();
    this.#monitor.stop();
  }

  drain(wanted: boolean): void {
    this.#draining = wanted;
    this.#sources.agent.drain(wanted);
    this.reassess();
  }

  alarms(): readonly Alarm[] {
    const { agent, configuration, advertiser, bfd, storeWatch, sockets } = this.#sources;
    return this.#alarms.update(
      {
        peers: agent.peers,
        advertiser: advertiser.status(),
        bfdNeighbors: bfd?.neighbors ?? [],
        isDegraded: agent.isDegraded,
        storeFailure: storeWatch.failure,
        registrationSocketFailure: sockets.registrationFailure,
        configurationProblem: configuration.lastReload?.problem ?? undefined,
      },
      Date.now(),
    );
  }

  /** To be called when something has changed that it looks at. */
  reassess(): void {
    const { configuration, agent, driver, store, storeWatch, sockets, advertiser, log } = this.#sources;
    const config = configuration.current;
    const { queuedChanges, oldestQueuedMs } = store.statistics();
    const before = this.readiness;
    this.readiness = assess({
      unheardPeers: [...agent.peers].filter(({ state }) => state === "unknown").map(({ id }) => id),
      listenedMs: performance.now() - this.#listeningSinceMs,
      peerTimeoutMs: config.timers.peerTimeoutMs,
      // Only at the start: whoever has been level with its peers serves on while one of them comes back.
      catchingUpWith: this.#hasCaughtUp ? [] : agent.catchingUpWith,
      storeFailure: storeWatch.failure,
      oldestQueuedMs,
      registrationSocketFailure: sockets.registrationFailure,
      draining: this.#draining,
      stopping: this.#stopping,
    });
    const { health, ready, reasons } = this.readiness;
    this.#hasCaughtUp ||= ready;
    const eventLoopDelayMs = this.#monitor.takeMaximumMs();
    if (eventLoopDelayMs > STALL_MS) log.event("event-loop-stalled", { delayMs: Math.round(eventLoopDelayMs) });
    const { takesLinkRelay } = sockets;
    const storeQueue = queuedChanges;
    driver.input({ type: "vitals", health, announced: ready, eventLoopDelayMs, storeQueue, takesLinkRelay });
    if (before.health === health) return;
    log.event("health-changed", { from: before.health, to: health, reasons });
    advertiser.set(ready ? announcements(config) : []);
  }
}

function announcements(config: Config): Advertisement[] {
  return config.announce.map((prefix) => ({ prefix, communities: [], asPathPrepend: 0 }));
}
