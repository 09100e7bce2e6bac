/**
 * Whether this member attracts traffic, and how much: gathers what the parts report, and acts on what is made of it. The
 * one place that tells the core how this member is, and the advertiser what to announce.
 *
 *    parts ──▶ SelfChecks ─▶ SettledCheck ┐
 *    commands ▶ ExecCheck ─▶ SettledCheck ┼▶ assess ──▶ Ladder ──▶ core, and thereby the other members
 *    parts that have failed ──────────────┘                   └──▶ Advertiser
 */

import type { Advertiser, AdvertiserStatus } from "../adapters/advertiser/advertiser.ts";
import { othersAnnouncing } from "../adapters/advertiser/routing-view.ts";
import type { BfdSpeaker } from "../adapters/bfd/speaker.ts";
import { EventLoopMonitor } from "../adapters/checks/event-loop-monitor.ts";
import { ExecCheck } from "../adapters/checks/exec-check.ts";
import { type Outcomes, SELF_CHECKS, SelfChecks, type Vitals } from "../adapters/checks/self-checks.ts";
import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import { damagedCopies } from "../adapters/store/directory.ts";
import { storePaths } from "../adapters/store/paths.ts";
import type { Store } from "../adapters/store/store.ts";
import type { Counters } from "../adapters/telemetry/counters.ts";
import type { ClosableEventLog } from "../adapters/telemetry/log.ts";
import { FIRST_RUNG, Ladder, type Rung } from "../core/health/ladder.ts";
import { assess, type Standing } from "../core/health/readiness.ts";
import { type CheckStatus, type Finding, SettledCheck } from "../core/health/settled-check.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import { advertisements } from "./advertisements.ts";
import { type Alarm, Alarms } from "./alarms.ts";
import { currentTime, type Driver } from "./driver.ts";
import type { LiveConfig } from "./live-config.ts";
import type { ReplyPaths } from "./reply-paths.ts";
import type { Sockets } from "./sockets.ts";
import type { StoreWatch } from "./store-watch.ts";

/** How often this member checks itself; in addition it is assessed at every change of a part. */
const LOOK_INTERVAL_MS = 500;
/** A stall worth a line in the log. */
const STALL_MS = 250;
/** A guarding member waits for word from the others first: it is alone only once they have had the time to answer. */
const ALONE_AFTER_MS = 1000;

export interface HealthSources {
  readonly configuration: LiveConfig;
  readonly agent: HomeAgent;
  readonly driver: Driver;
  readonly store: Store;
  readonly storeWatch: StoreWatch;
  readonly sockets: Sockets;
  readonly replyPaths: ReplyPaths;
  readonly counters: Counters;
  readonly advertiser: Advertiser;
  readonly bfd: BfdSpeaker | undefined;
  readonly dataPlane: DataPlane | undefined;
  readonly log: ClosableEventLog;
}

export class HealthWatch {
  rung: Rung = FIRST_RUNG;
  draining = false;
  readonly #sources: HealthSources;
  readonly #monitor = new EventLoopMonitor();
  readonly #alarms = new Alarms();
  readonly #selfChecks: SelfChecks;
  readonly #checks: ReadonlyMap<string, SettledCheck>;
  readonly #execChecks: readonly ExecCheck[];
  readonly #ladder: Ladder;
  /**
   * Alarms are kept from the beginning, as the cause of an alarm can make a start take long; everything else starts later.
   */
  #timer = setInterval(() => this.#updateAlarms(), LOOK_INTERVAL_MS);
  /** On the monotonic clock. */
  #listeningSinceMs = Number.POSITIVE_INFINITY;
  #eventLoopDelayMs = 0;
  #hasCaughtUp = false;
  #stopping = false;
  /** Since when it has been guarding with no other member known to be announced; monotonic. */
  #aloneSinceMs: number | undefined;
  #isAlone = false;

