import { Command, Option } from "commander";
import { type StatusView, statusView } from "../adapters/api/members.ts";
import { fields } from "../text/columns.ts";
import { formatBytes, formatSeconds } from "../text/units.ts";
import { ask, socketOption } from "./control-client.ts";
import { CliError, ExitCode } from "./exit.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";
import { parseInterval, watch } from "./watch.ts";

interface StatusOptions {
  readonly socket: string;
  readonly output: OutputFormat;
  readonly watch?: number;
}

export function statusCommand(): Command {
  return new Command("status")
    .description("the state of the home agent; exits with 5 if it is not ready")
    .addOption(outputOption())
    .addOption(socketOption())
    .addOption(
      new Option("--watch [seconds]", "show it again and again, every second").argParser(parseInterval).preset("1"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome status\n  anyhome status --watch\n  anyhome status -o json | jq .bindings.owned",
    )
    .action(async ({ socket, output, watch: intervalSeconds }: StatusOptions) => {
      const look = () => ask(socket, "GET", "/v1/status", statusView);
      if (intervalSeconds !== undefined) return watch({ intervalSeconds, output, look, toText: describe });
      const status = await look();
      await print(status, output, describe);
      if (!status.ready) throw new CliError(`${status.node} is not ready`, ExitCode.unhealthy);
    });
}

function describe(status: StatusView): string {
  const { bindings, store, alarms, lastReload } = status;
  return fields([
    ["Node", `${status.node} of cluster ${status.cluster}, version ${status.version}`],
    ["Running for", formatSeconds(status.uptimeSeconds)],
    [
      "Configuration",
      lastReload === null
        ? "as it was at the start"
        : `${lastReload.outcome} ${lastReload.at}${lastReload.problem === null ? "" : `: ${lastReload.problem}`}`.split(
            "\n",
          ),
    ],
    ["Ready", status.ready ? "yes" : `no: ${status.reasons.join("; ")}`],
    [
      "Health",
      status.ready && status.reasons.length > 0 ? `${status.health}: ${status.reasons.join("; ")}` : status.health,
    ],
    ["Announced", status.preference === null ? "no" : `with ${status.preference} preference`],
    ["Virtual address", `${status.virtualAddress} in ${status.virtualNetwork}`],
    [
      "Bindings",
      `${bindings.owned} owned, ${bindings.backup} as backup, ${bindings.ingress} as ingress, ${bindings.temporary} temporary, ${bindings.tombstones} tombstones`,
    ],
    ["Registrations", `${status.registrationsPerSecond.toFixed(1)}/s`],
    [
      "Store",
      `${store.queuedChanges} changes queued, ${store.unfoldedChanges} not folded, last commit ${store.lastCommitMs.toFixed(1)} ms, ${store.freeBytes === null ? "room unknown" : `${formatBytes(store.freeBytes)} free`}`,
    ],
    ["Checks", status.checks.map(({ name, state, since, reason }) => `${name} ${state} since ${since}: ${reason}`)],
    [
      "Alarms",
      alarms.length === 0 ? "none" : alarms.map(({ id, since, message }) => `${id} since ${since}: ${message}`),
    ],
  ]);
}
