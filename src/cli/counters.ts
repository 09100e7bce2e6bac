import { Command } from "commander";
import { type CountersView, countersView } from "../adapters/api/members.ts";
import { table } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

export function countersCommand(): Command {
  return new Command("counters")
    .description("counts of requests, replies, drops and errors since the daemon started")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText("after", "\nExamples:\n  anyhome counters\n  anyhome counters -o json | jq '.[\"datagrams-dropped\"]'")
    .action(async ({ socket, output }: { socket: string; output: OutputFormat }) => {
      await print(await ask(socket, "GET", "/v1/counters", countersView), output, describe);
    });
}

function describe(counters: CountersView): string {
  const rows = Object.entries(counters).flatMap(([name, value]) =>
    typeof value === "number"
      ? [[name, "", String(value)]]
      : Object.entries(value).map(([label, count]) => [name, label, String(count)]),
  );
  return table(["counter", "label", "value"], rows);
}
