/** Drills on a lab of containers. */
import { ChaosLoad, type ChaosLoadSettings } from "../chaos/chaos-load.ts";
import type { DrillLoad, Isolation } from "../drill/drill-lab.ts";
import { type ApiAnswer, LabDrills } from "../drill/lab-drills.ts";
import { RouteWatch } from "../drill/route-watch.ts";
import { LabError } from "../lab-error.ts";
import { cut, type Direction, mend, type Reach } from "../namespaces/segment-cut.ts";
import { attachments, nodeAddress } from "../plan/topology.ts";
import type { ComposeLab } from "./compose-lab.ts";
import { startContainerLoad } from "./container-load.ts";

/** The version of the images that a rolling upgrade goes to. */
const UPGRADE = "upgrade";

const DRAIN_MS = 120_000;

export class ContainerDrillLab extends LabDrills<ComposeLab> {
  readonly traits = { networkEndsWithDaemon: true };

  async watchRoutes(router: string): Promise<RouteWatch> {
    const { docker } = this.lab;
    const words = ["exec", "--interactive", await this.lab.container(router)];
    return RouteWatch.start(["docker", ...words], this.lab.topology.virtualNetwork, docker.environment);
  }

  startLoad(settings: ChaosLoadSettings): Promise<DrillLoad> {
    const start = (node: string, options: readonly string[]) => startContainerLoad(this.lab, node, options);
    return ChaosLoad.startOn(this.lab.topology, settings, start);
  }

  isolate(homeAgent: string, from: Isolation): Promise<number> {
    return from === "all" ? this.lab.disconnect(homeAgent) : cut(this.#others(homeAgent), this.#reach);
  }

  rejoin(homeAgent: string, from: Isolation): Promise<void> {
    return from === "all" ? this.lab.connect(homeAgent) : mend(this.#others(homeAgent), this.#reach);
  }

  /** Both ways to and from each other home agent on the link. */
  #others(name: string): Direction[] {
    const one = this.lab.node(name);
    const [attached] = one.interfaces;
    return attachments(this.lab.topology, attached?.network ?? "").flatMap(({ node, address }) =>
      node === one || node.role !== "home-agent"
        ? []
        : [
            { from: name, to: address },
            { from: node.name, to: nodeAddress(one) },
          ],
    );
  }

  readonly #reach: Reach = {
    json: async (args, node) => {
      const stdout = await this.#ip(node, ["-json", ...args]);
      return stdout === "" ? [] : JSON.parse(stdout);
    },
    batch: async (commands, node) => void (await this.#ip(node, ["-batch", "-"], `${commands.join("\n")}\n`)),
  };

  async #ip(node: string, args: readonly string[], input?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.lab.run(
      node,
      ["ip", ...args],
      input === undefined ? {} : { input },
    );
    if (exitCode !== 0) throw new LabError(`ip ${args.join(" ")} failed on ${node}: ${stderr}`);
    return stdout;
  }

  prepareUpgrade(): Promise<void> {
    return this.lab.buildImages(UPGRADE);
  }

  async upgrade(homeAgent: string, signal: AbortSignal): Promise<void> {
    const { exitCode, stderr } = await this.lab.run(homeAgent, ["anyhome", "drain"], { timeoutMs: DRAIN_MS });
    if (exitCode !== 0) throw new LabError(`${homeAgent} could not be drained: ${stderr}`);
    await this.lab.replace(homeAgent, UPGRADE, signal);
  }

  lose(site: string): Promise<number> {
    return this.lab.killAll([site, ...this.#homeAgentsOf(site)]);
  }

  restore(site: string): Promise<void> {
    return this.lab.start(site);
  }

  #homeAgentsOf(site: string): readonly string[] {
    return this.sites.find(({ name }) => name === site)?.homeAgents ?? [];
  }

  protected ask(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer> {
    return this.lab.ask(homeAgent, method, path);
  }
}
