import { Command, InvalidArgumentError } from "commander";
import { type Capacity, measureCapacity, type Spread } from "../sim/capacity.ts";
import { FAULT_KINDS, type Fault, type FaultKind, planSchema } from "../sim/faults.ts";
import { type SimulationOptions, type SimulationResult, shrink, simulate } from "../sim/simulation.ts";
import { fields } from "../text/columns.ts";
import { CliError } from "./exit.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly nodes: number;
  readonly mobiles: number;
  readonly duration: number;
  readonly quiet: number;
  readonly faults: readonly FaultKind[];
  readonly atOnce: number;
  readonly plan?: readonly Fault[];
  readonly output: OutputFormat;
}

interface Failure {
  readonly seed: number;
  /** The fewest of its faults that break it. */
  readonly plan: SimulationResult["plan"];
  readonly violations: readonly string[];
  /** Runs it again, exactly. */
  readonly command: string;
}

interface Report {
  readonly runs: number;
  readonly requests: number;
  readonly accepted: number;
  readonly failed: readonly Failure[];
  readonly capacity: Capacity;
}

export function simCommand(): Command {
  return new Command("sim")
    .description("run the cluster in a deterministic simulation with faults, and check what must hold")
    .option("--seed <number>", "first seed", integerBetween(0, 0xffffffff), 1)
    .option("--seeds <count>", "how many seeds, one after the other", integerBetween(1, 1_000_000_000), 1)
    .option("--nodes <count>", "home agents", integerBetween(1, 1_000_000_000), 3)
    .option("--mobiles <count>", "mobile nodes", integerBetween(1, 1_000_000_000), 12)
    .option(
      "--duration <seconds>",
      "how long mobiles register and faults strike, in simulated time",
      integerBetween(1, 1_000_000_000),
      14,
    )
    .option(
      "--quiet <seconds>",
      "how long to wait at the end, so that bindings are forgotten",
      integerBetween(0, 1_000_000_000),
      0,
    )
    .option("--faults <list>", `any of ${FAULT_KINDS.join(",")}, or none`, faultKinds, FAULT_KINDS)
    .option(
      "--at-once <count>",
      "how many faults strike together, which is also how many acknowledgements are required",
      integerBetween(1, 1_000_000_000),
      1,
    )
    .option(
      "--plan <json>",
      "these faults instead of those drawn from the seed, as printed for a failing seed",
      faultPlan,
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nA failing seed is reduced to the fewest faults that still make it fail.\n\nExamples:\n  anyhome sim --seeds 100 --nodes 5\n  anyhome sim --seed 4711 --faults kill,partition",
    )
    .action(async (options: Options) => {
      const report = run(options);
      await print(report, options.output, describe);
      if (report.failed.length > 0) throw new CliError(`${report.failed.length} of ${report.runs} seeds failed`);
    });
}

function run({ seed: first, seeds, nodes, mobiles, duration, quiet, faults, atOnce, plan }: Options): Report {
  let [requests, accepted] = [0, 0];
  const failed: Failure[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    const times = { durationMs: duration * 1000, quietMs: quiet * 1000 };
    const options = { seed, nodes, mobiles, ...times, faults, atOnce, ...(plan && { plan }) };
    const result = simulate(options);
    requests += result.requests;
    accepted += result.accepted;
    if (result.violations.length === 0) continue;
    const smallest = shrink(options, result);
    const { violations } = smallest;
    failed.push({ seed, plan: smallest.plan, violations, command: commandOf(options, smallest.plan) });
  }
  return { runs: seeds, requests, accepted, failed, capacity: measureCapacity({ seed: first, nodes, mobiles }) };
}

function commandOf(
  { seed, nodes, mobiles, durationMs = 0, quietMs = 0, atOnce = 1 }: SimulationOptions,
  plan: readonly Fault[],
): string {
  const settings = `--seed ${seed} --nodes ${nodes} --mobiles ${mobiles} --duration ${durationMs / 1000} --quiet ${quietMs / 1000}`;
  return `anyhome sim ${settings} --at-once ${atOnce} --plan '${JSON.stringify(plan)}'`;
}

function describe({ runs, requests, accepted, failed, capacity }: Report): string {
  const { takeover } = capacity;
  return [
    fields([
      ["Runs", `${runs}, ${failed.length} failed`],
      ["Registrations", `${accepted} of ${requests} accepted`],
      ["Owned bindings", describeSpread(capacity.ownedBindings)],
      ["Backup bindings", describeSpread(capacity.backupBindings)],
      ["Registrations/s", describeSpread(capacity.registrationsPerSecond)],
      [
        "Relaying one",
        `${capacity.framesPerRelayedRegistration} frames, ${capacity.messagesPerRelayedRegistration} messages`,
      ],
      [
        "Replicating one",
        `${capacity.messagesPerRegistration} messages, ${capacity.rowsPerRegistration} rows, ${capacity.replicatedBytesPerRegistration} bytes of rows`,
      ],
      [
        "Takeover",
        `${takeover.bindings} bindings claimed after ${describeMs(takeover.claimedMs)}, a mobile of theirs served after ${describeMs(takeover.servedMs)}`,
      ],
    ]),
    ...failed.map(({ seed, plan, violations, command }) =>
      [
        `\nSeed ${seed} with ${plan.length === 1 ? "1 fault" : `${plan.length} faults`}:`,
        ...violations.map((violation) => `  ${violation}`),
        "Again:",
        `  ${command}`,
      ].join("\n"),
    ),
  ].join("\n");
}

function describeSpread({ least, median, most }: Spread): string {
  return `${least} to ${most} on a member, ${median} in the middle`;
}

function describeMs(ms: number | undefined): string {
  return ms === undefined ? "never" : `${ms} ms`;
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

function faultPlan(text: string): readonly Fault[] {
  try {
    return planSchema.parse(JSON.parse(text));
  } catch {
    throw new InvalidArgumentError("Expected a plan as a failing seed prints it.");
  }
}
