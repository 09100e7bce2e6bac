import { setTimeout } from "node:timers/promises";
import { Command } from "commander";
import { type StatusView, statusView } from "../api/schema.ts";
import { ask, socketOption } from "./control-client.ts";
import { CliError } from "./exit.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

const POLL_MS = 300;

export function drainCommand(): Command {
  return order(
    "drain",
    "give all bindings to other members and withdraw the route, before maintenance",
    "Watch `anyhome status`: the daemon can be stopped without any effect on mobiles once it owns no bindings.",
  );
}

export function undrainCommand(): Command {
  return order(
    "undrain",
    "take part again after a drain",
    "New mobiles come by themselves; `rebalance` fetches others.",
  );
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
    .action(async ({ socket, output, wait }: { socket: string; output: OutputFormat; wait: boolean }) => {
      let status = await ask(socket, "POST", "/v1/rebalance", statusView);
      let told = "";
      while (wait && status.moving?.running) {
        const progress = describeProgress(status.moving);
        if (progress !== told) process.stderr.write(`${progress}\n`);
        told = progress;
        await setTimeout(POLL_MS);
        status = await ask(socket, "GET", "/v1/status", statusView);
      }
      await print(status, output, describeRebalance);
      const { unclaimed = 0 } = status.moving ?? {};
      if (unclaimed > 0) throw new CliError(`${unclaimed} bindings were given to members that did not take them`);
    });
}

function order(name: "drain" | "undrain", description: string, remark: string): Command {
  return new Command(name)
    .description(description)
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText("after", `\n${remark}\n\nExample:\n  anyhome ${name}`)
    .action(async ({ socket, output }: { socket: string; output: OutputFormat }) => {
      await print(await ask(socket, "POST", `/v1/${name}`, statusView), output, describe);
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
