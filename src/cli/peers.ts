import { Command } from "commander";
import { type PeerView, peersView } from "../adapters/api/members.ts";
import { table } from "../text/columns.ts";
import { ask, socketOption } from "./control-client.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

export function peersCommand(): Command {
  return new Command("peers")
    .description("the members of the cluster as this one sees them: health, load, clock")
    .addOption(outputOption())
    .addOption(socketOption())
    .addHelpText(
      "after",
      "\nExamples:\n  anyhome peers\n  anyhome peers -o json | jq '.[] | select(.state != \"alive\")'",
    )
    .action(async ({ socket, output }: { socket: string; output: OutputFormat }) => {
      await print(await ask(socket, "GET", "/v1/peers", peersView), output, describe);
    });
}

function describe(peers: readonly PeerView[]): string {
  const head = [
    "id",
    "address",
    "state",
    "health",
    "heard",
    "owned",
    "reg/s",
    "loop delay",
    "store queue",
    "clock",
    "start",
    "members",
    "replication",
    "relay",
  ];
  return table(
    head,
    peers.map(
      ({
        id,
        address,
        port,
        state,
        health,
        lastHeardMs,
        load,
        clockSkewMs,
        bootCount,
        members,
        replication,
        relay,
      }) => [
        id,
        `${address}:${port}`,
        state,
        health ?? "-",
        milliseconds(lastHeardMs, " ago"),
        String(load?.ownedBindings ?? "-"),
        load?.registrationsPerSecond.toFixed(1) ?? "-",
        milliseconds(load?.eventLoopDelayMs),
        String(load?.storeQueue ?? "-"),
        milliseconds(clockSkewMs),
        String(bootCount ?? "-"),
        members ?? "-",
        replication === null
          ? "-"
          : `${replication.state}${replication.backlogRows > 0 ? ` (${replication.backlogRows})` : ""}`,
        relay === null ? "-" : `${relay.addressing}${relay.reason === null ? "" : ` (${relay.reason})`}`,
      ],
    ),
  );
}

function milliseconds(duration: number | null | undefined, suffix = ""): string {
  return duration === null || duration === undefined ? "-" : `${Math.round(duration)} ms${suffix}`;
}
