/**
 * Drills on a lab that is up: while mobiles register, something happens to a home agent, and its consequences are timed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { AcceptedLog, type LoggedRegistration } from "../chaos/accepted-log.ts";
import { type Finding, findLost } from "../chaos/chaos-check.ts";
import type { ChaosLoadReport, ChaosLoadSettings } from "../chaos/chaos-load.ts";
import { LabError } from "../lab-error.ts";
import { waitFor } from "../wait.ts";
import type { DrillLab, DrillLabTraits, DrillTarget } from "./drill-lab.ts";
import { type DrillReport, type DrillRun, summarize } from "./drill-report.ts";
import { type Drill, type DrillLimits, type DrillName, drills } from "./drills.ts";
import type { RouteWatch } from "./route-watch.ts";

export interface DrillSettings {
  readonly drills: readonly DrillName[];
  /** Of each drill; the home agents take turns. */
  readonly runs: number;
  readonly load: Omit<ChaosLoadSettings, "tries">;
  /** What the table says, changed as the operator wants it. */
  readonly limitsOf: (drill: DrillName, hasBfd: boolean, traits: DrillLabTraits) => DrillLimits;
}

export interface DrillOptions {
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Requests for one registration, a second apart: as a mobile that doesn't give up soon. */
const TRIES = 5;
/** A mobile asks again after this long without an answer. */
const RETRANSMISSION_MS = 1000;
const REGISTERED_MS = 60_000;
const SERVED_MS = 60_000;
/** More than BGP's hold time. */
const FIB_MS = 15_000;
/**
 * How long it is watched what mobiles experience, after the route has gone. Longer than it takes to ask again, and again.
 */
const OBSERVATION_MS = 3500;

/** A failure after the first run ends the drills, and is part of the report. @throws LabError for one before. */
export async function runDrills(lab: DrillLab, settings: DrillSettings, options: DrillOptions): Promise<DrillReport> {
  const { progress, signal } = options;
  await lab.untilWhole(signal);
  const hasBfd = await lab.hasBfd();
  const runs: DrillRun[] = [];
  let failure: string | undefined;
  try {
    for (const drill of settings.drills) {
      const targets = targetsOf(lab, drills[drill]);
      await drills[drill].prepare?.(lab);
      for (let run = 0; run < settings.runs; run++) {
        const target = targets[run % targets.length];
        if (target === undefined) throw new LabError(`the lab has nothing that ${drill} could strike`);
        const result = await watching(lab, target.router, (watch) => play(lab, drill, target, watch, settings, signal));
        runs.push(result);
        progress(describeRun(result, run + 1));
      }
    }
  } catch (error) {
    // Rather why than that it was interrupted.
    const reason: unknown = signal.aborted ? signal.reason : error;
    if (runs.length === 0 || !(reason instanceof Error)) throw reason;
    failure = reason.message;
  }
  const played = settings.drills.filter((drill) => runs.some((run) => run.drill === drill));
  const summaries = played.map((drill) =>
    summarize(drill, runs, settings.limitsOf(drill, hasBfd, lab.traits), drills[drill].leavesFib),
  );
  return { summaries, runs, ...(failure === undefined ? {} : { failure }) };
}

function targetsOf(lab: DrillLab, { strikes }: Drill): readonly DrillTarget[] {
  if (strikes === "home-agent") return lab.homeAgents;
  if (strikes === "site") return lab.sites;
  const [first] = lab.homeAgents;
  return first === undefined ? [] : [{ ...first, name: "all", homeAgents: lab.homeAgents.map(({ name }) => name) }];
}

async function watching<T>(lab: DrillLab, router: string, action: (watch: RouteWatch) => Promise<T>): Promise<T> {
  const watch = await lab.watchRoutes(router);
  try {
    return await action(watch);
  } finally {
    watch.stop();
  }
}

async function play(
  lab: DrillLab,
  name: DrillName,
  { name: target, homeAgents, address }: DrillTarget,
  watch: RouteWatch,
  settings: DrillSettings,
  signal: AbortSignal,
): Promise<DrillRun> {
  const drill = drills[name];
  const load = await lab.startLoad({ ...settings.load, tries: TRIES });
  try {
    const experience: LoggedRegistration[] = [];
    const accepted = new AcceptedLog(load.logs, (registration) => void experience.push(registration));
    await waitFor(
      () => {
        load.mustRun();
        accepted.read();
        return accepted.last.size >= load.mobiles;
      },
      { deadlineMs: REGISTERED_MS, what: "every mobile to be registered once", intervalMs: 100, signal },
    );
    const struckAtMs = await drill.strike(lab, target, signal);
    let goneAtMs: number | undefined;
    let observedUntilMs = struckAtMs;
    /** By mobile, so that each loss is counted once. */
    const lost = new Map<string, Finding>();
    const check = async (asked: readonly string[]) => {
      accepted.read();
      // What was told before the home agents are asked they must hold, or something newer.
      const told = new Map(accepted.last);
      for (const finding of findLost(told, await lab.listings(asked), Date.now())) lost.set(finding.mobile, finding);
    };
    try {
      if (drill.leavesFib) goneAtMs = await untilGone(watch, address, struckAtMs, signal);
      await delay(OBSERVATION_MS, undefined, { signal });
      if (drill.outlived) await untilServed(accepted, struckAtMs, signal);
      observedUntilMs = Date.now();
      load.mustRun();
      const all = lab.homeAgents.map((it) => it.name);
      await check(drill.silences ? all.filter((it) => !homeAgents.includes(it)) : all);
    } finally {
      await drill.undo?.(lab, target);
    }
    await lab.untilWhole(signal);
    const reports = Object.values(await load.stop());
    await check(lab.homeAgents.map((it) => it.name));
    return {
      drill: name,
      homeAgent: target,
      fibMs: goneAtMs === undefined ? null : goneAtMs - struckAtMs,
      ...experienced(experience, struckAtMs, observedUntilMs),
      ...totals(reports),
      lost: [...lost.values()],
    };
  } finally {
    load.abandon();
  }
}

/** Waits until each registered mobile has registered again. */
async function untilServed(accepted: AcceptedLog, struckAtMs: number, signal: AbortSignal): Promise<void> {
  await waitFor(
    () => {
      accepted.read();
      return [...accepted.last.values()].every(({ time }) => Date.parse(time) > struckAtMs);
    },
    { deadlineMs: SERVED_MS, what: "every mobile to be served by who is left", intervalMs: 200, signal },
  );
}

/** `undefined` where the route stays. */
async function untilGone(
  watch: RouteWatch,
  address: string,
  struckAtMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const patience = { deadlineMs: FIB_MS, what: `${address} to leave the FIB`, intervalMs: 20, signal };
  return waitFor(() => watch.goneAt(address, struckAtMs), patience).catch((error) => {
    signal.throwIfAborted();
    if (error instanceof LabError || error.cause instanceof LabError) throw error;
    return undefined;
  });
}

/**
 * What mobiles saw of it, by the registrations that began with the blow or after it, and a second before the end of the
 * observation: to ask home agents what they hold takes processors, which delays what comes then.
 */
export function experienced(
  all: readonly LoggedRegistration[],
  struckAtMs: number,
  observedUntilMs: number,
): Pick<DrillRun, "servedMs" | "slowestMs" | "repeated" | "mostRepeated" | "unanswered"> {
  const since = all.filter(({ time, latencyMs }) => {
    const endedAtMs = Date.parse(time);
    // A request that was under way when the blow fell is struck as well; who had asked a second before has had his chance.
    const beganAtMs = endedAtMs - latencyMs;
    if (endedAtMs < struckAtMs || beganAtMs > observedUntilMs - RETRANSMISSION_MS) return false;
    return beganAtMs >= struckAtMs - RETRANSMISSION_MS;
  });
  const accepted = since.filter(({ identification }) => identification !== null);
  const servedAgain = accepted.filter(({ tries }) => tries > 1).map(({ time }) => Date.parse(time) - struckAtMs);
  return {
    servedMs: servedAgain.length === 0 ? null : Math.min(...servedAgain),
    slowestMs: accepted.reduce<number | null>((most, { latencyMs }) => Math.max(most ?? 0, latencyMs), null),
    repeated: since.reduce((sum, { tries }) => sum + tries - 1, 0),
    mostRepeated: since.reduce((most, { tries }) => Math.max(most, tries - 1), 0),
    unanswered: since.length - accepted.length,
  };
}

function totals(reports: readonly ChaosLoadReport[]) {
  const sum = (count: (report: ChaosLoadReport) => number) =>
    reports.reduce((total, report) => total + count(report), 0);
  return {
    sent: sum(({ sent }) => sent),
    accepted: sum(({ accepted }) => accepted),
    denied: sum(({ denied }) => Object.values(denied).reduce((total, count) => total + count, 0)),
  };
}

function describeRun(run: DrillRun, number: number): string {
  const { drill, homeAgent, fibMs, servedMs, slowestMs, unanswered, lost } = run;
  const time = (value: number | null) => (value === null ? "-" : `${Math.round(value)} ms`);
  return `${drill} ${homeAgent}, run ${number}: FIB ${time(fibMs)}, first served again ${time(servedMs)}, slowest ${time(slowestMs)}; ${unanswered} unanswered, ${lost.length} lost`;
}
