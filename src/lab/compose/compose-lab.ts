import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { z } from "zod";
import { type StatusView, statusView } from "../../adapters/api/members.ts";
import type { ApiAnswer } from "../drill/lab-drills.ts";
import { LabError } from "../lab-error.ts";
import type { UpOptions } from "../namespaces/lab.ts";
import type { RunOptions, RunResult } from "../namespaces/namespace.ts";
import { FRR_DAEMONS, gatewaysOf, type KernelRoute } from "../namespaces/router.ts";
import { claim, findNode, type LabOperations, type NodeStatus, type ProcessKind } from "../operations.ts";
import { LabPlace } from "../place.ts";
import { TOPOLOGIES } from "../plan/topologies.ts";
import {
  homeAgentsBeside,
  nodeAddress,
  nodesOf,
  TOPOLOGY_NAMES,
  type Topology,
  type TopologyName,
  type TopologyNode,
} from "../plan/topology.ts";
import { waitFor } from "../wait.ts";
import { ensureBaseImages } from "./base-images.ts";
import { dockerfile, imageName, LAB_IMAGES, sidecarOf } from "./compose-file.ts";
import { Docker } from "./docker.ts";
import { Engine } from "./engine.ts";
import { COMPOSE_FILE, writeSecrets } from "./lab-files.ts";

/** What images are built from, and where the compose files are. */
const CHECKOUT = fileURLToPath(new URL("../../../", import.meta.url));

const SETTLE_MS = 90_000;
const STOP_SECONDS = 15;

/** As the program `ask` in a home agent's container prints it. */
const apiAnswer = z.object({ askedAtMs: z.number(), statusCode: z.number(), body: z.string() });

/** How a lab was brought up; kept for the commands that come after. */
const record = z.object({
  topology: z.enum(TOPOLOGY_NAMES),
  /** `own`: started for the lab, with its data in a directory; `system`: the one of this machine. */
  engine: z.enum(["own", "system"]),
  dataDirectory: z.string(),
  /** The data directory existed before, or others have to remove it. */
  keepsData: z.boolean(),
});
type LabRecord = z.infer<typeof record>;

/** `auto`: the engine of the machine if it answers, otherwise one of the lab's own. */
export type EngineChoice = "auto" | "own" | "system";

export interface ComposeUpOptions extends UpOptions {
  readonly topology: TopologyName;
  readonly engine: EngineChoice;
  /** Where an own engine keeps images; stays there after `down`. */
  readonly dataDirectory?: string | undefined;
}

/** A lab of containers, up or not, by its name. */
export class ComposeLab implements LabOperations {
  readonly place: LabPlace;
  #record: LabRecord | undefined;

  /** @throws RangeError for a name that can't be one of a lab. */
  constructor(name: string) {
    this.place = new LabPlace(name);
    this.#record = readRecord(this.place);
  }

  /** Whether a lab of this name is one of containers. */
  static isOne(name: string): boolean {
    return existsSync(recordFile(new LabPlace(name)));
  }

  get topology(): Topology {
    return TOPOLOGIES[this.#made.topology];
  }

  get #made(): LabRecord {
    if (this.#record === undefined) throw new LabError(`no lab named ${this.place.name} is up`);
    return this.#record;
  }

  get #engine(): Engine {
    return new Engine({
      name: `anyhome-${this.place.name}-docker`,
      runDirectory: join(this.place.directory, "docker"),
      dataDirectory: this.#made.dataDirectory,
    });
  }

  get docker(): Docker {
    return this.#made.engine === "own" ? this.#engine.docker : new Docker();
  }

