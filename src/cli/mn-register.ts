import { Command, Option } from "commander";
import { formatIdentification } from "../core/wire/identification.ts";
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { INFINITE_LIFETIME, type RegistrationReply } from "../core/wire/registration-message.ts";
import { describeReplyCode, isAccepted, originOf, ReplyCode, type ReplyOrigin } from "../core/wire/reply-code.ts";
import type { ReplayStyle } from "../mobile/identification-source.ts";
import { type RegisterResult, type RegisterSettings, register } from "../mobile/register.ts";
import type { RegistrationOrder } from "../mobile/registration-attempt.ts";
import { fields } from "../text/columns.ts";
import { formatSeconds } from "../text/units.ts";
import { CliError, ExitCode } from "./exit.ts";
import {
  addRouteOptions,
  DEFAULT_LIFETIME_SECONDS,
  flagsOption,
  mobileAssociations,
  type RouteOptions,
  routeOf,
} from "./mn-options.ts";
import { formatFlags, integerBetween, parseAddress, parseLifetime, parseNai } from "./option-values.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";
import { explainingSystemErrors } from "./system-errors.ts";

export interface MobileOptions extends RouteOptions {
  readonly homeAddress?: Ipv4Address;
  readonly nai?: string;
  readonly replay: ReplayStyle;
  readonly tries: number;
}

interface PrintedOptions extends MobileOptions {
  readonly output: OutputFormat;
}

interface RegisterOptions extends PrintedOptions {
  readonly lifetime: number;
  readonly flags: number;
}

interface DeregisterOptions extends PrintedOptions {
  readonly all?: true;
}

export const environmentHelp = `
The options --home-agent, --foreign-agent, --home-address, --spi and --key can also be given by ANYHOME_HOME_AGENT,
ANYHOME_FOREIGN_AGENT, ANYHOME_HOME_ADDRESS, ANYHOME_MN_SPI and ANYHOME_MN_KEY.
Exit code 0: accepted; 1: denied, or no answer.`;

export function registerCommand(): Command {
  const command = new Command("register")
    .description("register a care-of address with the home agent")
    .option("--lifetime <seconds>", "how long, or infinite", parseLifetime, DEFAULT_LIFETIME_SECONDS)
    .addOption(flagsOption());
  return addMobileOptions(command)
    .addOption(outputOption())
    .addHelpText("after", environmentHelp)
    .addHelpText(
      "after",
      `
Examples:
  anyhome mn register --home-address 10.64.1.5
  anyhome mn register --nai alice@lab.example --spi 257 --flags T
  anyhome mn register --home-address 10.64.1.5 --foreign-agent 10.1.11.2 --lifetime 600 -o json`,
    )
    .action((options: RegisterOptions) => exchange(command, options, options.lifetime, options.flags));
}

export function deregisterCommand(): Command {
  const command = new Command("deregister")
    .description("end the registration of this care-of address, or of all")
    .option("--all", "of all care-of addresses of this mobile");
  return addMobileOptions(command)
    .addOption(outputOption())
    .addHelpText("after", environmentHelp)
    .addHelpText(
      "after",
      `
Examples:
  anyhome mn deregister --home-address 10.64.1.5
  anyhome mn deregister --home-address 10.64.1.5 --all`,
    )
    .action((options: DeregisterOptions) => {
      if (options.all !== true) return exchange(command, options, 0, 0);
      // RFC 5944 3.6.1.2: "to deregister all care-of addresses, it MUST set this field to its home address".
      const { homeAddress } = options;
      if (homeAddress === undefined) throw new CliError("--all needs --home-address", ExitCode.usage);
      return exchange(command, { ...options, careOfAddress: homeAddress }, 0, 0);
    });
}

export function addMobileOptions(command: Command): Command {
  command
    .addOption(
      new Option("--home-address <address>", "which mobile").argParser(parseAddress).env("ANYHOME_HOME_ADDRESS"),
    )
    .option("--nai <user@realm>", "which mobile; without --home-address it asks for one", parseNai);
  return addRouteOptions(command)
    .addOption(
      new Option("--replay <style>", "replay protection agreed with the home agent")
        .choices(["timestamps", "nonces"] satisfies ReplayStyle[])
        .default("timestamps" satisfies ReplayStyle),
    )
    .option(
      "--tries <count>",
      "requests to send before giving up; 1 s apart, then 2 s, 4 s …",
      integerBetween(1, 10),
      4,
    );
}

