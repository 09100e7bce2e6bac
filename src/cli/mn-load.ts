import { Command } from "commander";
import { formatIpv4, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { encodeNai } from "../core/wire/nai.ts";
import { describeReplyCode } from "../core/wire/reply-code.ts";
import { IdentificationSource } from "../mobile/identification-source.ts";
import type { MobileName } from "../mobile/load.ts";
import { random32 } from "../mobile/register.ts";
import { type LoadReport, runLoad } from "../mobile/run-load.ts";
import { fields } from "../text/columns.ts";
import { CliError, ExitCode } from "./exit.ts";
import {
  addRouteOptions,
  DEFAULT_LIFETIME_SECONDS,
  flagsOption,
  mobileAssociations,
  type RouteOptions,
  routeOf,
} from "./mn-options.ts";
import { integerBetween, parseAddress, parseLifetime, parsePositiveNumber } from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";
import { explainingSystemErrors } from "./system-errors.ts";

const HIGHEST_ADDRESS = 0xffffffff;

interface LoadCommandOptions extends RouteOptions {
  readonly firstHomeAddress?: Ipv4Address;
  readonly naiPattern?: string;
  readonly mobiles: number;
  readonly rate?: number;
  readonly duration?: number;
  readonly window: number;
  readonly ports: number;
  readonly timeout: number;
  readonly tries: number;
  readonly lifetime: number;
  readonly flags: number;
  readonly log?: string;
  readonly output: OutputFormat;
}

export function loadCommand(): Command {
  const command = new Command("load")
    .description("register many mobiles, and report how fast they were served")
    .option("--mobiles <count>", "how many", integerBetween(1, 16_000_000), 1000)
    .option("--first-home-address <address>", "they have this home address and those after it", parseAddress)
    .option("--nai-pattern <pattern>", "or they have NAIs: user{}@lab.example, with a number for the braces")
    .option(
      "--rate <per second>",
      "registrations to start per second; as many as the window allows if not given",
      parsePositiveNumber,
    )
    .option(
      "--duration <seconds>",
      "keep going through all mobiles for this long; each registers once if not given",
      parsePositiveNumber,
    )
    .option(
      "--window <count>",
      "the most requests that may be unanswered at any time",
      integerBetween(1, 1_000_000),
      256,
    )
    .option("--ports <count>", "source ports to send from", integerBetween(1, 1000), 16)
    .option("--timeout <seconds>", "give up waiting for an answer", parsePositiveNumber, 5)
    .option("--tries <count>", "requests for a registration, before it counts as unanswered", integerBetween(1, 100), 1)
    .option("--lifetime <seconds>", "to ask for, or infinite", parseLifetime, DEFAULT_LIFETIME_SECONDS)
    .addOption(flagsOption())
    .option("--log <file>", "append a JSON line for each registration that is accepted, or given up");
  return addRouteOptions(command)
    .addOption(outputOption())
    .addHelpText(
      "after",
      `
Requests use timestamps. Ctrl-C ends the load and prints the results.
Exit code 0: some were accepted; 1: none.

Examples:
  anyhome mn load --mobiles 1000 --first-home-address 10.64.1.0
  anyhome mn load --mobiles 50000 --first-home-address 10.64.1.0 --rate 5000 --duration 60 -o json
  anyhome mn load --mobiles 1000 --nai-pattern 'user{}@lab.example' --spi 257 --foreign-agent 10.1.11.2`,
    )
    .action((options: LoadCommandOptions) => load(command, options));
}

async function load(command: Command, options: LoadCommandOptions): Promise<void> {
  const { mobiles, rate, duration, window, ports, timeout, tries, lifetime, log, output } = options;
  const nameOf = namesOf(options);
  const associations = mobileAssociations(command);
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const report = await explainingSystemErrors(async () => {
    const { target, local, careOfAddress, flags } = await routeOf(options, options.flags);
    return runLoad(
      {
        mobiles,
        nameOf,
        order: { flags, lifetimeSeconds: lifetime, homeAgent: options.homeAgent.address, careOfAddress },
        associations,
        identifications: new IdentificationSource("timestamps", random32),
        ratePerSecond: rate,
        window,
        answerTimeoutMs: timeout * 1000,
        maximumTries: tries,
        maximumRequests: duration === undefined ? mobiles : Number.POSITIVE_INFINITY,
        durationMs: duration === undefined ? Number.POSITIVE_INFINITY : duration * 1000,
      },
      { target, local, ports: Math.min(ports, mobiles) },
      { logFile: log, signal: interrupted.signal, onProgress: showProgress },
    );
  }).finally(() => process.off("SIGINT", stop).off("SIGTERM", stop));
  await print(report, output, describe);
  if (report.accepted === 0) throw new CliError("no registration was accepted");
}

/** How each mobile names itself. Throws a CliError if the options don't say so, or if there are too few names. */
function namesOf({ firstHomeAddress: first, naiPattern, mobiles }: LoadCommandOptions): (mobile: number) => MobileName {
  if ((first === undefined) === (naiPattern === undefined)) {
    throw new CliError("which mobiles? either --first-home-address or --nai-pattern says so", ExitCode.usage);
  }
  if (first !== undefined) {
    if (first + mobiles - 1 > HIGHEST_ADDRESS) {
      throw new CliError(`there are no ${mobiles} addresses from ${formatIpv4(first)} on`, ExitCode.usage);
    }
    return (mobile) => ({ homeAddress: (first + mobile) as Ipv4Address, nai: undefined });
  }
  const [before = "", after, ...rest] = naiPattern?.split("{}") ?? [];
  const naiOf = (mobile: number) => `${before}${mobile}${after}`;
  if (after === undefined || rest.length > 0 || encodeNai(naiOf(mobiles)) === undefined) {
    throw new CliError("--nai-pattern: expected an NAI with {} once, such as user{}@lab.example", ExitCode.usage);
  }
  return (mobile) => ({ homeAddress: UNSPECIFIED, nai: naiOf(mobile) });
}

function showProgress({ durationSeconds, sent, accepted, unanswered, acceptedPerSecond }: LoadReport): void {
  const seconds = Math.round(durationSeconds);
  tell(
    `${seconds} s: ${sent} sent, ${accepted} accepted, ${unanswered} unanswered; ${Math.round(acceptedPerSecond)} accepted/s`,
  );
}

function describe(report: LoadReport): string {
  const { latencyMs, denied } = report;
  return fields([
    ["Sent", `${report.sent}${report.repeated === 0 ? "" : `, and ${report.repeated} again`}`],
    ["Accepted", `${report.accepted} (${report.acceptedPerSecond}/s)`],
    ...Object.entries(denied).map(
      ([code, count]) => ["Denied", `${count}: ${describeReplyCode(Number(code))}`] as const,
    ),
    ["Unanswered", String(report.unanswered)],
    ["Invalid replies", report.invalid === 0 ? undefined : String(report.invalid)],
    ["Errors on sending", report.sendErrors === 0 ? undefined : String(report.sendErrors)],
    ["Duration", `${report.durationSeconds} s`],
    ["Latency", `${latencyMs.p50} ms median, ${latencyMs.p99} ms at 99 %, ${latencyMs.max} ms at most`],
  ]);
}
