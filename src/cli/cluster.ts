import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { type StatusView, statusView } from "../adapters/api/members.ts";
import { ask, socketOption } from "./control-client.ts";
import { CliError, ExitCode } from "./exit.ts";
import { parsePositiveNumber } from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";

interface Place {
  readonly socket: string;
  readonly output: OutputFormat;
}

interface DrainOptions extends Place {
  readonly wait: boolean;
  readonly timeout: number;
}

const PROGRESS_INTERVAL_MS = 250;

export function drainCommand(): Command {
  return new Command("drain")
    .description("give all bindings to other members, which routers prefer from now on, before maintenance")
    .option("--no-wait", "return at once; the drain goes on")
    .option("--timeout <seconds>", "give up waiting; the drain goes on", parsePositiveNumber, 600)
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      `
Waits until this member owns no bindings any more. Then the daemon can be stopped without any effect on mobiles; until
that happens it stays announced and serves requests that still arrive. \`undrain\` ends a drain.

Exit code 0: drained, or begun (--no-wait); 1: not drained in time, or the drain was ended by others.

Example:
  anyhome drain && systemctl restart anyhome`,
    )
    .action(async ({ socket, output, wait, timeout }: DrainOptions) => {
      const told = await ask(socket, "POST", "/v1/drain", statusView);
      await print(wait ? await untilDrained(socket, told, timeout) : told, output, describe);
    });
}

async function untilDrained(socket: string, told: StatusView, timeoutSeconds: number): Promise<StatusView> {
  const deadlineMs = performance.now() + timeoutSeconds * 1000;
  let status = told;
  let shown: number | undefined;
  while (status.bindings.owned > 0) {
    if (status.bindings.owned !== shown) tell(`${status.bindings.owned} bindings to go`);
    shown = status.bindings.owned;
    if (performance.now() >= deadlineMs) {
      const message = `${shown} bindings are still here after ${timeoutSeconds} s; is there a member that takes them? The drain goes on`;
      throw new CliError(message, ExitCode.error);
    }
    await delay(PROGRESS_INTERVAL_MS);
    status = await ask(socket, "GET", "/v1/status", statusView);
    if (!status.draining) throw new CliError("the drain was ended: by `undrain`, or a restart", ExitCode.error);
  }
  return status;
}

export function undrainCommand(): Command {
  return new Command("undrain")
    .description("take part again after a drain")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nNew mobiles arrive by themselves; `rebalance` on other members moves existing ones.\n\nExample:\n  anyhome undrain",
    )
    .action(async ({ socket, output }: Place) => {
      await print(await ask(socket, "POST", "/v1/undrain", statusView), output, describe);
    });
}

export function rebalanceCommand(): Command {
  return new Command("rebalance")
    .description("give bindings to the members that their ranking places them on")
    .option("--no-wait", "return at once, while bindings are still being moved")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nRun it on each member that has more than its share, for example after another one has returned.\n\nExample:\n  anyhome rebalance",
    )
    .action(async ({ socket, output, wait }: Place & { readonly wait: boolean }) => {
      let status = await ask(socket, "POST", "/v1/rebalance", statusView);
      let told = "";
      while (wait && status.moving?.running) {
        const progress = describeProgress(status.moving);
        if (progress !== told) tell(progress);
        told = progress;
        await delay(PROGRESS_INTERVAL_MS);
        status = await ask(socket, "GET", "/v1/status", statusView);
      }
      await print(status, output, describeRebalance);
      const { unclaimed = 0 } = status.moving ?? {};
      if (unclaimed > 0) throw new CliError(`${unclaimed} bindings were given to members that did not take them`);
    });
}

function describe({ node, health, bindings }: StatusView): string {
  return `${node} is ${health}; it owns ${bindings.owned} bindings`;
}

function describeRebalance(status: StatusView): string {
  const { moving } = status;
  return [describe(status), ...(moving === null ? [] : [describeProgress(moving)])].join("\n");
}

function describeProgress({ bindings, examined, moved }: NonNullable<StatusView["moving"]>): string {
  return `looked at ${examined} of ${bindings} bindings, moved ${moved}`;
}
