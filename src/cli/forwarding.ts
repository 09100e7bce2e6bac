import { Command } from "commander";
import {
  type ForwardingCountersView,
  type ForwardingOfMobileView,
  type ForwardingView,
  forwardingCountersView,
  forwardingOfMobileView,
  forwardingPage,
} from "../adapters/api/forwarding.ts";
import { type Cell, fields, table, tableWriter } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print, printList } from "./output.ts";
import { pages } from "./pages.ts";
import { timeLeft } from "./time-left.ts";
import { describeTraffic } from "./traffic.ts";

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
    .command("show")
    .description("how packets of one mobile go by this home agent, and whom they go on to where it doesn't know")
    .argument("<mobile>", "home address or NAI")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome forwarding show 10.64.1.5\n  anyhome forwarding show alice@example.com",
    )
    .action(async (mobile: string, { socket, output }: Common) => {
      const path = `/v1/forwarding/mobiles/${encodeURIComponent(mobile)}`;
      await print(await ask(socket, "GET", path, forwardingOfMobileView), output, describeMobile);
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
    describeTraffic(toMobile),
    describeTraffic(fromMobile),
    lines(({ expiresAt }) => timeLeft(expiresAt)),
  ];
}

function describeMobile({ homeAddress, source, tunnels, homes, toMobile, fromMobile }: ForwardingOfMobileView): string {
  return fields([
    ["Home address", homeAddress],
    ["Known from", WHENCE[source]],
    ...tunnels.map(
      ({ careOfAddress, encapsulation, reverse, expiresAt }, index) =>
        [
          index === 0 ? "Tunnels" : "",
          [
            `${careOfAddress} by ${encapsulation}`,
            ...(reverse ? ["in both directions"] : []),
            expiresAt === null ? "never ends" : `ends in ${timeLeft(expiresAt)}`,
          ].join(", "),
        ] as const,
    ),
    ["To the mobile", describeTraffic(toMobile)],
    ["From the mobile", describeTraffic(fromMobile)],
    ["Homes", homes.map(({ member, alive }) => (alive ? member : `${member} (not alive)`)).join(", ")],
  ]);
}

const WHENCE: Record<ForwardingOfMobileView["source"], string> = {
  owner: "its binding: this home agent owns it",
  backup: "its binding: this home agent is a backup",
  lease: "what the owner has told this home agent",
  nobody: "nobody: packets go on to the first of the homes that is alive, or are dropped if that is this one",
};

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
