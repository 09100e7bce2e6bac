import { Command, InvalidArgumentError } from "commander";
import { FAULT_KINDS, type FaultKind } from "../sim/faults.ts";
import { type SimulationResult, shrink, simulate } from "../sim/simulation.ts";
import { fields } from "../text/columns.ts";
import { CliError } from "./exit.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly nodes: number;
  readonly mobiles: number;
  readonly duration: number;
  readonly faults: readonly FaultKind[];
  readonly output: OutputFormat;
}

interface Report {
  readonly runs: number;
  readonly requests: number;
  readonly accepted: number;
  /** Per accepted registration, over all members. */
  readonly framesPerRegistration: number;
  readonly rowsPerRegistration: number;
  readonly replicationBytesPerRegistration: number;
  readonly failed: readonly {
    readonly seed: number;
    readonly plan: SimulationResult["plan"];
    readonly violations: readonly string[];
  }[];
}

export function simCommand(): Command {
  return new Command("sim")
    .description("run the cluster in a deterministic simulation with faults, and check what must hold")
    .option("--seed <number>", "first seed", integer(0), 1)
    .option("--seeds <count>", "how many seeds, one after the other", integer(1), 1)
    .option("--nodes <count>", "home agents", integer(1), 3)
    .option("--mobiles <count>", "mobile nodes", integer(1), 12)
    .option("--duration <seconds>", "how long mobiles register and faults strike, simulated", integer(1), 14)
    .option("--faults <list>", `any of ${FAULT_KINDS.join(",")}, or none`, faultKinds, FAULT_KINDS)
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nA failing seed is shrunk to the fewest faults that still break it.\n\nExamples:\n  anyhome sim --seeds 100 --nodes 5\n  anyhome sim --seed 4711 --faults kill,partition",
    )
    .action(async (options: Options) => {
      const report = run(options);
      await print(report, options.output, describe);
      if (report.failed.length > 0) throw new CliError(`${report.failed.length} of ${report.runs} seeds failed`);
    });
}

function run({ seed: first, seeds, nodes, mobiles, duration, faults }: Options): Report {
  const totals = { requests: 0, accepted: 0, frames: 0, rows: 0, bytes: 0 };
  const failed: Report["failed"][number][] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const options = { seed, nodes, mobiles, durationMs: duration * 1000, faults };
    const result = simulate(options);
    totals.requests += result.requests;
    totals.accepted += result.accepted;
    totals.frames += result.counts.get("relay-frames") ?? 0;
    totals.rows += result.counts.get("stream-rows") ?? 0;
    totals.bytes += result.counts.get("stream-bytes") ?? 0;
    if (result.violations.length === 0) continue;
    const { plan, violations } = shrink(options, result);
    failed.push({ seed, plan, violations });
  }
  const each = (total: number) => Number((total / Math.max(totals.accepted, 1)).toFixed(2));
  return {
    runs: seeds,
    requests: totals.requests,
    accepted: totals.accepted,
    framesPerRegistration: each(totals.frames),
    rowsPerRegistration: each(totals.rows),
    replicationBytesPerRegistration: each(totals.bytes),
    failed,
  };
}

function describe(report: Report): string {
  return [
    fields([
      ["Runs", `${report.runs}, ${report.failed.length} failed`],
      ["Registrations", `${report.accepted} of ${report.requests} accepted`],
      [
        "For each",
        `${report.framesPerRegistration} frames, ${report.rowsPerRegistration} rows and ${report.replicationBytesPerRegistration} bytes replicated`,
      ],
    ]),
    ...report.failed.map(({ seed, plan, violations }) =>
      [`\nSeed ${seed} with ${JSON.stringify(plan)}:`, ...violations.map((violation) => `  ${violation}`)].join("\n"),
    ),
  ].join("\n");
}

function integer(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    return value;
  };
}

function faultKinds(text: string): readonly FaultKind[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name);
    if (kind === undefined)
      throw new InvalidArgumentError(`There is no fault ${name}; there are ${FAULT_KINDS.join(", ")}.`);
    return kind;
  });
}
