import { randomBytes } from "node:crypto";
import { configureHomeAgents, readiness, startHomeAgent, superviseSidecar, untilReady } from "../home-agent.ts";
import { LabError } from "../lab-error.ts";
import { claim, findNode, type LabOperations, type NodeStatus, type ProcessKind } from "../operations.ts";
import { ANYHOME_MAIN, LabPlace } from "../place.ts";
import type { LabVariant } from "../plan/anyhome-config.ts";
import { TOPOLOGIES } from "../plan/topologies.ts";
import { homeAgentsBeside, nodeAddress, nodesOf, type Topology, type TopologyNode } from "../plan/topology.ts";
import { waitFor } from "../wait.ts";
import { startMobiles } from "./mobiles.ts";
import {
  becomeIn,
  doIn,
  ipBatch,
  isRunning,
  kill,
  type LabProcess,
  namespaces,
  processesIn,
  type RunOptions,
  type RunResult,
  removeNamespace,
  runIn,
  startIn,
} from "./namespace.ts";
import { namespacePlan } from "./namespace-plan.ts";
import { giveClock } from "./own-clock.ts";
import { configureFrr, FRR_DAEMONS, nextHops, startFrr, vtysh } from "./router.ts";
import { mountSmallDisk, unmountBelow } from "./small-disk.ts";

export interface UpOptions extends LabVariant {
  /** Told of each step. */
  readonly progress?: (line: string) => void;
  /** Gives up and removes what was made so far. */
  readonly signal?: AbortSignal;
  /** Leaves everything as it is when something fails, to be looked at. */
  readonly keepOnFailure?: boolean;
  /** Gives the store of each home agent a disk of this size, in memory, that can be filled. */
  readonly diskMegabytes?: number | undefined;
  /** Gives each home agent a clock of its own, that can be shifted. */
  readonly clocks?: boolean;
}

/** Time for home agents to become ready, and for routes to reach the last router. */
const SETTLE_MS = 60_000;

/** One lab, up or not, by its name. */
export class Lab implements LabOperations {
  readonly place: LabPlace;
  readonly topology: Topology;

  /**
   * @param topology usually that of the lab which is up
   * @throws RangeError for a name that can't be one of a lab.
   */
  constructor(name: string, topology?: Topology) {
    this.place = new LabPlace(name);
    this.topology = topology ?? TOPOLOGIES[this.place.topology() ?? "lab"];
  }

  /**
   * Builds everything and waits until it works: home agents ready, the virtual network routed to all of them. What fails is removed again.
   *
   * @throws LabError when it doesn't come up; tells the end of the log of who is to blame.
   */
  async up(options: UpOptions = {}): Promise<void> {
    claim(this.place, this.topology.name);
    try {
      await this.build(options);
    } catch (error) {
      if (!options.keepOnFailure) await this.down();
      throw error;
    }
  }

  private async build({
    progress = () => {},
    signal,
    diskMegabytes,
    clocks = false,
    ...variant
  }: UpOptions): Promise<void> {
    progress(`linking ${this.topology.nodes.map(({ name }) => name).join(" ")}`);
    await this.link();
    signal?.throwIfAborted();
    progress("starting routers");
    await Promise.all(this.speakers(variant).map((node) => this.startSpeaker(node, variant)));
    signal?.throwIfAborted();
    progress("starting home agents");
    configureHomeAgents(this.place, this.topology, variant, randomBytes(32).toString("hex"));
    const homeAgents = nodesOf(this.topology, "home-agent");
    if (diskMegabytes !== undefined) {
      for (const { name } of homeAgents) await mountSmallDisk(this.place.node(name).dataDirectory, diskMegabytes);
    }
    if (clocks) for (const { name } of homeAgents) giveClock(this.place.node(name));
    const started = homeAgents.map(({ name }) => ({ name, pid: startHomeAgent(this.place, name) }));
    if (variant.speaker === "sidecar") for (const { name } of homeAgents) superviseSidecar(this.place, name);
    progress("waiting for home agents to be ready");
    await Promise.all(started.map(({ name, pid }) => this.untilReady(name, pid, signal)));
    progress("waiting for routes");
    await this.untilRouted(signal);
    if ((variant.dataPlane ?? "none") !== "none") {
      progress("registering mobiles");
      await startMobiles(this, signal);
    }
  }

