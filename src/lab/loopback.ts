import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { runCommand } from "../adapters/kernel/command.ts";
import { freeUdpPorts } from "./free-port.ts";
import { untilReady } from "./home-agent.ts";
import type { RunResult } from "./namespaces/namespace.ts";
import { ANYHOME_MAIN } from "./place.ts";
import { nodesOf, type Topology } from "./plan/topology.ts";

const READY_MS = 30_000;

/** Home agents side by side on the loopback interface: no root, no routers. Who is the ingress is up to who asks. */
export class LoopbackCluster {
  readonly homeAgents: readonly string[];
  readonly #topology: Topology;
  readonly #directory = mkdtempSync(join(tmpdir(), "anyhome-loopback-"));
  readonly #registrationPorts = new Map<string, number>();
  readonly #daemons = new Map<string, ReturnType<typeof startDaemon>>();

  constructor(topology: Topology) {
    this.#topology = topology;
    this.homeAgents = nodesOf(topology, "home-agent").map(({ name }) => name);
  }

  /** Where a home agent takes registrations: `ADDRESS:PORT`. */
  registrationEndpoint(homeAgent: string): string {
    return `127.0.0.1:${this.#registrationPorts.get(homeAgent)}`;
  }

  dataDirectory(homeAgent: string): string {
    return join(this.#directory, homeAgent);
  }

  controlSocket(homeAgent: string): string {
    return join(this.#directory, `${homeAgent}.sock`);
  }

  /** Of the daemons that run. */
  get processIds(): number[] {
    return [...this.#daemons.values()].flatMap(({ pid }) => pid ?? []);
  }

  /** @throws LabError when it doesn't come up */
  async up(signal: AbortSignal): Promise<void> {
    const ports = await freeUdpPorts(2 * this.homeAgents.length);
    for (const name of this.homeAgents) this.#registrationPorts.set(name, ports.pop() ?? 0);
    const clusterPorts = new Map(this.homeAgents.map((name) => [name, ports.pop() ?? 0]));

    const config = join(this.#directory, "anyhome.yaml");
    writeFileSync(join(this.#directory, "secret"), randomBytes(32).toString("hex"), { mode: 0o600 });
    writeFileSync(config, stringify(this.#config(clusterPorts)), { mode: 0o600 });
    await Promise.all(
      this.homeAgents.map((name) => {
        const log = join(this.#directory, `${name}.log`);
        const daemon = startDaemon(config, name, log);
        this.#daemons.set(name, daemon);
        return untilReady(
          { name, pid: daemon.pid ?? 0, controlSocket: this.controlSocket(name), log },
          READY_MS,
          signal,
        );
      }),
    );
  }

  /** Runs an `anyhome` command that speaks to one home agent. */
  async anyhome(homeAgent: string, args: readonly string[]): Promise<RunResult> {
    const env = { ...process.env, ANYHOME_SOCKET: this.controlSocket(homeAgent) };
    return await runCommand([process.execPath, ANYHOME_MAIN, ...args], { env });
  }

  async kill(homeAgent: string): Promise<void> {
    const daemon = this.#daemons.get(homeAgent);
    this.#daemons.delete(homeAgent);
    daemon?.kill("SIGKILL");
    await daemon;
  }

  async down(): Promise<void> {
    await Promise.all([...this.#daemons.keys()].map((name) => this.kill(name)));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #config(clusterPorts: ReadonlyMap<string, number>) {
    return {
      cluster: "loopback",
      "secret-file": "secret",
      "virtual-network": this.#topology.virtualNetwork,
      "virtual-address": this.#topology.virtualAddress,
      "manage-address": false,
      "data-directory": "{node}",
      "control-socket": "{node}.sock",
      members: this.homeAgents.map((id) => ({
        id,
        address: "127.0.0.1",
        port: clusterPorts.get(id),
        listen: this.registrationEndpoint(id),
      })),
      "security-associations": {
        mobiles: this.#topology.associations.map(({ mobiles, ...association }) => ({ ...mobiles, ...association })),
      },
      advertiser: { type: "none" },
    };
  }
}

function startDaemon(config: string, name: string, log: string) {
  const output = { file: log };
  return execa(process.execPath, [ANYHOME_MAIN, "run", "--config", config, "--node", name], {
    stdout: output,
    stderr: output,
    reject: false,
  });
}
