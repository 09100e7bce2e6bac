/**
 * The composition root: everything a home agent daemon is made of, and who talks to whom.
 *
 *    foreign agents        other members            routers ──────── BFD ──┐
 *         │                     │                      │ BGP               │
 *    UDP virtual:434       UDP cluster port         ExaBGP        BfdSpeaker: its worker
 *         │                     │                      │ stdio     speaks while the main
 *    ┌────▼─────────────────────▼────┐            exabgp/ helper  loop turns
 *    │ Driver ── HomeAgent (sans-IO) │                 │ unix socket
 *    └────┬───────────────────▲──────┘           ┌─────▼──────┐
 *         │ changes           │ durable          │ Advertiser │
 *    ┌────▼───────────────────┴──┐               └─────▲──────┘
 *    │ Store (two workers)       ├─▶ HealthWatch ──────┘ announce, withdraw
 *    └───────────────────────────┘
 *    The Driver also tells the DataPlane where packets of mobiles go; the kernel forwards them.
 *
 *    The control API (unix socket) reads all of them for the CLI.
 */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { AdvertiserStatus } from "../adapters/advertiser/advertiser.ts";
import { announcersOf } from "../adapters/advertiser/routing-view.ts";
import { type ControlApi, serveControlApi } from "../adapters/api/server.ts";
import { Recorder, type RecordingOptions } from "../adapters/recording/recorder.ts";
import { storePaths } from "../adapters/store/paths.ts";
import type { Store } from "../adapters/store/store.ts";
import { StoreCorruptError } from "../adapters/store/store-error.ts";
import { Counters } from "../adapters/telemetry/counters.ts";
import { type ClosableEventLog, createLog } from "../adapters/telemetry/log.ts";
import { unblockStandardStreams } from "../adapters/telemetry/standard-streams.ts";
import type { Config } from "../config/config.ts";
import type { LoadedConfig } from "../config/load.ts";
import { HomeAgent } from "../core/home-agent/home-agent.ts";
import { packageVersion } from "../version.ts";
import { answeredMobile, isBoundBy } from "./answered-mobile.ts";
import { DaemonControl } from "./control.ts";
import { Driver } from "./driver.ts";
import { HealthWatch } from "./health-watch.ts";
import { homeAgentSettings } from "./home-agent-settings.ts";
import { LiveConfig } from "./live-config.ts";
import { configuredAnnouncers, makeAdvertiser } from "./make-advertiser.ts";
import { makeBfd } from "./make-bfd.ts";
import { homesOf, makeDataPlane } from "./make-data-plane.ts";
import { linkPeers, makeLinkRelay } from "./make-link-relay.ts";
import { observeInto } from "./observer.ts";
import { ReplyPaths } from "./reply-paths.ts";
import { Sockets } from "./sockets.ts";
import { openSoundStore } from "./sound-store.ts";
import { StoreWatch } from "./store-watch.ts";
import { leaveSurroundings } from "./surroundings.ts";
import { TakeoverHistory } from "./takeover-history.ts";

/** After the withdrawal is confirmed, routers may still send for a moment: what they send is served. */
const LAST_REQUESTS_MS = 300;
/** How long a start may still take after the signal to stop. */
const START_DEADLINE_MS = 10_000;

/** An operator wants everything that the core is told in a file. */
export type RecordingRequest = Pick<RecordingOptions, "path" | "withKeys">;

/** Runs the home agent until SIGTERM or SIGINT; on SIGHUP it reloads its configuration. Rejects if it can't be started. */
export async function runDaemon(
  loaded: LoadedConfig,
  load: (running: LoadedConfig) => Promise<LoadedConfig>,
  recording?: RecordingRequest,
): Promise<void> {
  const { config } = loaded;
  leaveSurroundings();
  unblockStandardStreams();
  const counters = new Counters();
  const log = createLog({
    level: config.log.level,
    node: config.node,
    lost: () => counters.add("log-lines-lost"),
  });
  process.on("uncaughtExceptionMonitor", (err) => log.event("daemon-crashed", { err }));
  // From the beginning, so that a daemon that is told to stop while it starts leaves nothing behind either.
  const stopSignal = Promise.race(
    (["SIGTERM", "SIGINT"] as const).map(async (name) => {
      await once(process, name);
      return name;
    }),
  );
  const configuration = new LiveConfig({ loaded, load, log, counters });
  // From the beginning, as without a listener the signal ends the process.
  process.on("SIGHUP", () => void configuration.reload());
  try {
    const starting = startDaemon(configuration, counters, log, recording).catch((error) => {
      log.event("daemon-failed", { err: error });
      throw error;
    });
    const hangs = stopSignal.then(() => delay(START_DEADLINE_MS, undefined, { ref: false }));
    const daemon = await Promise.race([starting, hangs]);
    if (daemon === undefined) {
      log.event("start-abandoned");
      return await abandon(log);
    }
    log.event("daemon-stopping", { signal: await stopSignal });
    await daemon.stop();
    log.event("daemon-stopped");
  } finally {
    await log.close();
  }
}

