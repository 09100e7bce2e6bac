/**
 * One FRR router and one host beside it, each in its own network namespace, with a process on the host that holds an
 * advertiser. What is asserted is what the router's kernel has.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { AdvertiserStatus } from "../../src/adapters/advertiser/advertiser.ts";
import {
  doIn,
  enter,
  ipBatch,
  kill,
  namespaces,
  processesIn,
  removeNamespace,
  runIn,
} from "../../src/lab/namespaces/namespace.ts";
import { namespacePlan } from "../../src/lab/namespaces/namespace-plan.ts";
import { startRouter, vtysh } from "../../src/lab/namespaces/router.ts";
import { LabPlace } from "../../src/lab/place.ts";
import { LAB_TOPOLOGY, nodesOf, type Topology } from "../../src/lab/plan/topology.ts";
import { waitFor } from "../../src/lab/wait.ts";
import type { StandInOptions, Wish } from "./advertiser-process.ts";
import { installedIn, type ZebraRoutes } from "./frr-tables.ts";

export const PREFIX = "10.64.0.0/12";
export const ROUTER = "192.0.2.1";
export const HOST = "192.0.2.11";
/** Another member's, on the same host. */
export const OTHER_HOST = "192.0.2.12";
const LINK = "ha1";

const TOPOLOGY: Topology = {
  ...LAB_TOPOLOGY,
  networks: [{ name: "lan", prefix: "192.0.2.0/24" }],
  nodes: [
    { name: "r1", role: "router", as: 65001, interfaces: [{ network: "lan", address: ROUTER }] },
    { name: LINK, role: "home-agent", as: 65011, interfaces: [{ network: "lan", address: HOST }] },
  ],
};

const SIDECAR = fileURLToPath(new URL("../../exabgp/sidecar.sh", import.meta.url));
const PROCESS = fileURLToPath(new URL("./advertiser-process.ts", import.meta.url));

export type Part = "exabgp" | "helper";

export class AdvertiserRig {
  readonly #place = new LabPlace(`test-${process.pid}-adv`);
  readonly #router = this.#place.namespace("r1");
  readonly #host = this.#place.namespace(LINK);
  readonly #standIns = new Set<StandIn>();
  #supervisor: ChildProcess | undefined;
  #monitor: ChildProcessWithoutNullStreams | undefined;
  /** When the router's kernel got (true) or lost (false) a route to the prefix; epoch ms. */
  readonly #changes: { readonly atMs: number; readonly present: boolean }[] = [];

