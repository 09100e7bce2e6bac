/** Drills on a lab of network namespaces. */
import { Agent, request } from "undici";
import { routesView } from "../api/schema.ts";
import { listingsOf, untilRecovered } from "./chaos.ts";
import { directions } from "./chaos-faults.ts";
import { ChaosLoad, type ChaosLoadSettings } from "./chaos-load.ts";
import type { DrillHomeAgent, DrillLab, DrillLoad, DrillProcess, Isolation } from "./drill-lab.ts";
import type { Lab } from "./lab.ts";
import { LabError } from "./lab-error.ts";
import { enter } from "./namespace.ts";
import { RouteWatch } from "./route-watch.ts";
import { cut, mend } from "./segment-cut.ts";
import { attachments, nodeAddress, nodesOf } from "./topology.ts";
import { waitFor } from "./wait.ts";

const ROUTED_MS = 90_000;
const FAULT_OF = { all: "cut-off", "home-agents": "partition" } as const satisfies Record<Isolation, string>;
/** The detection time of a session whose sides send once a second. */
const SLOW_MS = 3000;

export class NamespaceDrillLab implements DrillLab {
  readonly homeAgents: readonly DrillHomeAgent[];
  readonly #lab: Lab;
  readonly #router: string;

  constructor(lab: Lab) {
    this.#lab = lab;
    const homeAgents = nodesOf(lab.topology, "home-agent");
    this.homeAgents = homeAgents.map((node) => ({ name: node.name, address: nodeAddress(node) }));
    const network = homeAgents[0]?.interfaces[0]?.network ?? "";
    const router = attachments(lab.topology, network).find(({ node }) => node.role === "router");
    if (router === undefined) throw new LabError("the lab has no router beside its home agents");
    this.#router = router.node.name;
  }

  async hasBfd(): Promise<boolean> {
    const speaking = new Set((await this.#bfdSessions()).map(({ homeAgent }) => homeAgent));
    return speaking.size === this.homeAgents.length;
  }

  async untilWhole(signal: AbortSignal): Promise<void> {
    await untilRecovered(this.#lab, signal);
    await this.#until(`${this.#router} to route to all home agents`, signal, async () => {
      const nextHops = await this.#lab.nextHops(this.#router);
      const missing = this.homeAgents.filter(({ address }) => !nextHops.includes(address));
      return missing.map(({ name }) => `${name} is missing`);
    });
    // With fast timers on both sides: a first second of slow ones would be measured with the drill.
    await this.#until("the BFD sessions of all home agents", signal, async () => {
      const sessions = await this.#bfdSessions();
      return sessions
        .filter(({ state, detectionTimeMs }) => state !== "up" || (detectionTimeMs ?? SLOW_MS) >= SLOW_MS)
        .map(
          ({ homeAgent, state, detectionTimeMs, reason }) => `${homeAgent} ${state}, ${detectionTimeMs} ms, ${reason}`,
        );
    });
  }

  /** Waits until there is nothing left to wait for. */
  async #until(what: string, signal: AbortSignal, missing: () => Promise<readonly string[]>): Promise<void> {
    let last: readonly string[] = [];
    await waitFor(
      async () => {
        last = await missing();
        return last.length === 0;
      },
      { deadlineMs: ROUTED_MS, what, intervalMs: 200, signal },
    ).catch((error) => {
      signal.throwIfAborted();
      throw new LabError(`${error.message}: ${[...last, error.cause?.message ?? ""].join("; ")}`, { cause: error });
    });
  }

  watchRoutes(): Promise<RouteWatch> {
    const namespace = this.#lab.place.namespace(this.#router);
    return RouteWatch.start(enter(namespace, []), this.#lab.topology.virtualNetwork);
  }

  startLoad(settings: ChaosLoadSettings): DrillLoad {
    return new ChaosLoad(this.#lab, settings);
  }

  signal(homeAgent: string, process: DrillProcess, signal: NodeJS.Signals): Promise<number> {
    return this.#lab.kill(homeAgent, process, signal);
  }

  drain(homeAgent: string): Promise<number> {
    return this.#order(homeAgent, "drain");
  }

  async undrain(homeAgent: string): Promise<void> {
    await this.#order(homeAgent, "undrain");
  }

  isolate(homeAgent: string, from: Isolation): Promise<number> {
    return cut(directions(this.#lab, FAULT_OF[from], homeAgent));
  }

  rejoin(homeAgent: string, from: Isolation): Promise<void> {
    return mend(directions(this.#lab, FAULT_OF[from], homeAgent));
  }

  listings(homeAgents: readonly string[]): ReturnType<DrillLab["listings"]> {
    return listingsOf(this.#lab, homeAgents);
  }

  async #bfdSessions() {
    const views = this.homeAgents.map(async ({ name }) => {
      const { answer } = await this.#request(name, "GET", "/v1/routes");
      return routesView.parse(answer).bfd.map((session) => ({ homeAgent: name, ...session }));
    });
    return (await Promise.all(views)).flat();
  }

  async #order(homeAgent: string, order: "drain" | "undrain"): Promise<number> {
    return (await this.#request(homeAgent, "POST", `/v1/${order}`)).askedAtMs;
  }

  /** By the API itself: a command would take longer to start than what is measured. */
  async #request(homeAgent: string, method: "GET" | "POST", path: string) {
    const dispatcher = new Agent({ connect: { socketPath: this.#lab.place.node(homeAgent).controlSocket } });
    try {
      const askedAtMs = Date.now();
      const { statusCode, body } = await request(`http://localhost${path}`, { dispatcher, method });
      const answer: unknown = await body.json();
      if (statusCode !== 200) throw new LabError(`${homeAgent} answers ${statusCode} to ${method} ${path}`);
      return { askedAtMs, answer };
    } finally {
      await dispatcher.destroy();
    }
  }
}
