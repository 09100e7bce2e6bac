/**
 * The composition root: everything a home agent daemon is made of, and who talks to whom.
 *
 *    foreign agents        other members            routers
 *         │                     │                      │ BGP
 *    UDP virtual:434       UDP cluster port         ExaBGP
 *         │                     │                      │ stdio
 *    ┌────▼─────────────────────▼────┐            exabgp/ helper
 *    │ Driver ── HomeAgent (sans-IO) │                 │ unix socket
 *    └────┬───────────────────▲──────┘           ┌─────▼──────┐
 *         │ changes           │ durable          │ Advertiser │
 *    ┌────▼───────────────────┴──┐               └─────▲──────┘
 *    │ Store (two workers)       ├─▶ Readiness ────────┘ announce, withdraw
 *    └───────────────────────────┘
 *
 *    The control API (unix socket) reads all of them for the CLI.
 */
import { once } from "node:events";
import type { Advertisement } from "../advertiser/advertiser.ts";
import { type ControlApi, serveControlApi } from "../api/server.ts";
import { HomeAgent } from "../cluster/home-agent.ts";
import { decodeLocationRow } from "../cluster/location-row.ts";
import type { Config } from "../config/config.ts";
import { Alarms } from "../health/alarms.ts";
import { EventLoopMonitor } from "../health/event-loop-monitor.ts";
import { assess, type Readiness } from "../health/readiness.ts";
import { decodeBindingRow } from "../registration/binding-row.ts";
import { storePaths } from "../store/directory.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import { StoreCorruptError } from "../store/store-error.ts";
import { Counters } from "../telemetry/counters.ts";
import { type ClosableEventLog, createLog } from "../telemetry/log.ts";
import { packageVersion } from "../version.ts";
import { DaemonControl } from "./control.ts";
import { Driver } from "./driver.ts";
import { homeAgentSettings } from "./home-agent-settings.ts";
import { makeAdvertiser } from "./make-advertiser.ts";
import { observeInto } from "./observer.ts";
import { Sockets } from "./sockets.ts";
import { StoreWatch } from "./store-watch.ts";

/** How often health is assessed and told, besides at every change. */
const ASSESSMENT_INTERVAL_MS = 500;
/** After the withdrawal is confirmed, routers may still send for a moment: what they send is served. */
const LAST_REQUESTS_MS = 300;
/** A stall worth a line in the log. */
const STALL_MS = 250;

/** Runs the home agent until SIGTERM or SIGINT. Rejects if it can't be started. */
export async function runDaemon(config: Config): Promise<void> {
  const log = createLog({ level: config.log.level, node: config.node });
  // From the beginning: who is told to stop while it starts shall leave nothing behind either.
  const stopSignal = Promise.race(
    (["SIGTERM", "SIGINT"] as const).map(async (name) => {
      await once(process, name);
      return name;
    }),
  );
  try {
    const daemon = await startDaemon(config, log).catch((error) => {
      log.event("daemon-failed", { err: error });
      throw error;
    });
    log.event("daemon-stopping", { signal: await stopSignal });
    await daemon.stop();
    log.event("daemon-stopped");
  } finally {
    log.close();
  }
}

interface Daemon {
  /** Withdraws first, serves what still comes, then closes everything. */
  stop(): Promise<void>;
}

async function startDaemon(config: Config, log: ClosableEventLog): Promise<Daemon> {
  const watch = new StoreWatch(log);
  const store = await openSqliteStore({
    directory: config.dataDirectory,
    cluster: config.cluster,
    node: config.node,
    listener: watch,
  });
  try {
    return await startOn(store, watch, config, log);
  } catch (error) {
    // Its workers would keep the process from ending.
    await store.close();
    throw error;
  }
}

