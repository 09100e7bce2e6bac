import { Command } from "commander";
import { type StatusView, statusView } from "../api/schema.ts";
import { ask, socketOption } from "./control-client.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

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
  return order(
    "rebalance",
    "give bindings to the members that their ranking places them on",
    "Run it on each member that has more than its share, for example after another one has returned.",
  );
}

function order(name: "drain" | "undrain" | "rebalance", description: string, remark: string): Command {
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
