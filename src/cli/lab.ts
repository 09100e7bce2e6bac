import { constants } from "node:os";
import { Command, Option } from "commander";
import type { RelayAddressing } from "../config/config.ts";
import { Lab, type NodeStatus, type ProcessKind, type UpOptions } from "../lab/lab.ts";
import { LabError } from "../lab/lab-error.ts";
import { labObstacle } from "../lab/obstacle.ts";
import { labNames } from "../lab/place.ts";
import type { RoutingProtocol } from "../lab/router.ts";
import { table } from "../text/columns.ts";
import { CliError, ExitCode } from "./exit.ts";
import { chaosCommand, checkCommand } from "./lab-chaos.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print } from "./output.ts";

interface Named {
  readonly name: string;
}

interface UpArguments extends Named {
  readonly keepOnFailure?: true;
  readonly disk?: number;
  readonly relay: RelayAddressing;
  readonly routing: RoutingProtocol;
}

/** `anyhome lab …`: a cluster with real routers in network namespaces of this machine. */
export function labCommand(): Command {
  const lab = new Command("lab")
    .description("a cluster with routers in network namespaces of this machine")
    .enablePositionalOptions();
  lab
    .command("up")
    .description("build the lab; done when all home agents are ready and the network routes to them")
    .addOption(nameOption())
    .option("--keep-on-failure", "leave everything as it is if something fails")
    .option("--disk <MiB>", "give each home agent's store a disk of this size, to be filled", integerBetween(8, 4096))
    .addOption(
      new Option("--relay <addressing>", "how home agents relay to each other").choices(["l3", "l2"]).default("l3"),
    )
    .addOption(
      new Option("--routing <protocol>", "by what home agents announce").choices(["bgp", "ospf"]).default("bgp"),
    )
    .action(({ name, keepOnFailure, disk, relay, routing }: UpArguments) =>
      up(name, { keepOnFailure: keepOnFailure ?? false, diskMegabytes: disk, relay, routing }),
    );
  lab
    .command("down")
    .description("remove the lab, also what a crash left of it")
    .addOption(nameOption())
    .action(({ name }: Named) => inLab(name, (it) => it.down()));
  lab
    .command("status")
    .description("nodes, processes, readiness, and where each node sends what is for the virtual network")
    .addOption(nameOption())
    .addOption(outputOption())
    .action(({ name, output }: Named & { output: OutputFormat }) =>
      inLab(name, async (it) => print(await it.status(), output, statusTable)),
    );
  lab
    .command("list")
    .description("the names of the labs that are up")
    .addOption(outputOption())
    .action(({ output }: { output: OutputFormat }) => print(labNames(), output, (names) => names.join("\n")));
  lab
    .command("exec")
    .description("run a command inside a node; there, `anyhome` and `vtysh` mean that node's daemons")
    .argument("<node>")
    .argument("<command...>")
    .passThroughOptions()
    .addOption(nameOption())
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  anyhome lab exec ha1 -- anyhome bindings list",
        "  anyhome lab exec r1 -- vtysh -c 'show bgp ipv4 unicast'",
        "  anyhome lab exec fa1 -- anyhome fa run",
      ].join("\n"),
    )
    .action((node: string, command: string[], { name }: Named) =>
      inLab(name, async (it) => {
        // What comes after the node is the command's own, so commander leaves a separator in.
        process.exitCode = await it.exec(node, command[0] === "--" ? command.slice(1) : command);
      }),
    );
  lab
    .command("kill")
    .description("send a signal to a process of a node")
    .argument("<node>")
    .addOption(nameOption())
    .addOption(new Option("--signal <signal>", "which one").default("SIGKILL").argParser(signalNamed))
    .addOption(
      new Option("--process <kind>", "which one")
        .choices(["daemon", "exabgp", "helper", "zebra", "bfdd", "bgpd", "ospfd"] satisfies ProcessKind[])
        .default("daemon" satisfies ProcessKind),
    )
    .action((node: string, options: Named & { signal: NodeJS.Signals; process: ProcessKind }) =>
      inLab(options.name, async (it) => {
        await it.kill(node, options.process, options.signal);
      }),
    );
  lab
    .command("start")
    .description("start what a node should run and doesn't; done when it works")
    .argument("<node>")
    .addOption(nameOption())
    .action((node: string, { name }: Named) => inLab(name, (it) => it.start(node)));
  lab
    .command("restart")
    .description("stop what a node runs, and start it again")
    .argument("<node>")
    .addOption(nameOption())
    .action((node: string, { name }: Named) =>
      inLab(name, async (it) => {
        await it.stop(node);
        await it.start(node);
      }),
    );
  const onNamedLab = (options: object, action: (lab: Lab) => Promise<void>) => inLab((options as Named).name, action);
  lab.addCommand(chaosCommand(onNamedLab).addOption(nameOption()));
  lab.addCommand(checkCommand(onNamedLab).addOption(nameOption()));
  return lab;
}

export function nameOption(): Option {
  return new Option("--name <name>", "which lab").default("lab").env("ANYHOME_LAB");
}

function signalNamed(text: string): NodeJS.Signals {
  const name = (text.startsWith("SIG") ? text : `SIG${text}`).toUpperCase();
  if (!(name in constants.signals)) throw new CliError(`no signal is named ${text}`, ExitCode.usage);
  return name as NodeJS.Signals;
}

async function up(name: string, options: UpOptions): Promise<void> {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals) => abort.abort(new LabError(`interrupted by ${signal}`));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const startedAt = performance.now();
  const progress = (line: string) =>
    process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}\n`);
  await inLab(name, (lab) => lab.up({ ...options, progress, signal: abort.signal })).finally(() =>
    process.off("SIGINT", stop).off("SIGTERM", stop),
  );
  progress(`lab ${name} is up`);
}

/** Turns what the lab objects to into messages for the person at the terminal. */
export async function inLab(name: string, action: (lab: Lab) => Promise<void>): Promise<void> {
  const obstacle = await labObstacle();
  if (obstacle !== undefined) throw new CliError(`the lab can't run here: ${obstacle}`);
  try {
    await action(new Lab(name));
  } catch (error) {
    if (error instanceof RangeError) throw new CliError(error.message, ExitCode.usage);
    if (error instanceof LabError) throw new CliError(error.message);
    throw error;
  }
}

function statusTable(nodes: readonly NodeStatus[]): string {
  return table(
    ["node", "address", "state", "processes", "virtual network via"],
    nodes.map(({ node, address, ready, reasons, processes, nextHops }) => [
      node,
      address,
      ready === null ? "" : ready ? "ready" : reasons.join("; "),
      processes.map(({ kind, pid }) => `${kind} ${pid}`).join("\n"),
      nextHops.join("\n"),
    ]),
  );
}
