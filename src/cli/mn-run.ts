import { Command } from "commander";
import { formatIpv4 } from "../core/wire/ipv4.ts";
import type { RegistrationReply } from "../core/wire/registration-message.ts";
import { lifetimeMs } from "../mobile/foreign-agent-checks.ts";
import { keepRegistered } from "../mobile/keep-registered.ts";
import { MobileTunnels } from "../mobile/mobile-tunnels.ts";
import { CliError, ExitCode } from "./exit.ts";
import { DEFAULT_LIFETIME_SECONDS, flagsOption } from "./mn-options.ts";
import {
  addMobileOptions,
  deniedMessage,
  environmentHelp,
  type MobileOptions,
  preparedRegistration,
  unansweredMessage,
} from "./mn-register.ts";
import { parseLifetime } from "./option-values.ts";
import { tell } from "./output.ts";
import { explainingSystemErrors } from "./system-errors.ts";

interface RunOptions extends MobileOptions {
  readonly lifetime: number;
  readonly flags: number;
  readonly tunnels?: string | true;
}

export function runCommand(): Command {
  const command = new Command("run")
    .description("register, and again before the lifetime is over, until interrupted; then deregister")
    .option("--lifetime <seconds>", "how long at a time, or infinite", parseLifetime, DEFAULT_LIFETIME_SECONDS)
    .option("--tunnels [device]", "be the end of the tunnels, by a TUN interface of this name (anyhome-mn)")
    .addOption(flagsOption());
  return addMobileOptions(command)
    .addHelpText("after", environmentHelp)
    .addHelpText(
      "after",
      `
With --tunnels, which needs a co-located care-of address, CAP_NET_ADMIN and CAP_NET_RAW, the interface gets the home address;
with T what is sent from it goes home by the tunnel.

Examples:
  anyhome mn run --home-address 10.64.1.5 --foreign-agent 10.1.21.1 --care-of-address 10.1.11.2 --flags T
  anyhome mn run --home-address 10.64.1.5 --flags GT --tunnels`,
    )
    .action((options: RunOptions) => run(command, options));
}

async function run(command: Command, options: RunOptions): Promise<void> {
  const device = options.tunnels === true ? "anyhome-mn" : options.tunnels;
  if (device !== undefined && options.foreignAgent !== undefined) {
    throw new CliError(
      "--tunnels is for a co-located care-of address: behind a foreign agent that has them",
      ExitCode.usage,
    );
  }
  const ending = new AbortController();
  const stop = () => ending.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let failure: Error | undefined;
  const failed = (error: Error) => {
    failure = error;
    ending.abort();
  };
  await explainingSystemErrors(async () => {
    const { order, settings } = await preparedRegistration(command, options, options.lifetime, options.flags);
    const { careOfAddress, homeAgent, flags } = order;
    const tunnels = device === undefined ? undefined : await MobileTunnels.open({ device, careOfAddress, failed });
    try {
      await keepRegistered(order, settings, {
        accepted(reply) {
          const { homeAddress } = reply;
          tunnels?.put(
            { homeAddress, homeAgent, careOfAddress, flags, expiresAtMs: endOf(reply, options.lifetime) },
            undefined,
          );
          tell(`${formatIpv4(homeAddress)} is registered at ${formatIpv4(careOfAddress)}`);
        },
        failed: (outcome) => {
          const { result } = outcome;
          tell(result.kind === "answered" ? deniedMessage(result.reply) : unansweredMessage(outcome, settings.target));
        },
        signal: ending.signal,
      });
    } finally {
      tunnels?.close();
    }
  });
  process.off("SIGINT", stop).off("SIGTERM", stop);
  if (failure !== undefined) throw new CliError(`the tunnels don't work any more: ${failure.message}`);
}

/** Epoch ms. */
function endOf({ lifetimeSeconds }: RegistrationReply, askedSeconds: number): number {
  return Date.now() + lifetimeMs(Math.min(lifetimeSeconds, askedSeconds));
}
