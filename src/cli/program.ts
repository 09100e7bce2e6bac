/** The commands of `anyhome`, each in a module of its own. */
import { Command } from "commander";
import { packageVersion } from "../version.ts";

interface CommandEntry {
  /** For the list of commands, which is shown without loading them. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
  /** The process ends as soon as the command is done, even if something still hangs, such as a write to a dead file system. */
  readonly endsAtOnce?: boolean;
}

/** A command loads its modules when it is used: `anyhome status` needs neither the database nor YAML. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  run: {
    summary: "run the home agent daemon in the foreground",
    load: async () => (await import("./run.ts")).runCommand(),
    endsAtOnce: true,
  },
  replay: {
    summary: "make the decisions of a recorded daemon once more",
    load: async () => (await import("./replay.ts")).replayCommand(),
  },
  status: {
    summary: "the state of the home agent",
    load: async () => (await import("./status.ts")).statusCommand(),
  },
  top: {
    summary: "the cluster at a glance, as this member sees it",
    load: async () => (await import("./top.ts")).topCommand(),
  },
  bindings: {
    summary: "list, show and delete mobility bindings",
    load: async () => (await import("./bindings.ts")).bindingsCommand(),
  },
  forwarding: {
    summary: "where packets of mobiles go, and which are dropped",
    load: async () => (await import("./forwarding.ts")).forwardingCommand(),
  },
  peers: {
    summary: "the members of the cluster as this one sees them",
    load: async () => (await import("./peers.ts")).peersCommand(),
  },
  routes: {
    summary: "what is announced to the routers",
    load: async () => (await import("./routes.ts")).routesCommand(),
  },
  counters: {
    summary: "counts of requests, replies, drops and errors",
    load: async () => (await import("./counters.ts")).countersCommand(),
  },
  drain: {
    summary: "give all bindings to other members, before maintenance",
    load: async () => (await import("./cluster.ts")).drainCommand(),
  },
  undrain: {
    summary: "take part again after a drain",
    load: async () => (await import("./cluster.ts")).undrainCommand(),
  },
  rebalance: {
    summary: "give bindings to the members that their ranking places them on",
    load: async () => (await import("./cluster.ts")).rebalanceCommand(),
  },
  reload: {
    summary: "have the daemon reload its configuration file",
    load: async () => (await import("./reload.ts")).reloadCommand(),
  },
  config: {
    summary: "check and show configurations, and their schema",
    load: async () => (await import("./config.ts")).configCommand(),
  },
  store: {
    summary: "look into the store of a home agent",
    load: async () => (await import("./store.ts")).storeCommand(),
  },
  exabgp: {
    summary: "print the files of an ExaBGP that runs as a sidecar",
    load: async () => (await import("./exabgp.ts")).exabgpCommand(),
  },
  mn: {
    summary: "act as a mobile node: register, deregister, load",
    load: async () => (await import("./mn.ts")).mnCommand(),
  },
  fa: {
    summary: "act as a foreign agent",
    load: async () => (await import("./fa.ts")).faCommand(),
  },
  sim: {
    summary: "the cluster in a deterministic simulation with faults",
    load: async () => (await import("./sim.ts")).simCommand(),
  },
  drill: {
    summary: "failures in a running lab, timed under load and held to limits",
    load: async () => (await import("./drill.ts")).drillCommand(),
  },
  lab: {
    summary: "a cluster with routers, in network namespaces of this machine or in containers",
    load: async () => (await import("./lab.ts")).labCommand(),
  },
};

/** The commands that are not to be loaded stand in it by name and summary alone. */
export async function buildProgram(isLoaded: (command: string) => boolean): Promise<Command> {
  const program = new Command("anyhome")
    .description("A cluster of Mobile IPv4 home agents behind one address.")
    .version(packageVersion)
    .enablePositionalOptions()
    .showHelpAfterError("(--help explains)")
    .addHelpText("after", `\n${exitCodes}`);
  for (const [name, { summary, load }] of Object.entries(commands)) {
    program.addCommand(isLoaded(name) ? await load() : new Command(name).description(summary));
  }
  inheritSettings(program);
  return program;
}

const exitCodes = `Exit codes: 0 ok, 1 error, 2 wrong usage or configuration, 3 not found, 4 daemon unreachable,
5 the daemon is not ready (status).`;

/** Errors become exceptions, everywhere down the tree. */
function inheritSettings(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