  async up(): Promise<void> {
    this.#place.create();
    const plan = namespacePlan(TOPOLOGY, (node) => this.#place.namespace(node));
    await ipBatch(plan.host);
    for (const { node, namespace, commands } of plan.nodes) {
      await ipBatch(commands, namespace);
      this.#place.node(node.name).create();
    }
    await ipBatch([`address add ${OTHER_HOST}/24 dev r1`], this.#host);
    await this.startRouter();
    const [file, ...args] = enter(this.#router, ["ip", "-ts", "monitor", "route"]);
    this.#monitor = spawn(file, args);
    createInterface({ input: this.#monitor.stdout }).on("line", (line) => {
      const [, time, deleted] = /^\[(\S+)\] (Deleted )?10\.64\.0\.0\/12 /.exec(line) ?? [];
      if (time !== undefined) this.#changes.push({ atMs: Date.parse(time), present: deleted === undefined });
    });
  }

  async down(): Promise<void> {
    this.#monitor?.kill();
    const existing = await namespaces();
    await Promise.all([this.#router, this.#host].filter((name) => existing.has(name)).map(removeNamespace));
    this.#place.remove();
  }

  async startRouter(): Promise<void> {
    for (const router of nodesOf(TOPOLOGY, "router")) await startRouter(this.#place, TOPOLOGY, router);
    await this.configure("router bgp 65001", `neighbor ${OTHER_HOST} peer-group HA`);
  }

  /** As a router that loses power: its neighbors are not told. */
  async crashRouter(): Promise<void> {
    await ipBatch([`link set ${LINK} down`], this.#router);
    for (const { pid, command } of await processesIn(this.#router)) {
      if (command[0]?.startsWith("/usr/lib/frr/")) kill(pid, "SIGKILL");
    }
    await doIn(this.#router, ["ip", "route", "flush", "proto", "bgp"]);
  }

  async setLink(state: "up" | "down"): Promise<void> {
    await ipBatch([`link set ${LINK} ${state}`], this.#router);
  }

  /** Resolves when the process holds a started advertiser. */
  async start(options: Partial<StandInOptions> = {}): Promise<StandIn> {
    const standIn = new StandIn(
      enter(this.#host, [
        process.execPath,
        PROCESS,
        JSON.stringify({
          runtimeDirectory: join(this.#place.node(LINK).directory, `exabgp-${options.localAs ?? 65011}`),
          localAddress: HOST,
          localAs: 65011,
          neighbors: [{ address: ROUTER, as: 65001 }],
          ...options,
        }),
      ]),
    );
    this.#standIns.add(standIn);
    await standIn.until("the advertiser to be started", (status) => status.speaker !== "stopped");
    return standIn;
  }

  /** ExaBGP for a daemon with `sidecar`, started again whenever it ends. */
  startSidecar(): void {
    const directory = join(this.#place.node(LINK).directory, "exabgp-65011");
    const supervisor = 'while :; do sh "$1" "$2"; sleep 0.1; done';
    const [file, ...args] = enter(this.#host, ["sh", "-c", supervisor, "supervisor", SIDECAR, directory]);
    this.#supervisor = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    // An ExaBGP whose output nobody reads would block.
    for (const output of [this.#supervisor.stdout, this.#supervisor.stderr]) output?.resume();
  }

  async stopSidecar(): Promise<void> {
    this.#supervisor?.kill("SIGKILL");
    this.#supervisor = undefined;
    for (const { pid, command } of await processesIn(this.#host)) {
      if (command.some((word) => word.endsWith("sidecar.sh") || word.endsWith("/exabgp"))) kill(pid, "SIGKILL");
    }
  }

  /** Ends what a test has left running on the host, and waits until the router has forgotten it. */
  async clear(): Promise<void> {
    for (const standIn of this.#standIns) standIn.signal("SIGKILL");
    this.#standIns.clear();
    await this.stopSidecar();
    await waitFor(async () => (await processesIn(this.#host)).length === 0, {
      deadlineMs: 10_000,
      what: "an empty host",
    });
    await this.untilGone();
  }

  /** The latest change to the wanted state after a moment; resolves with the ms between the two. */
  async #until(present: boolean, sinceMs: number, deadlineMs: number): Promise<number> {
    const what = `the router to ${present ? "have" : "lose"} the route`;
    await waitFor(async () => (await this.#installed()).includes(HOST) === present, {
      deadlineMs,
      what,
      intervalMs: 20,
    });
    const change = await waitFor(() => (this.#changes.at(-1)?.present !== present ? undefined : this.#changes.at(-1)), {
      deadlineMs: 1000,
      what: `${what}, as its monitor tells`,
    }).catch(() => undefined);
    return change ? change.atMs - sinceMs : 0;
  }

  /** Deadlines are generous: what is promised to routers is in docs/advertiser.md, what is slow here may be this machine. */
  untilRouted(sinceMs = Date.now(), deadlineMs = 15_000): Promise<number> {
    return this.#until(true, sinceMs, deadlineMs);
  }

  untilGone(sinceMs = Date.now(), deadlineMs = 5_000): Promise<number> {
    return this.#until(false, sinceMs, deadlineMs);
  }

  /** How often the router got or lost the route so far. */
  get changes(): number {
    return this.#changes.length;
  }

  async isRouted(): Promise<boolean> {
    return (await this.#installed()).length > 0;
  }

  /** Where FRR says that it has routed to. */
  async #installed(): Promise<string[]> {
    return installedIn((await this.show(`ip route ${PREFIX}`)) as ZebraRoutes, PREFIX);
  }

  /** An FRR `show` command with JSON output, on the router. */
  async show(command: string): Promise<unknown> {
    const { stdout } = await runIn(this.#router, [...vtysh(this.#place.node("r1").frr), "-c", `show ${command} json`]);
    return JSON.parse(stdout);
  }

  async configure(...commands: string[]): Promise<void> {
    const lines = ["configure terminal", ...commands].flatMap((command) => ["-c", command]);
    await doIn(this.#router, [...vtysh(this.#place.node("r1").frr), ...lines]);
  }

  async signal(part: Part, signal: NodeJS.Signals): Promise<void> {
    kill(await this.pid(part), signal);
  }

  async pid(part: Part): Promise<number> {
    const found = (await processesIn(this.#host)).find(({ command }) =>
      part === "helper"
        ? command[0] === "python3" && command.some((word) => word.endsWith("anyhome_exabgp.py"))
        : command.some((word) => word.endsWith("/exabgp")) && !command.includes("--validate"),
    );
    if (!found) throw new Error(`no ${part} runs`);
    return found.pid;
  }

  async processes(): Promise<string[]> {
    return (await processesIn(this.#host)).map(({ command }) => command.join(" "));
  }
}

/** A process that holds an advertiser. */
export class StandIn {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<number | null>;
  readonly events: { readonly event: string; readonly [field: string]: unknown }[] = [];
  status: AdvertiserStatus | undefined;
  #errors = "";
  #answered: ((status: AdvertiserStatus) => void) | undefined;

  constructor([file, ...args]: readonly [string, ...string[]]) {
    this.#child = spawn(file, args);
    this.exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stderr.on("data", (chunk) => {
      this.#errors += chunk;
    });
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const said = JSON.parse(line);
      if ("status" in said) {
        this.status = said.status;
        if (said.asked) this.#answered?.(said.status);
      } else this.events.push(said);
    });
  }

  set(...wishes: Wish[]): void {
    this.#child.stdin.write(`${JSON.stringify(wishes)}\n`);
  }

  /** The status as it is now, whether or not the advertiser has said that it changed. */
  ask(): Promise<AdvertiserStatus> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#child.stdin.write("status\n");
    });
  }

  stop(): void {
    this.#child.stdin.write("stop\n");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async until(what: string, condition: (status: AdvertiserStatus) => boolean): Promise<void> {
    await waitFor(() => this.status && condition(this.status), { deadlineMs: 20_000, what, intervalMs: 10 }).catch(
      (error) => {
        const seen = JSON.stringify({ status: this.status, events: this.events.slice(-15) }, null, 1);
        throw new Error(`${error.message}; ${seen}\n${this.#errors}`);
      },
    );
  }
}