/** What to register and how, from options. Rejects with a system error if there is no way to the target. */
export async function preparedRegistration(
  command: Command,
  options: MobileOptions,
  lifetimeSeconds: number,
  flags: number,
): Promise<{ readonly order: RegistrationOrder; readonly settings: RegisterSettings }> {
  const { homeAddress, nai, homeAgent, replay, tries } = options;
  if (homeAddress === undefined && nai === undefined) {
    throw new CliError("which mobile? --home-address or --nai says so", ExitCode.usage);
  }
  const associations = mobileAssociations(command);
  const { careOfAddress, local, target, flags: allFlags } = await routeOf(options, flags);
  return {
    order: {
      flags: allFlags,
      lifetimeSeconds,
      homeAddress: homeAddress ?? UNSPECIFIED,
      homeAgent: homeAgent.address,
      careOfAddress,
      nai,
    },
    settings: { target, local: { address: local, port: 0 }, associations, replayStyle: replay, maximumTries: tries },
  };
}

async function exchange(
  command: Command,
  options: PrintedOptions,
  lifetimeSeconds: number,
  flags: number,
): Promise<void> {
  const { output } = options;
  const { order, outcome, target } = await explainingSystemErrors(async () => {
    const { order, settings } = await preparedRegistration(command, options, lifetimeSeconds, flags);
    return { order, outcome: await register(order, settings), target: settings.target };
  });
  const { result } = outcome;
  if (result.kind === "unanswered") throw new CliError(unansweredMessage(outcome, target));
  await print(viewOf(order, outcome, result.reply, result.roundTripMs), output, describe);
  if (!isAccepted(result.reply.code)) throw new CliError(deniedMessage(result.reply));
}

/** The answer to a registration; `-o json` prints it as it is. */
interface RegistrationView {
  readonly accepted: boolean;
  readonly code: number;
  readonly meaning: string;
  readonly answeredBy: ReplyOrigin;
  readonly homeAddress: string;
  readonly nai: string | null;
  readonly homeAgent: string;
  readonly careOfAddress: string;
  readonly flags: string;
  /** Seconds; 65535 is infinite. */
  readonly lifetime: number;
  readonly identification: string;
  readonly requestsSent: number;
  readonly roundTripMs: number;
  /** By how much the home agent's clock is ahead, if it reported that (133). */
  readonly clockOffsetMs: number | null;
}

function viewOf(
  order: RegistrationOrder,
  { requestsSent, clockOffsetMs }: RegisterResult,
  reply: RegistrationReply,
  roundTripMs: number,
): RegistrationView {
  return {
    accepted: isAccepted(reply.code),
    code: reply.code,
    meaning: describeReplyCode(reply.code),
    answeredBy: originOf(reply.code),
    homeAddress: formatIpv4(reply.homeAddress),
    nai: order.nai ?? null,
    homeAgent: formatIpv4(reply.homeAgent),
    careOfAddress: formatIpv4(order.careOfAddress),
    flags: formatFlags(order.flags),
    // RFC 5944 3.4: a reply can shorten the lifetime, not extend it.
    lifetime: Math.min(reply.lifetimeSeconds, order.lifetimeSeconds),
    identification: formatIdentification(reply.identification),
    requestsSent,
    roundTripMs,
    clockOffsetMs: clockOffsetMs ?? null,
  };
}

function describe(view: RegistrationView): string {
  const lifetimes = new Map([
    [0, "ended"],
    [INFINITE_LIFETIME, "infinite"],
  ]);
  return fields([
    ["Answer", view.meaning],
    ["Home address", view.homeAddress],
    ["NAI", view.nai ?? undefined],
    ["Home agent", view.homeAgent],
    ["Care-of address", view.careOfAddress],
    ["Lifetime", view.accepted ? (lifetimes.get(view.lifetime) ?? formatSeconds(view.lifetime)) : undefined],
    ["Identification", view.identification],
    ["Requests sent", String(view.requestsSent)],
    ["Round trip", `${view.roundTripMs} ms`],
    ["Clock of the home agent", view.clockOffsetMs === null ? undefined : `ahead by ${view.clockOffsetMs} ms`],
  ]);
}

export function deniedMessage({ code, lifetimeSeconds, homeAgent }: RegistrationReply): string {
  const description = describeReplyCode(code);
  if (code === ReplyCode.ForeignAgentLifetimeTooLong) return `${description}; it accepts up to ${lifetimeSeconds} s`;
  if (code === ReplyCode.UnknownHomeAgentAddress) return `${description}; try --home-agent ${formatIpv4(homeAgent)}`;
  return description;
}

export function unansweredMessage({ requestsSent, lastDoubt, sendError }: RegisterResult, target: Endpoint): string {
  const count = requestsSent === 1 ? "1 request" : `${requestsSent} requests`;
  const message = `no answer from ${formatEndpoint(target)} to ${count}`;
  if (sendError !== undefined) return `${message}: ${sendError}`;
  if (lastDoubt === undefined) return message;
  const what = lastDoubt.code === undefined ? "" : `; it said: ${describeReplyCode(lastDoubt.code)}`;
  return `${message} but one that can't be believed (${lastDoubt.doubt})${what}. Are SPI and key right?`;
}
