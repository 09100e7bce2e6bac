/** Chaos on a lab that is up: registrations go on while home agents suffer faults, and what was promised is checked. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { bindingView } from "../../adapters/api/bindings.ts";
import { peersView } from "../../adapters/api/members.ts";
import { Random } from "../../sim/random.ts";
import { LabError } from "../lab-error.ts";
import type { Lab } from "../namespaces/lab.ts";
import type { LabOperations } from "../operations.ts";
import { nodesOf } from "../plan/topology.ts";
import { waitFor } from "../wait.ts";
import { AcceptedLog } from "./accepted-log.ts";
import {
  type ChaosFindings,
  checkCluster,
  type Finding,
  findLost,
  isClean,
  type LastAccepted,
  type Listings,
} from "./chaos-check.ts";
import { begin, drawFault, end, type Fault, type FaultKind, mustBePossible, silenced } from "./chaos-faults.ts";
import { ChaosLoad, type ChaosLoadReport, type ChaosLoadSettings } from "./chaos-load.ts";

export interface ChaosSettings extends ChaosLoadSettings {
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  /** No further fault begins after this many, or this long; whichever comes first. */
  readonly rounds: number;
  readonly durationMs: number;
  /** Home agents that hold each binding: its owner and `replication.copies`, where there are as many. */
  readonly copies: number;
}

export interface ChaosRound extends Fault {
  /** Told as accepted until then, by all foreign agents. */
  readonly registrations: number;
  /** Who was asked while the fault lasted; all after a power cycle. */
  readonly asked: readonly string[];
  readonly lost: readonly Finding[];
  /** From the end of the fault until all were ready and replicated to each other. */
  readonly recoveredAfterMs: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly rounds: readonly ChaosRound[];
  /** By foreign agent. */
  readonly load: Record<string, ChaosLoadReport>;
  /** Of all foreign agents together, over the whole time. */
  readonly acceptedPerSecond: number;
  /** After the last fault, with no load. */
  readonly findings: ChaosFindings;
}