interface Daemon {
  /** Withdraws first, serves what still arrives, then closes everything. */
  stop(): Promise<void>;
}

async function startDaemon(
  configuration: LiveConfig,
  counters: Counters,
  log: ClosableEventLog,
  recording: RecordingRequest | undefined,
): Promise<Daemon> {
  const config = configuration.current;
  const watch = new StoreWatch(log);
  const { cluster, node, dataDirectory: directory } = config;
  const { store, loaded } = await openSoundStore(
    { directory, cluster, node, listener: watch },
    (opened) => makeAgent(opened, config, counters, log),
    { counters, log },
  );
  try {
    return await startOn(store, loaded, watch, configuration, counters, log, recording);
  } catch (error) {
    // Otherwise its workers would keep the process from ending.
    await closeStore(store, log);
    throw error;
  }
}

/** The home agent, with all that its store holds. @throws StoreCorruptError */
function makeAgent(store: Store, config: Config, counters: Counters, log: ClosableEventLog) {
  const start = { bootCount: store.bootCount, startNonce: randomInt(2 ** 32) };
  const settings = homeAgentSettings(config, start);
  const takeovers = new TakeoverHistory();
  const agent = new HomeAgent(settings, observeInto(counters, log, takeovers));
  restore(agent, store, config, log);
  return { agent, start, settings, takeovers };
}