async function startOn(store: Store, watch: StoreWatch, config: Config, log: ClosableEventLog): Promise<Daemon> {
  const startedAtMs = Date.now();
  const counters = new Counters();
  const agent = new HomeAgent(homeAgentSettings(config, store.bootCount), observeInto(counters, log));
  restore(agent, store, config, log);

  const endpointOf = (member: string) => config.members.find(({ id }) => id === member);
  const driver = new Driver({
    agent,
    endpointOf,
    // Half the timeout: before the others can have given us up, or we them.
    stallMs: config.timers.peerTimeoutMs / 2,
    append: (changes) => store.append(changes),
    inputFailed: (err, input) => {
      counters.addLabeled("inputs-failed", input);
      log.event("input-failed", { err, input });
    },
  });
  watch.attach(store, driver, () => reassess());
  const sockets = new Sockets(config, store.bootCount, driver, counters, log, () => reassess());
  const advertiser = makeAdvertiser(config, log, () => undefined);
  const monitor = new EventLoopMonitor();
  const alarms = new Alarms();
  /** On the monotonic clock. */
  let listeningSinceMs = Number.POSITIVE_INFINITY;
  let draining = false;
  let hasCaughtUp = false;
  let stopping = false;
  let readiness: Readiness = { health: "starting", ready: false, reasons: ["starting"] };

  /** One place decides whether we attract traffic; parts only report. */
  function reassess(): void {
    const unheard = [...agent.peers].filter(({ state }) => state === "unknown").map(({ id }) => id);
    const { queuedChanges, oldestQueuedMs } = store.statistics();
    const before = readiness;
    readiness = assess({
      unheardPeers: unheard,
      listenedMs: performance.now() - listeningSinceMs,
      peerTimeoutMs: config.timers.peerTimeoutMs,
      // Only at the start: whoever has been level with its peers serves on while one of them comes back.
      catchingUpWith: hasCaughtUp ? [] : agent.catchingUpWith,
      storeFailure: watch.failure,
      oldestQueuedMs,
      registrationSocketFailure: sockets.registrationFailure,
      draining,
      stopping,
    });
    hasCaughtUp ||= readiness.ready;
    const eventLoopDelayMs = monitor.takeMaximumMs();
    if (eventLoopDelayMs > STALL_MS) log.event("event-loop-stalled", { delayMs: Math.round(eventLoopDelayMs) });
    driver.input({ type: "vitals", health: readiness.health, eventLoopDelayMs, storeQueue: queuedChanges });
    if (before.health === readiness.health) return;
    log.event("health-changed", { from: before.health, to: readiness.health, reasons: readiness.reasons });
    advertiser.set(readiness.ready ? [announcement(config)] : []);
  }

  const control = new DaemonControl({
    config,
    version: packageVersion,
    agent,
    store,
    counters: () => {
      sockets.countOverflows();
      return counters.snapshot();
    },
    startedAtMs,
    readiness: () => readiness,
    advertiser: () => advertiser.status(),
    drain: (wanted) => {
      draining = wanted;
      agent.drain(wanted);
      reassess();
    },
    alarms: () =>
      alarms
        .update(
          {
            peers: agent.peers,
            advertiser: advertiser.status(),
            isDegraded: agent.isDegraded,
            storeFailure: watch.failure,
            registrationSocketFailure: sockets.registrationFailure,
          },
          Date.now(),
        )
        .map(({ id, message, sinceMs }) => ({ id, message, since: new Date(sinceMs).toISOString() })),
    perform: (outputs) => driver.perform(outputs),
    durable: (position) => watch.untilDurable(position),
  });

  let api: ControlApi | undefined;
  let timer: NodeJS.Timeout | undefined;
  async function stop(): Promise<void> {
    stopping = true;
    clearInterval(timer);
    reassess();
    await advertiser.stop();
    await new Promise((resolve) => setTimeout(resolve, LAST_REQUESTS_MS));
    driver.stop();
    await sockets.close();
    await store.close();
    await api?.close();
    monitor.stop();
  }

  try {
    api = await serveControlApi(control, { socketPath: config.controlSocket, log });
    monitor.start();
    await sockets.open();
    listeningSinceMs = performance.now();
    await advertiser.start();
    timer = setInterval(reassess, ASSESSMENT_INTERVAL_MS);
    log.event("daemon-started", { version: packageVersion, bootCount: store.bootCount });
    reassess();
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** @throws StoreCorruptError */
function restore(agent: HomeAgent, store: Store, config: Config, log: ClosableEventLog): void {
  const startedAtMs = performance.now();
  let bindings = 0;
  for (const { table, key, row } of store.load()) {
    try {
      if (table === "location") agent.restoreLocation(decodeLocationRow(row));
      else {
        agent.restoreBinding(decodeBindingRow(row));
        bindings += 1;
      }
    } catch (error) {
      const reason = (error as Error).message.replaceAll(/\s+/g, " ");
      const problem = `the ${table} row ${JSON.stringify(key)} can't be understood: ${reason}`;
      throw new StoreCorruptError(storePaths(config.dataDirectory).tables, problem);
    }
  }
  log.event("store-opened", { bindings, durationMs: Math.round(performance.now() - startedAtMs) });
}

function announcement(config: Config): Advertisement {
  return { prefix: config.virtualNetwork, communities: [], asPathPrepend: 0 };
}
