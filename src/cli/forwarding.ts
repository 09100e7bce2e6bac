import { Command } from "commander";
import {
  type ForwardingCountersView,
  type ForwardingView,
  forwardingCountersView,
  forwardingPage,
} from "../adapters/api/forwarding.ts";
import { type Cell, fields, table, tableWriter } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print, printList } from "./output.ts";
import { pages } from "./pages.ts";
import { timeLeft } from "./time-left.ts";

interface Common {
  readonly socket: string;
  readonly output: OutputFormat;
}

export function forwardingCommand(): Command {
  const forwarding = new Command("forwarding").description("where packets of mobiles go, and which are dropped");
  forwarding
    .command("list")
    .description("the tunnels of all mobiles that this home agent forwards for, with what went through them")
    .option("--limit <count>", "at most this many; all if not given", integerBetween(1, 1_000_000_000))
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText("after", "\nExample:\n  anyhome forwarding list --limit 20")
    .action(async ({ socket, output, limit = Number.POSITIVE_INFINITY }: Common & { readonly limit?: number }) => {
      const entries = pages(
        limit,
        (query) => ask(socket, "GET", `/v1/forwarding?${query}`, forwardingPage),
        (page) => page.entries,
      );
      const head = [
        "home address",
        "care-of address",
        "encapsulation",
        "reverse",
        "to mobile",
        "from mobile",
        "ends in",
      ];
      await printList(entries, output, tableWriter(head, row));
    });
  forwarding
    .command("counters")
    .description("packets dropped since the data plane started to work, by reason")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome forwarding counters\n  anyhome forwarding counters -o json | jq .drops",
    )
    .action(async ({ socket, output }: Common) => {
      await print(await ask(socket, "GET", "/v1/forwarding/counters", forwardingCountersView), output, describe);
    });
  return forwarding;
}

function row({ homeAddress, tunnels, toMobile, fromMobile }: ForwardingView): Cell[] {
  const lines = (text: (tunnel: ForwardingView["tunnels"][number]) => string) => tunnels.map(text);
  return [
    homeAddress,
    lines(({ careOfAddress }) => careOfAddress),
    lines(({ encapsulation }) => encapsulation),
    lines(({ reverse }) => (reverse ? "yes" : "no")),
    `${toMobile.packets} packets, ${toMobile.octets} octets`,
    `${fromMobile.packets} packets, ${fromMobile.octets} octets`,
    lines(({ expiresAt }) => timeLeft(expiresAt)),
  ];
}

function describe({ type, failure, uplinks, passedOn, drops }: ForwardingCountersView): string {
  if (type === "none") return "this home agent forwards no packets: data-plane.type is none";
  const state = fields([
    ["Working", failure === null ? "yes" : `no: ${failure}`],
    ["Uplinks", uplinks.join(", ")],
    ["Passed on", `${passedOn.toMobile} packets to mobiles, ${passedOn.fromMobile} from mobiles`],
  ]);
  const rows = Object.entries(drops).map(([reason, count]) => [reason, String(count)]);
  return `${state}\n\n${table(["dropped for", "packets"], rows)}`;
}