  private async link(): Promise<void> {
    const plan = namespacePlan(this.topology, (node) => this.place.namespace(node));
    await ipBatch(plan.host);
    for (const { node, namespace, commands, settings } of plan.nodes) {
      await ipBatch(commands, namespace);
      await doIn(namespace, ["sysctl", "--quiet", "--write", ...settings]);
      const nodePlace = this.place.node(node.name);
      nodePlace.create();
      nodePlace.addCommand("anyhome", [process.execPath, ANYHOME_MAIN]);
    }
  }

  /** The nodes that run FRR: routers, and with OSPF the home agents too. */
  private speakers({ routing }: LabVariant): readonly TopologyNode[] {
    const routers = nodesOf(this.topology, "router");
    return routing === "ospf" ? [...routers, ...nodesOf(this.topology, "home-agent")] : routers;
  }

  private async startSpeaker(node: TopologyNode, { routing = "bgp" }: LabVariant): Promise<void> {
    const place = this.place.node(node.name);
    place.addCommand("vtysh", vtysh(place.frr));
    await configureFrr(place, this.topology, node, routing);
    await startFrr(this.place, node.name);
  }

  private untilReady(name: string, pid: number, signal: AbortSignal | undefined): Promise<void> {
    const { controlSocket, daemonLog: log } = this.place.node(name);
    return untilReady({ name, pid, controlSocket, log }, SETTLE_MS, signal);
  }

  /** The leaf routes to every home agent, and all routers route. */
  private async untilRouted(signal: AbortSignal | undefined): Promise<void> {
    for (const router of nodesOf(this.topology, "router")) {
      const least = Math.max(1, homeAgentsBeside(this.topology, router).length);
      await waitFor(async () => (await this.nextHops(router.name)).length >= least, {
        deadlineMs: SETTLE_MS,
        what: `${router.name} to route ${this.topology.virtualNetwork} to ${least === 1 ? "its neighbor" : `${least} home agents`}`,
        signal,
      }).catch((error) => {
        signal?.throwIfAborted();
        throw new LabError(error.message, { cause: error });
      });
    }
  }

  /** Removes everything that has this lab's name, also what a crash left behind; does nothing where there is nothing. */
  async down(): Promise<void> {
    const existing = await namespaces();
    const ours = this.topology.nodes.map(({ name }) => this.place.namespace(name)).filter((name) => existing.has(name));
    await Promise.all(ours.map(removeNamespace));
    await unmountBelow(this.place.directory);
    this.place.remove();
  }

  /** Whether all its namespaces are there. */
  async exists(): Promise<boolean> {
    const existing = await namespaces();
    return this.topology.nodes.every(({ name }) => existing.has(this.place.namespace(name)));
  }

  /** @throws LabError where there is no such node. */
  node(name: string): TopologyNode {
    return findNode(this.topology, name);
  }

  /** Runs a command inside a node in our place; resolves with its exit code. */
  async exec(name: string, command: readonly string[]): Promise<number> {
    const node = this.node(name);
    await this.mustExist();
    return becomeIn(this.place.namespace(name), command, { ...process.env, ...this.environment(node) });
  }

  /** Runs a command inside a node to its end; its exit code is the caller's to judge. */
  run(name: string, command: readonly string[], options: Omit<RunOptions, "env"> = {}): Promise<RunResult> {
    const env = { ...process.env, ...this.environment(this.node(name)) };
    return runIn(this.place.namespace(name), command, { ...options, env });
  }

  /** Starts a process inside a node that stays until it ends or the lab goes down. Returns its process id; it logs to the node's `title`.log. */
  spawn(name: string, command: readonly string[], title: string): number {
    const env = { ...process.env, ...this.environment(this.node(name)) };
    return startIn(this.place.namespace(name), command, this.place.node(name).log(title), env);
  }

  /** What makes plain `anyhome`, `vtysh` and the mobile's tools inside a node mean that node. */
  environment(node: TopologyNode): Record<string, string> {
    const { commands, controlSocket } = this.place.node(node.name);
    const path = { PATH: `${commands}:${process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin"}` };
    if (node.role === "home-agent") {
      return { ...path, ANYHOME_SOCKET: controlSocket, ANYHOME_CONFIG: this.place.config, ANYHOME_NODE: node.name };
    }
    const [{ spi, key }] = this.topology.associations;
    return {
      ...path,
      ...(node.role === "foreign-agent" ? { ANYHOME_CARE_OF_ADDRESS: nodeAddress(node) } : {}),
      ANYHOME_HOME_AGENT: this.topology.virtualAddress,
      ANYHOME_MN_SPI: String(spi),
      ANYHOME_MN_KEY: key,
    };
  }

