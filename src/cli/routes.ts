import { Command } from "commander";
import { type RoutesView, routesView } from "../adapters/api/routes.ts";
import { fields, table } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

export function routesCommand(): Command {
  return new Command("routes")
    .description("what this home agent announces to the routers, and its sessions with them")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText("after", "\nExamples:\n  anyhome routes\n  anyhome routes -o json | jq .applied")
    .action(async ({ socket, output }: { socket: string; output: OutputFormat }) => {
      await print(await ask(socket, "GET", "/v1/routes", routesView), output, describe);
    });
}

function describe(routes: RoutesView): string {
  const summary = fields([
    [
      "Speaker",
      [`${routes.type}, ${routes.speaker}`, routes.pid === null ? [] : `pid ${routes.pid}`].flat().join(", "),
    ],
    ["Restarts", String(routes.restarts)],
    ["Last error", routes.lastError ?? undefined],
  ]);
  const applied = new Set(routes.applied.map(describeAdvertisement));
  const desired = new Set(routes.desired.map(describeAdvertisement));
  const announcements = [...desired.union(applied)].map((text) => [
    text,
    stateOf(routes.type, desired.has(text), applied.has(text)),
  ]);
  const neighbors = routes.neighbors.map(({ address, state, since, reason, accepted }) => [
    address,
    state,
    describeAcceptance(Object.values(accepted)),
    since,
    reason ?? "",
  ]);
  const paths = routes.view.flatMap(({ prefix, paths }) =>
    paths.map((path) => [
      prefix,
      path.announcer ?? "a stranger",
      path.neighbor,
      path.nextHop,
      path.asPath.join(" "),
      describeAttributes({ ...path, asPathPrepend: 0 }).join(", "),
    ]),
  );
  const bfd = routes.bfd.map(({ address, state, since, reason, detectionTimeMs, transmitIntervalMs }) => [
    address,
    state,
    since,
    `${Math.round(transmitIntervalMs)} ms`,
    detectionTimeMs === null ? "-" : `${Math.round(detectionTimeMs)} ms`,
    reason ?? "",
  ]);
  return [
    summary,
    announcements.length === 0 ? "No route is announced." : table(["route", "state"], announcements),
    neighbors.length === 0
      ? "There are no neighbors."
      : table(["neighbor", "state", "has our routes", "since", "reason"], neighbors),
    ...(bfd.length === 0 ? [] : [table(["bfd with", "state", "since", "sent every", "down after", "reason"], bfd)]),
    paths.length === 0 ? [] : table(["prefix", "announced by", "told by", "next hop", "as path", "attributes"], paths),
    routes.view.map(describeAnnouncers).join("\n"),
  ]
    .flat()
    .join("\n\n");
}

function describeAcceptance(accepted: readonly (boolean | null)[]): string {
  if (accepted.length === 0) return "";
  if (accepted.includes(false)) return "no";
  return accepted.includes(null) ? "unknown" : "yes";
}

function describeAnnouncers({ prefix, announcers }: RoutesView["view"][number]): string {
  if (announcers === null)
    return `Who announces ${prefix} isn't known: the routers don't tell all they have, or not yet.`;
  return `${prefix} is announced by ${announcers.length === 0 ? "nobody" : announcers.join(", ")}.`;
}

function stateOf(type: RoutesView["type"], isDesired: boolean, isApplied: boolean): string {
  if (!isDesired) return "to be withdrawn";
  if (!isApplied) return "to be announced";
  return type === "none" ? "to be routed here by other means" : "announced";
}

function describeAdvertisement(advertisement: RoutesView["desired"][number]): string {
  return [advertisement.prefix, ...describeAttributes(advertisement)].join(", ");
}

function describeAttributes({
  communities,
  med,
  asPathPrepend,
}: Omit<RoutesView["desired"][number], "prefix">): readonly string[] {
  return [
    ...(communities.length === 0 ? [] : [`community ${communities.join(" ")}`]),
    ...(med === null ? [] : [`med ${med}`]),
    ...(asPathPrepend === 0 ? [] : [`prepended ${asPathPrepend} times`]),
  ];
}
