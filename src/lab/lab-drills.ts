/** What drills do the same way on every kind of lab: by the API and the command line of home agents. */
import { routesView } from "../api/schema.ts";
import { listingsOf, untilRecovered } from "./chaos.ts";
import type { ChaosLoadSettings } from "./chaos-load.ts";
import type { DrillHomeAgent, DrillLab, DrillLoad, DrillProcess, Isolation } from "./drill-lab.ts";
import { LabError } from "./lab-error.ts";
import type { LabOperations } from "./operations.ts";
import type { RouteWatch } from "./route-watch.ts";
import { attachments, nodeAddress, nodesOf } from "./topology.ts";
import { waitFor } from "./wait.ts";

const ROUTED_MS = 90_000;
/** The detection time of a session whose sides send once a second. */
const SLOW_MS = 3000;

/** What the API answered, and when it was asked, epoch ms. */
export interface ApiAnswer {
  readonly askedAtMs: number;
  readonly statusCode: number;
  readonly body: unknown;
}

export abstract class LabDrills<L extends LabOperations> implements DrillLab {
  readonly homeAgents: readonly DrillHomeAgent[];
  protected readonly lab: L;
  /** Beside the first home agent. */
  protected readonly router: string;

  constructor(lab: L) {
    this.lab = lab;
    const homeAgents = nodesOf(lab.topology, "home-agent");
    this.homeAgents = homeAgents.map((node) => ({ name: node.name, address: nodeAddress(node) }));
    const network = homeAgents[0]?.interfaces[0]?.network ?? "";
    const router = attachments(lab.topology, network).find(({ node }) => node.role === "router");
    if (router === undefined) throw new LabError("the lab has no router beside its home agents");
    this.router = router.node.name;
  }

  abstract readonly traits: DrillLab["traits"];
  abstract watchRoutes(): Promise<RouteWatch>;
  abstract startLoad(settings: ChaosLoadSettings): Promise<DrillLoad>;
  abstract isolate(homeAgent: string, from: Isolation): Promise<number>;
  abstract rejoin(homeAgent: string, from: Isolation): Promise<void>;
  /** By the API itself: a command would take longer to start than what is measured. */
  protected abstract ask(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer>;

  async hasBfd(): Promise<boolean> {
    const speaking = new Set((await this.#bfdSessions()).map(({ homeAgent }) => homeAgent));
    return speaking.size === this.homeAgents.length;
  }

  async untilWhole(signal: AbortSignal): Promise<void> {
    await untilRecovered(this.lab, signal);
    await this.#until(`${this.router} to route to all home agents`, signal, async () => {
      const nextHops = await this.lab.nextHops(this.router);
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

  signal(homeAgent: string, process: DrillProcess, signal: NodeJS.Signals): Promise<number> {
    return this.lab.kill(homeAgent, process, signal);
  }

  drain(homeAgent: string): Promise<number> {
    return this.#order(homeAgent, "drain");
  }

  async undrain(homeAgent: string): Promise<void> {
    await this.#order(homeAgent, "undrain");
  }

  listings(homeAgents: readonly string[]): ReturnType<DrillLab["listings"]> {
    return listingsOf(this.lab, homeAgents);
  }

  async #bfdSessions() {
    const views = this.homeAgents.map(async ({ name }) => {
      const { body } = await this.#mustAnswer(name, "GET", "/v1/routes");
      return routesView.parse(body).bfd.map((session) => ({ homeAgent: name, ...session }));
    });
    return (await Promise.all(views)).flat();
  }

  async #order(homeAgent: string, order: "drain" | "undrain"): Promise<number> {
    return (await this.#mustAnswer(homeAgent, "POST", `/v1/${order}`)).askedAtMs;
  }

  async #mustAnswer(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer> {
    const answer = await this.ask(homeAgent, method, path);
    if (answer.statusCode === 200) return answer;
    throw new LabError(`${homeAgent} answers ${answer.statusCode} to ${method} ${path}`);
  }
}
