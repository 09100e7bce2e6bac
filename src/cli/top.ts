import { Command, Option } from "commander";
import { type PeerView, peersView, type StatusView, statusView } from "../adapters/api/members.ts";
import { type RoutesView, routesView } from "../adapters/api/routes.ts";
import { fields, table } from "../text/columns.ts";
import { formatSeconds } from "../text/units.ts";
import { ask, socketOption } from "./control-client.ts";
import { type OutputFormat, outputOption } from "./output.ts";
import { parseInterval, watch } from "./watch.ts";

interface TopView {
  readonly time: string;
  readonly status: StatusView;
  readonly peers: readonly PeerView[];
  readonly routes: RoutesView;
}

/** `anyhome top`: the cluster at a glance, as one member sees it. */
export function topCommand(): Command {
  return new Command("top")
    .description("the cluster as this member sees it, again and again: routes, health, load, replication, takeovers")
    .addOption(new Option("--interval <seconds>", "between two looks").argParser(parseInterval).default(1))
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nJSON comes as a line for each look.\n\nExamples:\n  anyhome top\n  anyhome top --interval 10 >> top.log",
    )
    .action(({ interval, socket, output }: { interval: number; socket: string; output: OutputFormat }) =>
      watch({ intervalSeconds: interval, output, look: () => look(socket), toText: describeCluster }),
    );
}

async function look(socket: string): Promise<TopView> {
  const [status, peers, routes] = await Promise.all([
    ask(socket, "GET", "/v1/status", statusView),
    ask(socket, "GET", "/v1/peers", peersView),
    ask(socket, "GET", "/v1/routes", routesView),
  ]);
  return { time: new Date().toISOString(), status, peers, routes };
}

/** Not wider than 80 columns, with names of usual length. */
export function describeCluster({ time, status, peers, routes }: TopView): string {
  const { bindings, alarms, takeovers } = status;
  return [
    `${status.node} of cluster ${status.cluster}, running for ${formatSeconds(status.uptimeSeconds)}, at ${time}`,
    ...routes.view.map(({ prefix, announcers }) => `${prefix} announced by ${namesOf(announcers)}`),
    `${bindings.owned} owned, ${bindings.backup} as backup, ${bindings.ingress} as ingress, ${bindings.temporary} temporary`,
    "",
    table(
      ["member", "state", "health", "route", "owned", "reg/s", "loop", "replication", "heard"],
      peers.map((peer) => rowOf(peer, routes)),
    ),
    "",
    fields([
      [
        "Takeovers",
        takeovers.length === 0
          ? "none"
          : takeovers.toReversed().map(({ at, member, bindings: count }) => `${at}  ${count} bindings of ${member}`),
      ],
      ["Alarms", alarms.length === 0 ? "none" : alarms.map(({ id, message }) => `${id}: ${message}`)],
    ]),
  ].join("\n");
}

function rowOf({ id, state, health, load, replication, lastHeardMs }: PeerView, { view }: RoutesView): string[] {
  return [
    id,
    state,
    health ?? "-",
    announcing(id, view),
    String(load?.ownedBindings ?? "-"),
    load?.registrationsPerSecond.toFixed(1) ?? "-",
    load === null ? "-" : `${Math.round(load.eventLoopDelayMs)} ms`,
    replication === null ? "-" : `${replication.state} ${replication.backlogRows}`,
    lastHeardMs === null ? "never" : state === "self" ? "-" : `${Math.round(lastHeardMs)} ms`,
  ];
}

/** Whether routers have a route to a member. */
function announcing(member: string, view: RoutesView["view"]): string {
  const lists = view.map(({ announcers }) => announcers);
  if (lists.length === 0 || lists.includes(null)) return "?";
  return lists.some((announcers) => announcers?.includes(member)) ? "yes" : "no";
}

function namesOf(announcers: readonly string[] | null): string {
  if (announcers === null) return "whom isn't known";
  return announcers.length === 0 ? "nobody" : announcers.join(" ");
}
