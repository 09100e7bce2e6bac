/** What drills do the same way on every kind of lab: by the API and the command line of home agents. */
import { peersView } from "../../adapters/api/members.ts";
import { routesView } from "../../adapters/api/routes.ts";
import { listingsOf } from "../chaos/chaos.ts";
import type { ChaosLoadSettings } from "../chaos/chaos-load.ts";
import { LabError } from "../lab-error.ts";
import type { LabOperations } from "../operations.ts";
import { waitFor } from "../wait.ts";
import type { DrillLab, DrillLoad, DrillProcess, DrillTarget, Isolation } from "./drill-lab.ts";
import { homeAgentsOf, sitesOf } from "./drill-targets.ts";
import type { RouteWatch } from "./route-watch.ts";

const WHOLE_MS = 90_000;
/** The detection time of a session whose sides send once a second. */
const SLOW_MS = 3000;

/** What the API answered, and when it was asked, epoch ms. */
export interface ApiAnswer {
  readonly askedAtMs: number;
  readonly statusCode: number;
  readonly body: unknown;
}

export abstract class LabDrills<L extends LabOperations> implements DrillLab {
  readonly homeAgents: readonly DrillTarget[];
  readonly sites: readonly DrillTarget[];
  protected readonly lab: L;

  constructor(lab: L) {
    this.lab = lab;
    this.homeAgents = homeAgentsOf(lab.topology);
    this.sites = sitesOf(lab.topology);
  }

  abstract readonly traits: DrillLab["traits"];
  abstract watchRoutes(router: string): Promise<RouteWatch>;
  abstract startLoad(settings: ChaosLoadSettings): Promise<DrillLoad>;
  abstract isolate(homeAgent: string, from: Isolation): Promise<number>;
  abstract rejoin(homeAgent: string, from: Isolation): Promise<void>;
  abstract prepareUpgrade(): Promise<void>;
  abstract upgrade(homeAgent: string, signal: AbortSignal): Promise<void>;
  abstract lose(site: string): Promise<number>;
  abstract restore(site: string): Promise<void>;
  /** By the API itself: a command would take longer to start than what is measured. */
  protected abstract ask(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer>;

  async hasBfd(): Promise<boolean> {
    const speaking = new Set((await this.#bfdSessions()).map(({ homeAgent }) => homeAgent));
    return speaking.size === this.homeAgents.length;
  }

  async untilWhole(signal: AbortSignal): Promise<void> {
    await Promise.all(this.homeAgents.map(({ name }) => this.lab.start(name, signal)));
    await this.#until("all home agents to hear each other and to replicate", signal, async () => {
      const found = this.homeAgents.map(async ({ name }) => {
        const { body } = await this.#mustAnswer(name, "GET", "/v1/peers");
        return peersView
          .parse(body)
          .filter(({ state }) => state !== "self")
          .filter(({ state, replication }) => state !== "alive" || replication?.state !== "streaming")
          .map(({ id, state, replication }) => `${name} has ${id} as ${state}, ${replication?.state}`);
      });
      return (await Promise.all(found)).flat();
    });
    const targets = Map.groupBy([...this.homeAgents, ...this.sites], ({ router }) => router);
    for (const [router, wanted] of targets) {
      await this.#until(`${router} to route to all that it should`, signal, async () => {
        const nextHops = await this.lab.nextHops(router);
        const missing = wanted.filter(({ address }) => !nextHops.includes(address));
        return missing.map(({ name }) => `${name} is missing`);
      });
    }
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
      { deadlineMs: WHOLE_MS, what, intervalMs: 500, signal },
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
