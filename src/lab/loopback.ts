import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { readiness } from "./home-agent.ts";
import type { RunResult } from "./namespace.ts";
import { ANYHOME_MAIN } from "./place.ts";
import type { Topology } from "./topology.ts";
import { waitFor } from "./wait.ts";

const CLUSTER_PORT = 24_340;
const REGISTRATION_PORT = 24_434;

/** Home agents side by side on the loopback interface: no root, no routers. Who is the ingress is up to who asks. */
export class LoopbackCluster {
  readonly homeAgents: readonly string[] = ["ha1", "ha2", "ha3"];
  readonly directory = mkdtempSync(join(tmpdir(), "anyhome-demo-"));
  readonly #topology: Topology;
  readonly #daemons = new Map<string, ReturnType<typeof startDaemon>>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** Where a home agent takes registrations: `ADDRESS:PORT`. */
  registrationEndpoint(homeAgent: string): string {
    return `127.0.0.1:${REGISTRATION_PORT + this.#index(homeAgent)}`;
  }

  async up(signal: AbortSignal): Promise<void> {
    const config = join(this.directory, "anyhome.yaml");
    writeFileSync(join(this.directory, "secret"), randomBytes(32).toString("hex"), { mode: 0o600 });
    writeFileSync(config, stringify(this.#config()), { mode: 0o600 });
    for (const name of this.homeAgents) {
      this.#daemons.set(name, startDaemon(config, name, join(this.directory, `${name}.log`)));
    }
    await Promise.all(
      this.homeAgents.map((name) =>
        waitFor(async () => (await readiness(this.#socket(name))).ready, {
          deadlineMs: 30_000,
          what: `${name} to be ready`,
          signal,
        }),
      ),
    );
  }

  /** Runs an `anyhome` command that speaks to one home agent. */
  async anyhome(homeAgent: string, args: readonly string[]): Promise<RunResult> {
    const env = { ANYHOME_SOCKET: this.#socket(homeAgent) };
    const ended = await execa(process.execPath, [ANYHOME_MAIN, ...args], { env, reject: false });
    const { stdout, stderr, exitCode } = ended;
    return { stdout, stderr, exitCode };
  }

  async kill(homeAgent: string): Promise<void> {
    const daemon = this.#daemons.get(homeAgent);
    this.#daemons.delete(homeAgent);
    daemon?.kill("SIGKILL");
    await daemon;
  }

  async down(): Promise<void> {
    await Promise.all([...this.#daemons.keys()].map((name) => this.kill(name)));
    rmSync(this.directory, { recursive: true, force: true });
  }

  #config() {
    return {
      cluster: "demo",
      "secret-file": "secret",
      "virtual-network": this.#topology.virtualNetwork,
      "virtual-address": this.#topology.virtualAddress,
      "manage-address": false,
      "data-directory": "{node}",
      "control-socket": "{node}.sock",
      members: this.homeAgents.map((id) => ({
        id,
        address: "127.0.0.1",
        port: CLUSTER_PORT + this.#index(id),
        listen: this.registrationEndpoint(id),
      })),
      "security-associations": {
        mobiles: this.#topology.associations.map(({ mobiles, ...association }) => ({ ...mobiles, ...association })),
      },
      advertiser: { type: "none" },
    };
  }

  #index(homeAgent: string): number {
    return this.homeAgents.indexOf(homeAgent);
  }

  #socket(homeAgent: string): string {
    return join(this.directory, `${homeAgent}.sock`);
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
