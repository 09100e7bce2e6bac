import { constants } from "node:os";
import { Command, Option } from "commander";
import type { DataPlaneConfig, RelayAddressing } from "../config/config.ts";
import { ComposeLab, type EngineChoice } from "../lab/compose/compose-lab.ts";
import { composeObstacle } from "../lab/compose/obstacle.ts";
import { findLab } from "../lab/find-lab.ts";
import { LabError } from "../lab/lab-error.ts";
import { Lab } from "../lab/namespaces/lab.ts";
import { labObstacle } from "../lab/obstacle.ts";
import type { LabOperations, NodeStatus, ProcessKind } from "../lab/operations.ts";
import { labNames } from "../lab/place.ts";
import type { RoutingProtocol } from "../lab/plan/frr-files.ts";
import { TOPOLOGIES } from "../lab/plan/topologies.ts";
import { TOPOLOGY_NAMES, type TopologyName } from "../lab/plan/topology.ts";
import { table } from "../text/columns.ts";
import { CliError, ExitCode } from "./exit.ts";
import { chaosCommand, checkCommand } from "./lab-chaos.ts";
import { integerBetween } from "./option-values.ts";
import { type OutputFormat, outputOption, print, tell } from "./output.ts";

interface Named {
  readonly name: string;
}

interface UpCommandOptions extends Named {
  readonly driver: "netns" | "compose";
  readonly topology: TopologyName;
  readonly keepOnFailure?: boolean;
  readonly disk?: number;
  readonly clocks?: boolean;
  readonly relay: RelayAddressing;
  readonly routing: RoutingProtocol;
  readonly dataPlane: DataPlaneConfig["type"];
  readonly engine: EngineChoice;
  readonly engineData?: string;
}

/** `anyhome lab …`: a cluster with real routers, in network namespaces of this machine or in containers. */
export function labCommand(): Command {
  const lab = new Command("lab")
    .description("a cluster with routers, in network namespaces of this machine or in containers")
    .enablePositionalOptions();
  lab
    .command("up")
    .description("build the lab; returns when all home agents are ready and the network routes to them")
    .addOption(nameOption())
    .addOption(
      new Option("--driver <driver>", "network namespaces, or docker-compose")
        .choices(["netns", "compose"])
        .default("netns"),
    )
    .addOption(
      new Option("--topology <name>", "which nodes, and how they are linked").choices(TOPOLOGY_NAMES).default("lab"),
    )
    .option("--keep-on-failure", "leave everything as it is if something fails")
    .option("--disk <MiB>", "netns: give each home agent's store a disk of this size", integerBetween(8, 4096))
    .option("--clocks", "netns: give each home agent a clock that chaos can shift; needs libfaketime")
    .addOption(
      new Option("--relay <addressing>", "netns: how home agents relay to each other")
        .choices(["l3", "l2"])
        .default("l3"),
    )
    .addOption(
      new Option("--routing <protocol>", "netns: the protocol by which home agents announce")
        .choices(["bgp", "ospf"])
        .default("bgp"),
    )
    .addOption(
      new Option(
        "--data-plane <type>",
        "netns: what forwards the packets of mobiles; docs/data-plane.md says what bpf needs",
      )
        .choices(["none", "bpf", "user"] satisfies DataPlaneConfig["type"][])
        .default("none"),
    )
    .addOption(
      new Option("--engine <engine>", "compose: the Docker engine of this machine, or one for this lab alone")
        .choices(["auto", "system", "own"])
        .default("auto", "auto: this machine's where one answers"),
    )
    .option("--engine-data <directory>", "compose: where an engine of the lab's own keeps its images for the next time")
    .action(up);
  lab
    .command("down")
    .description("remove the lab, including what a crash left behind")
    .addOption(nameOption())
    .action(({ name }: Named) => onLab(name, (it) => it.down()));
  lab
    .command("status")
    .description("nodes, processes, readiness, and where each node sends what is for the virtual network")
    .addOption(nameOption())
    .addOption(outputOption())
    .action(({ name, output }: Named & { output: OutputFormat }) =>
      onLab(name, async (it) => print(await it.status(), output, statusTable)),
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
      onLab(name, async (it) => {
        // Arguments after the node belong to the command, so commander leaves a separator in.
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
        .choices(["daemon", "exabgp", "helper", "guard", "zebra", "bfdd", "bgpd", "ospfd"] satisfies ProcessKind[])
        .default("daemon" satisfies ProcessKind),
    )
    .action((node: string, options: Named & { signal: NodeJS.Signals; process: ProcessKind }) =>
      onLab(options.name, async (it) => {
        await it.kill(node, options.process, options.signal);
      }),
    );
  lab
    .command("start")
    .description("start what a node should run and doesn't; returns when it works")
    .argument("<node>")
    .addOption(nameOption())
    .action((node: string, { name }: Named) => onLab(name, (it) => it.start(node)));
  lab
    .command("restart")
    .description("stop what a node runs, and start it again")
    .argument("<node>")
    .addOption(nameOption())
    .action((node: string, { name }: Named) =>
      onLab(name, async (it) => {
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

async function up({
  name,
  driver,
  topology,
  keepOnFailure = false,
  disk,
  clocks = false,
  relay,
  routing,
  dataPlane,
  engine,
  engineData,
}: UpCommandOptions) {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals) => abort.abort(new LabError(`interrupted by ${signal}`));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const startedAt = performance.now();
  const progress = (line: string) =>
    tell(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${line}`);
  const common = { progress, signal: abort.signal, keepOnFailure };
  try {
    if (driver === "netns") {
      mustBePossible(await labObstacle());
      await explaining(() =>
        new Lab(name, TOPOLOGIES[topology]).up({ ...common, diskMegabytes: disk, clocks, relay, routing, dataPlane }),
      );
    } else {
      if (disk !== undefined || clocks || relay !== "l3" || routing !== "bgp" || dataPlane !== "none") {
        throw new CliError(
          "--disk, --clocks, --relay, --routing and --data-plane are for labs of network namespaces",
          ExitCode.usage,
        );
      }
      mustBePossible(await composeObstacle(engine));
      await explaining(() => new ComposeLab(name).up({ ...common, topology, engine, dataDirectory: engineData }));
    }
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  progress(`lab ${name} is up`);
}

/** Runs an action on a lab of either kind. */
export async function onLab(name: string, action: (lab: LabOperations) => Promise<void>): Promise<void> {
  await explaining(async () => {
    const lab = findLab(name);
    if (lab instanceof Lab) mustBePossible(await labObstacle());
    await action(lab);
  });
}

/** Runs an action that only a lab of network namespaces supports. */
async function inLab(name: string, action: (lab: Lab) => Promise<void>): Promise<void> {
  await onLab(name, async (lab) => {
    if (!(lab instanceof Lab)) throw new LabError(`${name} is a lab of containers; this needs network namespaces`);
    await action(lab);
  });
}

function mustBePossible(obstacle: string | undefined): void {
  if (obstacle !== undefined) throw new CliError(`the lab can't run here: ${obstacle}`);
}

/** Turns what a lab objects to into messages for the person at the terminal. */
async function explaining(action: () => Promise<void>): Promise<void> {
  try {
    await action();
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
      processes.map(({ kind, pid }) => `${kind} ${pid}`),
      nextHops,
    ]),
  );
}