export interface ChaosOptions {
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

const RECOVERY_MS = 90_000;
/** Digests find what streams have missed; they are exchanged every 10 s. */
const CONVERGENCE_MS = 45_000;
const LISTING_MS = 60_000;

/** @throws LabError where the lab can't have these faults, or doesn't recover from one. */
export async function runChaos(lab: Lab, settings: ChaosSettings, options: ChaosOptions): Promise<ChaosReport> {
  if (!(await lab.exists())) throw new LabError(`no lab named ${lab.place.name} is up`);
  mustBePossible(lab, settings.faults);
  const { progress, signal } = options;
  const load = await ChaosLoad.start(lab, settings);
  try {
    const accepted = new AcceptedLog(load.logs);
    const startedAtMs = performance.now();
    await waitFor(() => everyMobile(accepted, lab, settings), {
      deadlineMs: RECOVERY_MS,
      what: "every mobile to be registered once",
      intervalMs: 500,
      signal,
    });
    progress(`${accepted.last.size} mobiles are registered`);
    const random = new Random(settings.seed);
    const homeAgents = namesOfHomeAgents(lab);
    const rounds: ChaosRound[] = [];
    while (rounds.length < settings.rounds && performance.now() - startedAtMs < settings.durationMs) {
      load.mustRun();
      const fault = drawFault(random, settings.faults, homeAgents);
      const round = await playRound(lab, fault, accepted, signal);
      rounds.push(round);
      progress(describeRound(round, rounds.length));
    }
    const reports = await load.stop();
    const findings = await settledFindings(lab, accepted, settings.copies, signal);
    return {
      seed: settings.seed,
      rounds,
      load: reports,
      acceptedPerSecond: Math.round(
        Object.values(reports).reduce((sum, { acceptedPerSecond }) => sum + acceptedPerSecond, 0),
      ),
      findings,
    };
  } finally {
    load.abandon();
  }
}

export function isPromiseKept({ rounds, findings }: ChaosReport): boolean {
  return isClean(findings) && rounds.every(({ lost }) => lost.length === 0);
}

async function playRound(lab: Lab, fault: Fault, accepted: AcceptedLog, signal: AbortSignal): Promise<ChaosRound> {
  const silent = silenced(lab, fault);
  const survivors = namesOfHomeAgents(lab).filter((name) => !silent.includes(name));
  await begin(lab, fault);
  let lost: readonly Finding[] = [];
  try {
    await delay(fault.lastsMs, undefined, { signal });
    if (survivors.length > 0) lost = await lostNow(lab, accepted, survivors);
  } finally {
    await end(lab, fault);
  }
  const endedAtMs = performance.now();
  await untilRecovered(lab, signal);
  const recoveredAfterMs = Math.round(performance.now() - endedAtMs);
  if (survivors.length === 0) lost = await lostNow(lab, accepted, silent);
  const asked = survivors.length === 0 ? silent : survivors;
  return { ...fault, registrations: accepted.count, asked, lost, recoveredAfterMs };
}

async function lostNow(lab: Lab, accepted: AcceptedLog, homeAgents: readonly string[]): Promise<Finding[]> {
  // What was told before the home agents are asked they must hold, or something newer.
  accepted.read();
  const told: LastAccepted = new Map(accepted.last);
  return findLost(told, await listingsOf(lab, homeAgents), Date.now());
}

/** What a lab's home agents hold against what the foreign agents were told; waits until copies are equal. */
export async function settledFindings(
  lab: Lab,
  accepted: AcceptedLog,
  copies: number,
  signal: AbortSignal,
): Promise<ChaosFindings> {
  const homeAgents = namesOfHomeAgents(lab);
  let findings: ChaosFindings | undefined;
  const patience = { deadlineMs: CONVERGENCE_MS, what: "copies to become equal", intervalMs: 1000, signal };
  await waitFor(async () => {
    accepted.read();
    const listings = await listingsOf(lab, homeAgents);
    findings = checkCluster(accepted.last, listings, { nowMs: Date.now(), copies });
    return isClean(findings);
  }, patience).catch((error) => {
    signal.throwIfAborted();
    if (findings === undefined) throw error;
  });
  if (findings === undefined) throw new LabError("nothing was checked");
  return findings;
}

/** All home agents run, are ready, and replicate to each other. */
export async function untilRecovered(lab: LabOperations, signal: AbortSignal): Promise<void> {
  const homeAgents = namesOfHomeAgents(lab);
  await Promise.all(homeAgents.map((name) => lab.start(name, signal)));
  for (const name of homeAgents) {
    let said = "";
    await waitFor(
      async () => {
        const peers = await ask(lab, name, ["peers"], peersView);
        said = peers.map(({ id, state, replication }) => `${id} ${state} ${replication?.state}`).join(", ");
        return peers.every(({ state, replication }) => {
          return state === "self" || (state === "alive" && replication?.state === "streaming");
        });
      },
      { deadlineMs: RECOVERY_MS, what: `${name} to hear all others and replicate to them`, intervalMs: 200, signal },
    ).catch((error) => {
      signal.throwIfAborted();
      throw new LabError(`${error.message}: ${said}`, { cause: error });
    });
  }
}

export async function listingsOf(lab: LabOperations, homeAgents: readonly string[]): Promise<Listings> {
  const lists = homeAgents.map(
    async (name) => [name, await ask(lab, name, ["bindings", "list"], z.array(bindingView))] as const,
  );
  return new Map(await Promise.all(lists));
}

export async function ask<T>(
  lab: LabOperations,
  homeAgent: string,
  command: readonly string[],
  answer: z.ZodType<T>,
): Promise<T> {
  const words = ["anyhome", ...command, "--output", "json"];
  const { exitCode, stdout, stderr } = await lab.run(homeAgent, words, { timeoutMs: LISTING_MS });
  if (exitCode !== 0) throw new LabError(`${words.join(" ")} on ${homeAgent}: ${stderr || "no answer"}`);
  return answer.parse(JSON.parse(stdout));
}

export function everyMobile(accepted: AcceptedLog, lab: Lab, { mobiles }: ChaosLoadSettings): boolean {
  accepted.read();
  return accepted.last.size >= mobiles * nodesOf(lab.topology, "foreign-agent").length;
}

function namesOfHomeAgents(lab: LabOperations): string[] {
  return nodesOf(lab.topology, "home-agent").map(({ name }) => name);
}

function describeRound(round: ChaosRound, number: number): string {
  const { kind, homeAgent, lastsMs, registrations, lost, recoveredAfterMs } = round;
  const whom = kind === "power-cycle" ? "all" : homeAgent;
  return `${number}. ${kind} ${whom} for ${lastsMs} ms: ${registrations} accepted until then, ${lost.length} lost; recovered after ${recoveredAfterMs} ms`;
}