  constructor(sources: HealthSources) {
    const { node, cluster, health, announce } = sources.configuration.current;
    this.#sources = sources;
    this.#ladder = new Ladder(health);
    this.#selfChecks = new SelfChecks({ ...health, prefix: announce[0] });
    const nowMs = Date.now();
    this.#checks = new Map([
      ...SELF_CHECKS.map((name) => [name, new SettledCheck(name, health, nowMs)] as const),
      ...health.exec.map((check) => [check.name, new SettledCheck(check.name, check, nowMs, true)] as const),
    ]);
    this.#execChecks = health.exec.map(
      (settings) =>
        new ExecCheck(settings, { ANYHOME_NODE: node, ANYHOME_CLUSTER: cluster }, (finding) => {
          this.#found(settings.name, finding);
          this.reassess();
        }),
    );
    this.#monitor.start();
  }

  /** To be called once peers can be heard. */
  listening(): void {
    this.#listeningSinceMs = performance.now();
  }

  start(): void {
    for (const check of this.#execChecks) check.start();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      this.#look();
      this.reassess();
    }, LOOK_INTERVAL_MS);
    this.reassess();
  }

  /** The end: this member is down from now on. */
  stop(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const check of this.#execChecks) check.stop();
    this.reassess();
    this.#monitor.stop();
  }

  drain(wanted: boolean): void {
    this.draining = wanted;
    this.#sources.driver.inputNow({ type: "drain", draining: wanted });
    this.reassess();
  }

  get checks(): readonly CheckStatus[] {
    return [...this.#checks.values()].map(({ status }) => status);
  }

  get alarms(): readonly Alarm[] {
    return this.#alarms.active;
  }

  #updateAlarms(): void {
    const { agent, configuration, advertiser, bfd, storeWatch, sockets, dataPlane, log } = this.#sources;
    this.#alarms.update(
      {
        peers: agent.peers,
        advertiser: advertiser.status(),
        bfdNeighbors: bfd?.neighbors ?? [],
        checks: this.checks,
        isLastAnnouncer: this.#isAlone,
        storeFailure: storeWatch.failure,
        damagedStores: damagedCopies(storePaths(configuration.current.dataDirectory)),
        registrationSocketFailure: sockets.registrationFailure,
        dataPlaneFailure: dataPlane?.failure,
        missingStreams: this.#missingStreams(),
        maximumClockSkewMs: configuration.current.timers.maximumClockSkewMs,
        heldClockStepMs: agent.heldClockStepMs,
        twins: agent.twins(currentTime()),
        configurationProblem: configuration.lastReload?.problem ?? undefined,
        logFailure: log.failure,
      },
      Date.now(),
    );
  }

  #missingStreams(): ReadonlyMap<string, string> {
    const { agent, driver } = this.#sources;
    const alive = [...agent.peers].filter(({ state }) => state === "alive");
    const problems = alive.map(({ id }) => [id, driver.streams?.problem(id)] as const);
    return new Map(problems.filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  #describe(peers: readonly string[]): string[] {
    const missing = this.#missingStreams();
    return peers.map((id) => (missing.has(id) ? `${id} (no stream: ${missing.get(id)})` : id));
  }

  /** To be called when something has changed that the assessment depends on. */
  reassess(): void {
    const { configuration, driver, store, sockets, advertiser, log } = this.#sources;
    const before = this.rung;
    const { queuedChanges, oldestQueuedMs } = store.statistics();
    const othersServe = this.#othersServe();
    this.rung = this.#ladder.climb(
      this.#assess(oldestQueuedMs),
      { draining: this.draining, othersServe },
      performance.now(),
    );
    const { health, preference, reasons } = this.rung;
    if (before.health !== health) log.event("health-changed", { from: before.health, to: health, reasons });
    this.#noticeLoneliness(health === "guarding" && !othersServe);
    // The members are told first, as they may have to be announced before this one is withdrawn.
    driver.input({
      type: "vitals",
      health,
      announced: preference !== undefined && isHeard(advertiser.status()),
      eventLoopDelayMs: this.#eventLoopDelayMs,
      storeQueue: queuedChanges,
      takesLinkRelay: sockets.takesLinkRelay,
    });
    if (before.preference !== preference) advertiser.set(advertisements(configuration.current, preference));
    this.#updateAlarms();
  }

  #assess(oldestQueuedMs: number): Standing {
    const { configuration, agent, storeWatch, sockets, dataPlane } = this.#sources;
    const standing = assess({
      unheardPeers: [...agent.peers].filter(({ state }) => state === "unknown").map(({ id }) => id),
      listenedMs: performance.now() - this.#listeningSinceMs,
      peerTimeoutMs: configuration.current.timers.peerTimeoutMs,
      // Only at the start: a member that has caught up with its peers goes on serving while one of them returns.
      catchingUpWith: this.#hasCaughtUp ? [] : this.#describe(agent.catchingUpWith),
      storeFailure: storeWatch.failure,
      oldestQueuedMs,
      registrationSocketFailure: sockets.registrationFailure,
      dataPlaneFailure: dataPlane?.failure,
      checks: this.checks,
      peersHearingAnother: agent.hearingAnother,
      stopping: this.#stopping,
    });
    this.#hasCaughtUp ||= standing.level === "fit" || standing.level === "degraded" || standing.level === "unfit";
    return standing;
  }

  /** What members say counts unless routers contradict it. */
  #othersServe(): boolean {
    const { configuration, agent, advertiser } = this.#sources;
    const { announce, node } = configuration.current;
    const seen = othersAnnouncing(advertiser.status().view, announce[0], node);
    return agent.standIns.length > 0 && (seen === undefined || seen.length > 0);
  }

  #look(): void {
    const { agent, advertiser, store, sockets, replyPaths, counters, log } = this.#sources;
    this.#eventLoopDelayMs = this.#monitor.takeMaximumMs();
    if (this.#eventLoopDelayMs > STALL_MS) {
      log.event("event-loop-stalled", { delayMs: Math.round(this.#eventLoopDelayMs) });
    }
    const findings = this.#selfChecks.look(
      {
        eventLoopDelayMs: this.#eventLoopDelayMs,
        store: store.statistics(),
        hasTooFewBackups: agent.isDegraded,
        receiveOverflows: sockets.countOverflows(),
        receiveErrors: counters.total("receive-errors"),
        replyRoutes: replyPaths.routes,
        replies: replyPaths.outcomes,
        requests: requestOutcomes(counters),
        inputsFailed: inputsFailed(counters),
        peers: [...agent.peers],
        advertiser: advertiser.status(),
      },
      performance.now(),
    );
    for (const name of SELF_CHECKS) this.#found(name, findings[name]);
  }

  #found(name: string, finding: Finding | undefined): void {
    const check = this.#checks.get(name);
    const before = check?.status.state;
    if (check === undefined || !check.found(finding, Date.now())) return;
    const { state, reason } = check.status;
    if (state !== "pass") this.#sources.log.event("check-failed", { check: name, state, reason });
    else if (before !== "unknown") this.#sources.log.event("check-passed", { check: name, reason });
  }

  #noticeLoneliness(guardsAlone: boolean): void {
    const nowMs = performance.now();
    this.#aloneSinceMs = guardsAlone ? (this.#aloneSinceMs ?? nowMs) : undefined;
    const isAlone = this.#aloneSinceMs !== undefined && nowMs - this.#aloneSinceMs >= ALONE_AFTER_MS;
    if (isAlone && !this.#isAlone) this.#sources.log.event("last-announcer", { reasons: this.rung.reasons });
    this.#isAlone = isAlone;
  }
}

/**
 * The requests that arrived here or were relayed to this member, and those among them for which there was no room or no
 * time.
 */
function requestOutcomes(counters: Counters): Outcomes {
  return {
    tried: counters.total("requests-received") + counters.labeled("frames-received", "relay-request"),
    failed: counters.labeled("datagrams-dropped", "overloaded") + counters.labeled("datagrams-dropped", "unsafe"),
    problem: "there was no room for them, or no answer was safe in time",
  };
}

function inputsFailed(counters: Counters): Vitals["inputsFailed"] {
  const tick = counters.labeled("inputs-failed", "tick");
  return { tick, others: counters.total("inputs-failed") - tick };
}

/** Whether routers have been told, as far as can be known here. */
function isHeard({ applied, neighbors }: AdvertiserStatus): boolean {
  return applied.length > 0 && (neighbors.length === 0 || neighbors.some(({ state }) => state === "up"));
}