  /**
   * Makes images, starts everything and waits until it works. What fails is removed again.
   *
   * @throws LabError when it doesn't come up
   */
  async up({ progress = () => {}, signal, keepOnFailure = false, ...options }: ComposeUpOptions): Promise<void> {
    const engine = options.engine === "auto" ? await usualEngine() : options.engine;
    claim(this.place, options.topology);
    const { dataDirectory } = options;
    this.#record = {
      topology: options.topology,
      engine,
      dataDirectory: dataDirectory ?? join(tmpdir(), `anyhome-lab-${this.place.name}-docker`),
      keepsData: dataDirectory !== undefined,
    };
    writeFileSync(recordFile(this.place), JSON.stringify(this.#record));
    try {
      await this.#build(progress, signal);
      if (engine === "own") await this.#engine.start(signal);
      progress(`starting ${this.topology.nodes.map(({ name }) => name).join(" ")}`);
      writeSecrets(this.#secrets, this.topology, randomBytes(32).toString("hex"));
      await this.compose(["up", "--detach", "--no-build"], { signal });
      progress("waiting for home agents to be ready");
      await Promise.all(this.#namesOf("home-agent").map((name) => this.#untilReady(name, signal)));
      progress("waiting for routes");
      await this.#untilRouted(signal);
    } catch (error) {
      if (!keepOnFailure) await this.down();
      throw error;
    }
  }

  /** Makes the images that are missing or out of date. */
  async #build(progress: (line: string) => void, signal: AbortSignal | undefined): Promise<void> {
    const make = async () => {
      progress("making images");
      const workDirectory = join(this.#made.dataDirectory, "work");
      await ensureBaseImages({ docker: this.docker, workDirectory, progress, signal });
      await this.buildImages("current", signal);
    };
    await (this.#made.engine === "own" ? this.#engine.whileOnline(make, signal) : make());
  }

  /** Builds the lab's images from the checkout, under a version. */
  async buildImages(version: string, signal?: AbortSignal): Promise<void> {
    for (const image of LAB_IMAGES) {
      // With a time of its own it is another image, though all that is in it may be the same.
      const label = version === "current" ? [] : ["--label", `anyhome.built=${new Date().toISOString()}`];
      const tag = ["--tag", imageName(image, version)];
      const words = ["build", "--network=host", ...tag, ...label, "--file", dockerfile(image), "."];
      await this.docker.do(words, { signal, cwd: CHECKOUT });
    }
  }

  /** docker-compose on the lab's file. */
  compose(
    args: readonly string[],
    options: { signal?: AbortSignal | undefined; version?: string } = {},
  ): Promise<string> {
    const { signal, version = "current" } = options;
    const file = join(CHECKOUT, "compose", this.#made.topology, COMPOSE_FILE);
    const env = { ANYHOME_LAB_SECRETS: this.#secrets, ANYHOME_LAB_VERSION: version };
    return this.docker.compose(["--file", file, "--project-name", this.#project, ...args], { signal, env });
  }

  get #project(): string {
    return `anyhome-${this.place.name}`;
  }

  get #secrets(): string {
    return join(this.place.directory, "secrets");
  }

  /** Removes everything that has this lab's name, also what a crash left behind; does nothing where there is nothing. */
  async down(): Promise<void> {
    if (this.#record === undefined) return this.place.remove();
    const { engine, keepsData } = this.#record;
    if (engine === "system") await this.#removeContainers();
    else {
      if (keepsData && existsSync(this.#made.dataDirectory)) {
        // Volumes and containers stay where images stay.
        if (!(await this.#engine.isUp())) await this.#engine.start();
        await this.#removeContainers();
      }
      await this.#engine.stop();
      if (!keepsData) this.#engine.removeData();
    }
    this.place.remove();
    this.#record = undefined;
  }

  async #removeContainers(): Promise<void> {
    await this.compose(["down", "--volumes", "--remove-orphans", "--timeout", "1"]);
  }

  /** Whether its containers are there. */
  async exists(): Promise<boolean> {
    if (this.#record === undefined) return false;
    const missing = await Promise.all(this.topology.nodes.map(async ({ name }) => !(await this.#find(name))));
    return !missing.includes(true);
  }

  /** @throws LabError where there is no such node. */
  node(name: string): TopologyNode {
    return findNode(this.topology, name);
  }

  #namesOf(role: TopologyNode["role"]): string[] {
    return nodesOf(this.topology, role).map(({ name }) => name);
  }

  async #find(service: string): Promise<string | undefined> {
    const labels = [`project=${this.#project}`, `service=${service}`];
    const filters = labels.flatMap((label) => ["--filter", `label=com.docker.compose.${label}`]);
    const { stdout } = await this.docker.run(["ps", "--all", "--quiet", "--no-trunc", ...filters]);
    return stdout.split("\n")[0] || undefined;
  }

  /** The id of a node's container. @throws LabError where there is none */
  async container(node: string): Promise<string> {
    const found = await this.#find(this.node(node).name);
    if (found === undefined) throw new LabError(`${node} has no container: the lab ${this.place.name} is not up`);
    return found;
  }

  /** Runs a command inside a node in our place; resolves with its exit code. */
  async exec(name: string, command: readonly string[]): Promise<number> {
    const terminal = process.stdin.isTTY && process.stdout.isTTY ? ["--tty"] : [];
    const { exitCode = 1 } = await execa(
      "docker",
      ["exec", "--interactive", ...terminal, await this.container(name), ...command],
      { stdio: "inherit", reject: false, env: this.docker.environment },
    );
    return exitCode;
  }

  /** Runs a command inside a node to its end; its exit code is the caller's to judge. */
  async run(name: string, command: readonly string[], options: Omit<RunOptions, "env"> = {}): Promise<RunResult> {
    return this.docker.run(["exec", "--interactive", await this.container(name), ...command], options);
  }

  /** The answer of a home agent's API. @throws LabError if there is none */
  async ask(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer> {
    const { exitCode, stdout, stderr } = await this.run(homeAgent, ["ask", method, path]);
    if (exitCode !== 0) throw new LabError(`${homeAgent} doesn't answer to ${method} ${path}: ${stderr || stdout}`);
    const { body, ...answer } = apiAnswer.parse(JSON.parse(stdout));
    return { ...answer, body: JSON.parse(body) };
  }

  async status(): Promise<NodeStatus[]> {
    return Promise.all(
      this.topology.nodes.map(async (node) => {
        const answer = node.role === "home-agent" ? await this.#readiness(node.name) : { ready: null, reasons: [] };
        return {
          node: node.name,
          role: node.role,
          address: nodeAddress(node),
          processes: (await this.#processes(node.name)).map(({ pid, kind }) => ({ pid, kind })),
          ready: answer.ready,
          reasons: answer.reasons,
          nextHops: await this.nextHops(node.name).catch(() => []),
        };
      }),
    );
  }

  async #readiness(name: string): Promise<Pick<StatusView, "ready" | "reasons">> {
    const status = await this.ask(name, "GET", "/v1/status").catch(() => undefined);
    return statusView.safeParse(status?.body).data ?? { ready: false, reasons: ["no daemon answers"] };
  }

  /** Those of a node's containers, as these count them themselves. */
  async #processes(name: string): Promise<ContainerProcess[]> {
    const found = (await this.#containersOf(name)).map(async (container) => {
      const { stdout } = await this.docker.run(["exec", container, "sh", "-c", LIST_PROCESSES]);
      return stdout.split("\n").flatMap((line) => {
        const [pid = "", uid = "", ...words] = line.trim().split(" ");
        // What lists them is not what a node runs.
        return /^\d+$/.test(uid) && words.length > 0 && words[2] !== "for"
          ? [{ container, pid: Number(pid), uid: Number(uid), kind: kindOf(words) }]
          : [];
      });
    });
    return (await Promise.all(found)).flat();
  }

  /** A home agent's ExaBGP has one of its own. */
  async #containersOf(name: string): Promise<string[]> {
    const services = this.node(name).role === "home-agent" ? [name, sidecarOf(name)] : [name];
    return (await Promise.all(services.map((service) => this.#find(service)))).filter((id) => id !== undefined);
  }

  /** Where a node's kernel sends what is for the virtual network. */
  async nextHops(name: string): Promise<string[]> {
    const words = ["ip", "-json", "route", "show", "exact", this.topology.virtualNetwork];
    const { exitCode, stdout, stderr } = await this.run(name, words);
    if (exitCode !== 0) throw new LabError(`${name}: ${stderr}`);
    return gatewaysOf(stdout === "" ? [] : (JSON.parse(stdout) as KernelRoute[]));
  }

  async #untilReady(name: string, signal: AbortSignal | undefined): Promise<void> {
    let reasons: readonly string[] = [];
    const container = await this.container(name);
    const outcome = await waitFor(
      async () => {
        const state = await this.docker.do(["inspect", "--format", "{{.State.Status}}", container]);
        if (state.trim() === "exited") return "ended";
        const answer = await this.#readiness(name);
        reasons = answer.reasons;
        return answer.ready && "ready";
      },
      { deadlineMs: SETTLE_MS, what: `${name} to be ready`, intervalMs: 300, signal },
    ).catch(async (error) => {
      signal?.throwIfAborted();
      throw new LabError(`${error.message}: ${reasons.join("; ")}\n${await this.#logOf(container)}`);
    });
    if (outcome === "ended") throw new LabError(`the container of ${name} has ended\n${await this.#logOf(container)}`);
  }

  async #logOf(container: string): Promise<string> {
    const { stdout, stderr } = await this.docker.run(["logs", "--tail", "15", container]);
    return `${stdout}\n${stderr}`.trim();
  }

  /** Each leaf routes to all of its home agents, and all routers route. */
  async #untilRouted(signal: AbortSignal | undefined): Promise<void> {
    for (const router of nodesOf(this.topology, "router")) {
      const beside = homeAgentsBeside(this.topology, router).length;
      await waitFor(async () => (await this.nextHops(router.name)).length >= Math.max(1, beside), {
        deadlineMs: SETTLE_MS,
        what: `${router.name} to route ${this.topology.virtualNetwork}`,
        intervalMs: 300,
        signal,
      }).catch((error) => {
        signal?.throwIfAborted();
        throw new LabError(error.message, { cause: error });
      });
    }
  }

  /** Sends a signal to the processes of a kind, which are all in one container; resolves with the time of it, epoch ms. */
  async kill(name: string, kind: ProcessKind, signal: NodeJS.Signals): Promise<number> {
    const byEngine = BY_ENGINE[signal];
    if (kind === "daemon" && byEngine !== undefined) {
      const container = await this.container(name);
      const sentAtMs = Date.now();
      await this.docker.do([...byEngine, container]);
      return sentAtMs;
    }
    const victims = (await this.#processes(name)).filter((process) => process.kind === kind);
    const [first] = victims;
    if (first === undefined) throw new LabError(`no ${kind} runs on ${name}`);
    const command = `date +%s%3N && kill -${signal.slice(3)} ${victims.map(({ pid }) => pid).join(" ")}`;
    // As who runs them: root in a container may not what root may elsewhere.
    return Number(await this.docker.do(["exec", `--user=${first.uid}`, first.container, "sh", "-c", command]));
  }

  /** Puts containers of other images in the place of a home agent's; the store stays. */
  async replace(homeAgent: string, version: string, signal?: AbortSignal): Promise<void> {
    await this.compose(["up", "--detach", "--no-build", "--no-deps", homeAgent, sidecarOf(homeAgent)], {
      signal,
      version,
    });
  }

  /** SIGKILL to all containers of some nodes at once; resolves with the time of it, epoch ms. */
  async killAll(names: readonly string[]): Promise<number> {
    const containers = (await Promise.all(names.map((name) => this.#containersOf(name)))).flat();
    const atMs = Date.now();
    await this.docker.do(["kill", ...containers]);
    return atMs;
  }

  /** Takes a node from its first network, as one pulls a plug; resolves with the time of it, epoch ms. */
  async disconnect(name: string): Promise<number> {
    const container = await this.container(name);
    const atMs = Date.now();
    await this.docker.do(["network", "disconnect", this.#networkOf(this.node(name)).name, container]);
    return atMs;
  }

  /** Undoes that. */
  async connect(name: string): Promise<void> {
    const node = this.node(name);
    const network = this.#networkOf(node);
    const container = await this.container(name);
    await this.docker.do(["network", "connect", "--ip", network.address, network.name, container]);
    // Docker sets its own way out instead.
    if (node.gateway !== undefined) {
      await this.docker.do(["exec", container, "ip", "route", "replace", "default", "via", node.gateway]);
    }
  }

  #networkOf(node: TopologyNode): { readonly name: string; readonly address: string } {
    const [first] = node.interfaces;
    if (first === undefined) throw new LabError(`${node.name} has no network`);
    return { name: `${this.#project}_${first.network}`, address: first.address };
  }

  /** Starts what a node should run and doesn't, and waits until it works. */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    const container = await this.container(name);
    const isRunning =
      (await this.docker.do(["inspect", "--format", "{{.State.Running}}", container])).trim() === "true";
    if (!isRunning) await this.docker.do(["start", container], { signal });
    if (this.node(name).role !== "home-agent") return;
    // It has the network of the container that ran when it was started.
    if (!isRunning) await this.docker.do(["restart", "--time", "1", await this.#sidecar(name)], { signal });
    await this.#untilReady(name, signal);
  }

  async #sidecar(homeAgent: string): Promise<string> {
    const found = await this.#find(sidecarOf(homeAgent));
    if (found === undefined) throw new LabError(`${homeAgent} has no container for its ExaBGP`);
    return found;
  }

  /** Stops what a node runs, as an operator would. */
  async stop(name: string): Promise<void> {
    await this.docker.do(["stop", "--time", String(STOP_SECONDS), await this.container(name)]);
  }
}

interface ContainerProcess {
  readonly container: string;
  readonly pid: number;
  readonly uid: number;
  readonly kind: ProcessKind;
}

/** A line for each process: its id, its user's, and the words that started it. */
const LIST_PROCESSES = `for it in /proc/[0-9]*; do
  echo "\${it#/proc/} $(grep Uid: $it/status | cut -f 2) $(tr '\\0' ' ' < $it/cmdline)"
done`;

/** A container's first process can't be killed or stopped from inside. */
const BY_ENGINE: Partial<Record<NodeJS.Signals, readonly string[]>> = {
  SIGKILL: ["kill"],
  SIGSTOP: ["pause"],
  SIGCONT: ["unpause"],
};

async function usualEngine(): Promise<"own" | "system"> {
  return (await new Docker().answers()) ? "system" : "own";
}

function recordFile(place: LabPlace): string {
  return join(place.directory, "compose.json");
}

function readRecord(place: LabPlace): LabRecord | undefined {
  try {
    return record.parse(JSON.parse(readFileSync(recordFile(place), "utf8")));
  } catch {
    return undefined;
  }
}

function kindOf(words: readonly string[]): ProcessKind {
  const names = words.map((word) => word.split("/").at(-1) ?? "");
  if (names.includes("anyhome_exabgp.py")) return "helper";
  if (names.slice(0, 3).includes("exabgp")) return "exabgp";
  if (names[1] === "main.ts" && names[2] === "run") return "daemon";
  return FRR_DAEMONS.find((name) => names[0] === name) ?? "other";
}
