/** Compares the results of drills with their limits. Pure. */
import type { Finding } from "../chaos/chaos-check.ts";
import type { DrillLimits, DrillName } from "./drills.ts";

export interface DrillRun {
  readonly drill: DrillName;
  /** Or the site, or `all`. */
  readonly homeAgent: string;
  /** See DrillLimits; `null` if it didn't happen: the route stayed, or no mobile had to ask again. */
  readonly fibMs: number | null;
  readonly servedMs: number | null;
  readonly slowestMs: number | null;
  /** Registrations begun, accepted and denied from the start of the load to its end. */
  readonly sent: number;
  readonly accepted: number;
  readonly denied: number;
  /** Requests sent again after the blow, as the one before was not answered within a second. */
  readonly repeated: number;
  /** The most of them for one registration. */
  readonly mostRepeated: number;
  readonly unanswered: number;
  readonly lost: readonly Finding[];
}

export interface DrillSummary {
  readonly drill: DrillName;
  readonly runs: number;
  /** Medians of the runs in which it happened. */
  readonly fibMs: number | null;
  readonly servedMs: number | null;
  /** The most of any run: a limit on this is one for every registration. */
  readonly slowestMs: number | null;
  readonly mostRepeated: number;
  /** Of all runs together. */
  readonly repeated: number;
  readonly denied: number;
  readonly unanswered: number;
  readonly lost: number;
  readonly limits: DrillLimits;
  /** Which limits were exceeded. */
  readonly exceeded: readonly (keyof DrillLimits)[];
}

export interface DrillReport {
  readonly summaries: readonly DrillSummary[];
  readonly runs: readonly DrillRun[];
  /** Why there are fewer runs than were asked for. */
  readonly failure?: string;
}

/** A route that should go and stays is worse than any time, and so is a lab in which no mobile was served. */
export function summarize(
  drill: DrillName,
  all: readonly DrillRun[],
  limits: DrillLimits,
  leavesFib: boolean,
): DrillSummary {
  const runs = all.filter((run) => run.drill === drill);
  const sum = (count: (run: DrillRun) => number) => runs.reduce((total, run) => total + count(run), 0);
  const figures = {
    fibMs: median(runs.map(({ fibMs }) => fibMs)),
    servedMs: median(runs.map(({ servedMs }) => servedMs)),
    slowestMs: runs.reduce<number | null>((most, { slowestMs }) => largest(most, slowestMs), null),
    mostRepeated: Math.max(0, ...runs.map(({ mostRepeated }) => mostRepeated)),
    repeated: sum(({ repeated }) => repeated),
    denied: sum(({ denied }) => denied),
    unanswered: sum(({ unanswered }) => unanswered),
    lost: sum(({ lost }) => lost.length),
  };
  const hasStayed = leavesFib && runs.some(({ fibMs }) => fibMs === null);
  const isUnserved = runs.some(({ slowestMs }) => slowestMs === null);
  const exceeded = (Object.keys(limits) as (keyof DrillLimits)[]).filter(
    (measure) =>
      (measure === "fibMs" && hasStayed) ||
      (measure === "unanswered" && isUnserved) ||
      (figures[measure] ?? 0) > (limits[measure] ?? 0),
  );
  return { drill, runs: runs.length, ...figures, limits, exceeded };
}

/** Times get more of it, counts don't: what must not be lost must not be lost on a slow machine either. */
export function relax(limits: DrillLimits, tolerance: number): DrillLimits {
  return Object.fromEntries(
    Object.entries(limits).map(([measure, limit]) => [measure, measure.endsWith("Ms") ? limit * tolerance : limit]),
  );
}

export function haveAllPassed({ summaries, failure }: DrillReport): boolean {
  return failure === undefined && summaries.every(({ exceeded }) => exceeded.length === 0);
}

function largest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

/** The median of those that are present; for an even number, the mean of the two in the middle. */
export function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? null : (lower + upper) / 2;
}
