import { Command, InvalidArgumentError } from "commander";
import { AcceptedLog } from "../lab/chaos/accepted-log.ts";
import { type ChaosReport, isPromiseKept, runChaos, settledFindings } from "../lab/chaos/chaos.ts";
import { type ChaosFindings, type Finding, isClean } from "../lab/chaos/chaos-check.ts";
import { FAULT_KINDS, FAULT_MEANINGS, type FaultKind, USUAL_FAULTS } from "../lab/chaos/chaos-faults.ts";
import { LabError } from "../lab/lab-error.ts";
import type { Lab } from "../lab/namespaces/lab.ts";
import { fields } from "../text/columns.ts";
import { CliError } from "./exit.ts";
import { integerBetween, parsePositiveNumber } from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";

interface ChaosCommandOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly duration: number;
  readonly rate: number;
  readonly mobiles: number;
  readonly lifetime: number;
  readonly faults: readonly FaultKind[];
  readonly copies: number;
  readonly output: OutputFormat;
}

/** Home agents that hold each binding, unless `replication.copies` is configured otherwise. */
const USUAL_COPIES = 3;
/** How many findings of each kind are printed for people. */
const SHOWN = 10;

/**
 * `anyhome lab chaos`.
 *
 * @param inLab runs an action on the lab that the command's options name
 */
export function chaosCommand(inLab: (options: object, action: (lab: Lab) => Promise<void>) => Promise<void>): Command {
  const command = new Command("chaos").description(
    "register mobiles on a running lab, let its home agents suffer faults, and check that nothing accepted is lost",
  );
  return addCopiesOption(command)
    .option("--seed <number>", "the same seed draws the same faults", integerBetween(0, 0xffffffff), 1)
    .option("--rounds <count>", "how many faults, one after the other", integerBetween(1, 1_000_000), 10)
    .option("--duration <seconds>", "no further fault after this time", parsePositiveNumber, 3600)
    .option(
      "--rate <per second>",
      "registrations per second, from all foreign agents together",
      parsePositiveNumber,
      500,
    )
    .option("--mobiles <count>", "mobiles behind each foreign agent", integerBetween(1, 262_144), 2000)
    .option("--lifetime <seconds>", "that mobiles ask for", integerBetween(1, 65_534), 1800)
    .option(
      "--faults <kinds>",
      "which, separated by commas; all that need no option of `lab up` if not given",
      parseFaults,
      [...USUAL_FAULTS],
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      `
Faults:
${FAULT_KINDS.map((kind) => `  ${kind.padEnd(12)} ${FAULT_MEANINGS[kind]}`).join("\n")}

Exit code 0: everything accepted is held by all home agents that should hold it, with one owner each; 1: it is not, or the
lab didn't recover.

Examples:
  anyhome lab chaos --rounds 20 --faults kill --rate 2000
  anyhome lab up --disk 64 && anyhome lab chaos --faults disk-full,kill --seed 7 -o json
  anyhome lab up --clocks && anyhome lab chaos --faults clock-ahead,clock-behind,kill`,
    )
    .action((options: ChaosCommandOptions) => inLab(options, (lab) => chaos(lab, options)));
}

/** `anyhome lab check`. */
export function checkCommand(inLab: (options: object, action: (lab: Lab) => Promise<void>) => Promise<void>): Command {
  const command = new Command("check")
    .description("compare what foreign agents were told with what the lab's home agents hold")
    .argument("<log...>", "logs written by `anyhome mn load --log`, of loads that have ended");
  return addCopiesOption(command)
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  anyhome lab check /run/anyhome-lab/lab/fa1/accepted.ndjson")
    .action((logs: string[], options: { copies: number; output: OutputFormat }) =>
      inLab(options, async (lab) => {
        const accepted = new AcceptedLog(logs);
        const findings = await settledFindings(lab, accepted, options.copies, new AbortController().signal);
        await print(findings, options.output, describeFindings);
        if (!isClean(findings)) throw new CliError("the cluster does not hold what was accepted as it should");
      }),
    );
}

function addCopiesOption(command: Command): Command {
  return command.option(
    "--copies <count>",
    "home agents that should hold each binding",
    integerBetween(1, 17),
    USUAL_COPIES,
  );
}

function parseFaults(text: string): FaultKind[] {
  return text.split(",").map((word) => {
    const kind = FAULT_KINDS.find((known) => known === word);
    if (kind === undefined) throw new InvalidArgumentError(`Expected some of ${FAULT_KINDS.join(",")}.`);
    return kind;
  });
}

async function chaos(lab: Lab, options: ChaosCommandOptions): Promise<void> {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals) => abort.abort(new LabError(`interrupted by ${signal}`));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const { rate, lifetime, duration, output, ...settings } = options;
  try {
    const report = await runChaos(
      lab,
      { ...settings, registrationsPerSecond: rate, lifetimeSeconds: lifetime, durationMs: duration * 1000 },
      { progress: (line) => tell(line), signal: abort.signal },
    );
    await print(report, output, describe);
    if (!isPromiseKept(report)) throw new CliError("what was accepted is not held as it should be");
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function describe(report: ChaosReport): string {
  const lost = report.rounds.flatMap((round) => round.lost);
  return [
    fields([
      ["Seed", String(report.seed)],
      ["Faults", String(report.rounds.length)],
      ...Object.entries(report.load).map(
        ([node, { sent, accepted, unanswered, acceptedPerSecond }]) =>
          [
            `Load on ${node}`,
            `${sent} sent, ${accepted} accepted (${Math.round(acceptedPerSecond)}/s), ${unanswered} unanswered`,
          ] as const,
      ),
      ["Rate reached", `${report.acceptedPerSecond} accepted/s`],
      ["Lost under load", countOf(lost)],
    ]),
    describeFindings(report.findings),
  ].join("\n");
}

function describeFindings({ accepted, lost, owners, differing, missing }: ChaosFindings): string {
  return fields([
    ["Mobiles", `${accepted} with an accepted registration that has not expired`],
    ["Lost", countOf(lost)],
    ["Not one owner", countOf(owners)],
    ["Differing copies", countOf(differing)],
    ["Missing copies", countOf(missing)],
  ]);
}

function countOf(findings: readonly Finding[]): string {
  const shown = findings.slice(0, SHOWN).map(({ mobile, problem }) => `${mobile}: ${problem}`);
  return [String(findings.length), ...shown].join("\n");
}
