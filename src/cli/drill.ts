import { Argument, Command, InvalidArgumentError } from "commander";
import type { DrillLab } from "../lab/drill/drill-lab.ts";
import { type DrillReport, type DrillSummary, haveAllPassed, relax } from "../lab/drill/drill-report.ts";
import { DRILLS, type DrillLimits, type DrillName, drills, LARGE_DRILLS } from "../lab/drill/drills.ts";
import { drillLab } from "../lab/drill/find-drill-lab.ts";
import { runDrills } from "../lab/drill/run-drills.ts";
import { LabError } from "../lab/lab-error.ts";
import { table } from "../text/columns.ts";
import { CliError } from "./exit.ts";
import { nameOption, onLab } from "./lab.ts";
import { integerBetween, parsePositiveNumber } from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";

interface DrillCommandOptions {
  readonly name: string;
  readonly runs: number;
  readonly rate: number;
  readonly mobiles: number;
  readonly tolerance: number;
  readonly limit: DrillLimits;
  readonly output: OutputFormat;
}

const LIFETIME_SECONDS = 1800;

/** `anyhome drill`: failures in a running lab, timed under load and held to limits. */
export function drillCommand(): Command {
  return new Command("drill")
    .description("let home agents of a running lab fail under load, and time what follows")
    .addArgument(
      new Argument("<drill...>", "which ones, in this order; `all` means all that strike a single home agent").choices([
        ...DRILLS,
        "all",
        ...LARGE_DRILLS,
      ]),
    )
    .addOption(nameOption())
    .option(
      "--runs <count>",
      "runs of each drill; home agents take turns, and medians count",
      integerBetween(1, 1000),
      1,
    )
    .option(
      "--rate <per second>",
      "registrations per second, from all foreign agents together",
      parsePositiveNumber,
      200,
    )
    .option("--mobiles <count>", "mobiles behind each foreign agent", integerBetween(1, 262_144), 500)
    .option("--tolerance <factor>", "factor for all limits that are times, for slow machines", parsePositiveNumber, 1)
    .option(
      "--limit <measure=value>",
      "another limit than the usual one, in seconds or as a count; repeatable",
      parseLimit,
      {},
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      `
Drills:
${DRILLS.map(describeDrill).join("\n")}
Drills that strike more than one home agent need a lab of containers, the second one with \`--topology two-sites\`:
${LARGE_DRILLS.map(describeDrill).join("\n")}

Measures, and their usual limits:
  fib          until the router's kernel doesn't route to the home agent: withdraw and drain 0.15, kill 0.3, hang 1
               (without BFD 1.5), kill-exabgp 0.15, kill-helper 0.3, cut-link and lose-site 1 (without BFD 10);
               in containers kill as cut-link
  served       until the first mobile that had to ask again was served
  slowest      the longest registration, as the mobile saw it: drain 0.1
  denied       registrations that a home agent refused: drain and partition 0
  unanswered   registrations that got no answer at all: 0 (cut-link without BFD any)
  again        the most times that a mobile had to ask again for one registration: upgrade 1
  lost         accepted registrations that no home agent holds: always 0

fib and served are medians of all runs; slowest and again are the maximum.
Exit code 0: everything is within the limits; 1: it is not, or the lab didn't recover.

Examples:
  anyhome lab up && anyhome drill all --runs 10
  anyhome drill kill hang --limit fib=2 --limit unanswered=0 -o json
  anyhome drill upgrade --rate 500`,
    )
    .action((names: (DrillName | "all")[], options: DrillCommandOptions) =>
      onLab(options.name, async (lab) => {
        const report = await drill(drillLab(lab), names, options);
        await print(report, options.output, describe);
        if (!haveAllPassed(report)) throw new CliError(report.failure ?? "a limit was exceeded");
      }),
    );
}

async function drill(
  lab: DrillLab,
  names: readonly (DrillName | "all")[],
  { runs, rate, mobiles, tolerance, limit }: DrillCommandOptions,
): Promise<DrillReport> {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals) => abort.abort(new LabError(`interrupted by ${signal}`));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    return await runDrills(
      lab,
      {
        drills: [...new Set(names.flatMap((name) => (name === "all" ? DRILLS : name)))],
        runs,
        load: { mobiles, registrationsPerSecond: rate, lifetimeSeconds: LIFETIME_SECONDS },
        limitsOf: (name, ...circumstances) => ({
          ...relax(drills[name].limits(...circumstances), tolerance),
          ...limit,
        }),
      },
      { progress: (line) => tell(line), signal: abort.signal },
    );
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function describeDrill(name: DrillName): string {
  return `  ${name.padEnd(12)} ${drills[name].meaning}`;
}

const MEASURES: Readonly<Record<string, { readonly limit: keyof DrillLimits; readonly scale: number }>> = {
  fib: { limit: "fibMs", scale: 1000 },
  served: { limit: "servedMs", scale: 1000 },
  slowest: { limit: "slowestMs", scale: 1000 },
  denied: { limit: "denied", scale: 1 },
  unanswered: { limit: "unanswered", scale: 1 },
  again: { limit: "mostRepeated", scale: 1 },
  lost: { limit: "lost", scale: 1 },
};

function parseLimit(text: string, before: DrillLimits): DrillLimits {
  const [, name = "", value] = /^([a-z]+)=(\d+(?:\.\d+)?)s?$/.exec(text) ?? [];
  const measure = MEASURES[name];
  if (measure === undefined || value === undefined) {
    throw new InvalidArgumentError(`Expected one of ${Object.keys(MEASURES).join(", ")} with a number: fib=0.3.`);
  }
  return { ...before, [measure.limit]: Number(value) * measure.scale };
}

function describe({ summaries }: DrillReport): string {
  return table(
    ["drill", "runs", "fib", "first served again", "slowest", "asked again", "denied", "unanswered", "lost", "result"],
    summaries.map((summary) => [
      summary.drill,
      String(summary.runs),
      time(summary, "fibMs"),
      time(summary, "servedMs"),
      time(summary, "slowestMs"),
      `${summary.repeated}, at most ${count(summary, "mostRepeated")} times`,
      count(summary, "denied"),
      count(summary, "unanswered"),
      count(summary, "lost"),
      summary.exceeded.length === 0 ? "passed" : "exceeded",
    ]),
  );
}

function time(summary: DrillSummary, measure: "fibMs" | "servedMs" | "slowestMs"): string {
  const value = summary[measure];
  const limit = summary.limits[measure];
  return `${value === null ? "-" : `${Math.round(value)} ms`}${limit === undefined ? "" : ` (≤ ${limit})`}`;
}

function count(summary: DrillSummary, measure: "denied" | "unanswered" | "lost" | "mostRepeated"): string {
  const limit = summary.limits[measure];
  return `${summary[measure]}${limit === undefined ? "" : ` (≤ ${limit})`}`;
}