  async status(): Promise<NodeStatus[]> {
    await this.mustExist();
    return Promise.all(
      this.topology.nodes.map(async (node) => {
        const answer = node.role === "home-agent" ? await this.readiness(node.name) : { ready: null, reasons: [] };
        return {
          node: node.name,
          role: node.role,
          address: nodeAddress(node),
          processes: (await this.processes(node.name)).map(({ pid, kind }) => ({ pid, kind })),
          ready: answer.ready,
          reasons: answer.reasons,
          nextHops: await this.nextHops(node.name),
        };
      }),
    );
  }

  private async readiness(node: string): Promise<{ ready: boolean; reasons: readonly string[] }> {
    try {
      return await readiness(this.place.node(node).controlSocket);
    } catch {
      return { ready: false, reasons: ["no daemon answers"] };
    }
  }

  /** Where a node's kernel sends what is for the virtual network. */
  nextHops(node: string): Promise<string[]> {
    return nextHops(this.place.namespace(node), this.topology.virtualNetwork);
  }

  async processes(node: string): Promise<(LabProcess & { kind: ProcessKind })[]> {
    const found = await processesIn(this.place.namespace(node));
    return found.map((process) => ({ ...process, kind: kindOf(process) }));
  }

  private async processesOf(node: string, kind: ProcessKind): Promise<LabProcess[]> {
    return (await this.processes(this.node(node).name)).filter((process) => process.kind === kind);
  }

  /**
   * Sends a signal to the processes of a kind; after SIGKILL they have ended. Resolves with the time of the signal, epoch ms.
   *
   * @throws LabError where there is none.
   */
  async kill(node: string, kind: ProcessKind, signal: NodeJS.Signals): Promise<number> {
    const victims = await this.processesOf(node, kind);
    if (victims.length === 0) throw new LabError(`no ${kind} runs on ${node}`);
    const sentAtMs = Date.now();
    for (const { pid } of victims) kill(pid, signal);
    if (signal === "SIGKILL") await untilEnded(victims, 5_000);
    return sentAtMs;
  }

  /** Starts what a node should run and doesn't, and waits until it works. */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    const node = this.node(name);
    await this.mustExist();
    const running = (await this.processes(name)).map(({ kind }) => kind);
    await startFrr(this.place, name, running);
    if (node.role === "home-agent") {
      const [running] = await this.processesOf(name, "daemon");
      await this.untilReady(name, running?.pid ?? startHomeAgent(this.place, name), signal);
    }
  }

  /** Stops what a node runs, as an operator would: SIGTERM, and SIGKILL for who doesn't listen. */
  async stop(name: string): Promise<void> {
    const node = this.node(name);
    const kinds: readonly ProcessKind[] = node.role === "router" ? [...FRR_DAEMONS].reverse() : ["daemon"];
    for (const kind of kinds) {
      const processes = await this.processesOf(name, kind);
      for (const { pid } of processes) kill(pid, "SIGTERM");
      await untilEnded(processes, 10_000).catch(async () => void (await this.kill(name, kind, "SIGKILL")));
    }
  }

  private async mustExist(): Promise<void> {
    if (!(await this.exists())) throw new LabError(`no lab named ${this.place.name} is up`);
  }
}

async function untilEnded(processes: readonly LabProcess[], deadlineMs: number): Promise<void> {
  const what = `process ${processes.map(({ pid }) => pid).join(", ")} to end`;
  await waitFor(() => !processes.some(({ pid }) => isRunning(pid)), { deadlineMs, what, intervalMs: 5 });
}

function kindOf({ command }: LabProcess): ProcessKind {
  const words = command.map((word) => word.split("/").at(-1));
  if (command[1] === ANYHOME_MAIN && command[2] === "run") return "daemon";
  if (words.includes("anyhome_exabgp.py")) return "helper";
  if (words[1] === "sidecar.sh") return "sidecar";
  if (words[1]?.startsWith("guard-process.")) return "guard";
  if (words.slice(0, 3).includes("exabgp")) return "exabgp";
  return FRR_DAEMONS.find((name) => words[0] === name) ?? "other";
}
