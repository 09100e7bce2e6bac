import { Command } from "commander";
import { type RoutesView, routesView } from "../api/schema.ts";
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
  const neighbors = routes.neighbors.map(({ address, state, since, reason }) => [address, state, since, reason ?? ""]);
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
    neighbors.length === 0 ? "There are no neighbors." : table(["neighbor", "state", "since", "reason"], neighbors),
    ...(bfd.length === 0 ? [] : [table(["bfd with", "state", "since", "sent every", "down after", "reason"], bfd)]),
  ].join("\n\n");
}

function stateOf(type: RoutesView["type"], isDesired: boolean, isApplied: boolean): string {
  if (!isDesired) return "to be withdrawn";
  if (!isApplied) return "to be announced";
  return type === "none" ? "to be routed here by other means" : "announced";
}

function describeAdvertisement({ prefix, communities, med, asPathPrepend }: RoutesView["desired"][number]): string {
  return [
    prefix,
    ...(communities.length === 0 ? [] : [`community ${communities.join(" ")}`]),
    ...(med === null ? [] : [`med ${med}`]),
    ...(asPathPrepend === 0 ? [] : [`prepended ${asPathPrepend} times`]),
  ].join(", ");
}