async function startOn(
  store: Store,
  { agent, start, settings, takeovers }: ReturnType<typeof makeAgent>,
  watch: StoreWatch,
  configuration: LiveConfig,
  counters: Counters,
  log: ClosableEventLog,
  recording: RecordingRequest | undefined,
): Promise<Daemon> {
  const startedAtMs = performance.now();
  const config = configuration.current;
  let running = { config, settings };
  const recorder =
    recording &&
    (await Recorder.start({
      ...recording,
      version: packageVersion,
      settings: running.settings,
      forwards: config.dataPlane.type !== "none",
      ended: (reason) => log.event("recording-ended", { reason }),
    }));
  // The store is read once more for this: while it was read the first time, it might still have been found damaged.
  if (recorder !== undefined) for (const { table, row } of store.load()) await recorder.restored({ table, row });

  const endpointOf = (member: string) => configuration.current.members.find(({ id }) => id === member);
  const replyPaths = new ReplyPaths({
    answeredMobile: (reply) => answeredMobile(reply, running.settings.associations),
    isBoundBy: (mobile, foreignAgent) => isBoundBy(agent, mobile, foreignAgent),
  });
  replyPaths.expect(agent.bindings);
  const driver = new Driver({
    agent,
    endpointOf,
    // Half the timeout, so that neither the others can have given us up yet nor we them.
    stallMs: () => configuration.current.timers.peerTimeoutMs / 2,
    append: (changes) => store.append(changes),
    replied: (reply, destination) => replyPaths.replied(reply, destination),
    record: recorder && ((now, inputs, outputs) => recorder.turn(now, inputs, outputs)),
    inputFailed: (err, input) => {
      counters.addLabeled("inputs-failed", input);
      log.event("input-failed", { err, input });
    },
  });
  watch.attach(store, driver, () => health.reassess());
  const sockets = new Sockets(config, store.bootCount, driver, counters, log, replyPaths, () => health.reassess());
  const reportRoutes = routeReporter(config, driver);
  const advertiser = makeAdvertiser(config, log, counters, (status) => {
    reportRoutes(status);
    health.reassess();
  });
  const bfd = makeBfd(config, log, counters);
  const dataPlane = makeDataPlane(config, agent, driver, log, () => health.reassess());
  driver.dataPlane = dataPlane;
  const health = new HealthWatch({
    configuration,
    agent,
    driver,
    store,
    storeWatch: watch,
    sockets,
    replyPaths,
    counters,
    advertiser,
    bfd,
    dataPlane,
    log,
  });
  configuration.apply = (changed) => {
    running = { config: changed, settings: homeAgentSettings(changed, start, running) };
    driver.inputNow({ type: "reconfigure", changes: running.settings });
    dataPlane?.setHomes(homesOf(changed));
    sockets.reconfigure(changed);
    driver.linkRelay?.setPeers(linkPeers(changed));
    advertiser.setMembers(configuredAnnouncers(changed));
    log.setLevel(changed.log.level);
  };
  configuration.settled = () => health.reassess();

  const control = new DaemonControl({
    configuration,
    version: packageVersion,
    agent,
    store,
    counters: () => {
      sockets.countOverflows();
      return counters.snapshot();
    },
    startedAtMs,
    linkPath: (member) => driver.linkRelay?.pathTo(member),
    rung: () => health.rung,
    checks: () => health.checks,
    advertiser: () => advertiser.status(),
    dataPlane,
    bfdNeighbors: () => bfd?.neighbors ?? [],
    draining: () => health.draining,
    drain: (wanted) => health.drain(wanted),
    alarms: () =>
      health.alarms.map(({ id, message, sinceMs }) => ({ id, message, since: new Date(sinceMs).toISOString() })),
    takeovers: () => takeovers.recent,
    rebalance: () => driver.inputNow({ type: "rebalance" }),
    deleteBinding: (deletion) => driver.deleteBinding(deletion),
  });

  let api: ControlApi | undefined;
  async function stop(): Promise<void> {
    health.stop();
    await advertiser.stop();
    // After the withdrawal, as some routers take it as a reason to drop the BGP session and others don't.
    await bfd?.stop();
    await new Promise((resolve) => setTimeout(resolve, LAST_REQUESTS_MS));
    driver.stop();
    dataPlane?.stop();
    await sockets.close();
    driver.linkRelay?.close();
    await api?.close();
    await closeStore(store, log);
    await recorder?.close();
  }

  try {
    api = await serveControlApi(control, { socketPath: config.controlSocket, log });
    driver.linkRelay = await makeLinkRelay(config, agent, counters, log);
    await dataPlane?.start();
    await sockets.open();
    health.listening();
    bfd?.start();
    await advertiser.start();
    log.event("daemon-started", { version: packageVersion, bootCount: store.bootCount });
    health.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

/** Must come last, as it ends the process if the disk doesn't answer. */
async function closeStore(store: Store, log: ClosableEventLog): Promise<void> {
  try {
    await store.close();
  } catch (err) {
    log.event("store-abandoned", { err });
    await abandon(log);
  }
}

/** Ends the process although a thread of it hangs in a system call. Only SIGKILL does that: `process.exit` waits for all threads. */
async function abandon(log: ClosableEventLog): Promise<void> {
  await log.close();
  process.kill(process.pid, "SIGKILL");
}

/** Tells the core which members have a route in the routers, whenever that changes. */
function routeReporter(config: Config, driver: Driver): (status: AdvertiserStatus) => void {
  const [prefix] = config.announce;
  let told: string | undefined;
  return ({ view }) => {
    // From an incomplete view it can't be concluded that a route has gone.
    const announcers = view.isComplete ? announcersOf(view, prefix) : undefined;
    const news = announcers?.toSorted().join();
    if (news === told) return;
    told = news;
    driver.input({ type: "routing-view", announcers });
  };
}

/** @throws StoreCorruptError */
function restore(agent: HomeAgent, store: Store, config: Config, log: ClosableEventLog): void {
  const startedAtMs = performance.now();
  let bindings = 0;
  for (const { table, key, row } of store.load()) {
    try {
      agent.restore(table, row);
      if (table === "binding") bindings += 1;
    } catch (error) {
      const reason = (error as Error).message.replaceAll(/\s+/g, " ");
      const problem = `the ${table} row ${JSON.stringify(key)} can't be understood: ${reason}`;
      throw new StoreCorruptError(storePaths(config.dataDirectory).tables, problem);
    }
  }
  log.event("store-opened", { bindings, durationMs: Math.round(performance.now() - startedAtMs) });
}
