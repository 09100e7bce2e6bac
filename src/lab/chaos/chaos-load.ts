import { z } from "zod";
import { LabError } from "../lab-error.ts";
import { type SiteLoad, startNamespaceLoad } from "../load/site-load.ts";
import type { Lab } from "../namespaces/lab.ts";
import { nodesOf, type Topology } from "../plan/topology.ts";
import { waitFor } from "../wait.ts";

export interface ChaosLoadSettings {
  /** Behind each foreign agent. */
  readonly mobiles: number;
  /** Of all foreign agents together. */
  readonly registrationsPerSecond: number;
  readonly lifetimeSeconds: number;
  /** Requests for a registration, a second apart; usually 1, after which it is given up in 5 s. */
  readonly tries?: number;
}

/** The result of the load from the site of one foreign agent. */
const loadReport = z.object({
  sent: z.number(),
  repeated: z.number(),
  accepted: z.number(),
  denied: z.record(z.string(), z.number()),
  unanswered: z.number(),
  durationSeconds: z.number(),
  acceptedPerSecond: z.number(),
});
export type ChaosLoadReport = z.infer<typeof loadReport>;

/** Each foreign agent's site has home addresses of its own. */
const SITES = ["10.64.1.0", "10.68.0.0", "10.72.0.0"] as const;
/** Ended by us, not by time. */
const LONG_SECONDS = 1_000_000;
/** Answers to outstanding requests are still awaited. */
const ANSWERS_MS = 20_000;

interface Site {
  readonly node: string;
  readonly load: SiteLoad;
}

/** Registrations from the sites of all foreign agents, until they are stopped. */
export class ChaosLoad {
  readonly logs: readonly string[];
  /** Of all sites. */
  readonly mobiles: number;
  #running: readonly Site[];

  private constructor(sites: readonly Site[], mobiles: number) {
    this.logs = sites.map(({ load }) => load.log);
    this.mobiles = mobiles * sites.length;
    this.#running = sites;
  }

  /** On a lab of network namespaces. */
  static start(lab: Lab, settings: ChaosLoadSettings): Promise<ChaosLoad> {
    return ChaosLoad.startOn(lab.topology, settings, (node, options) => startNamespaceLoad(lab, node, options));
  }

  /** @param start begins the load of a site */
  static async startOn(
    topology: Topology,
    settings: ChaosLoadSettings,
    start: (node: string, options: readonly string[]) => SiteLoad | Promise<SiteLoad>,
  ): Promise<ChaosLoad> {
    const nodes = nodesOf(topology, "foreign-agent").map(({ name }) => name);
    const rate = settings.registrationsPerSecond / nodes.length;
    const sites = nodes.map(async (node, index) => ({
      node,
      load: await start(node, optionsOf(settings, SITES[index] ?? "", rate)),
    }));
    return new ChaosLoad(await Promise.all(sites), settings.mobiles);
  }

  /** Throws a LabError where a load has ended by itself. */
  mustRun(): void {
    for (const { node, load } of this.#running) {
      if (!load.isRunning()) throw new LabError(`the load on ${node} has ended\n${load.output()}`);
    }
  }

  /** Ends the load once its requests are answered or given up; reports by node. */
  async stop(): Promise<Record<string, ChaosLoadReport>> {
    for (const { load } of this.#running) load.stop();
    await waitFor(() => !this.#running.some(({ load }) => load.isRunning()), {
      deadlineMs: ANSWERS_MS,
      what: "the load to end",
    });
    const ended = this.#running;
    this.#running = [];
    return Object.fromEntries(ended.map(({ node, load }) => [node, reportIn(load.output(), node)]));
  }

  /** Ends at once what still runs, whatever is under way. */
  abandon(): void {
    for (const { load } of this.#running) load.abandon();
  }
}

/** Of `anyhome mn load`, but for its log. */
function optionsOf(
  { mobiles, lifetimeSeconds, tries }: ChaosLoadSettings,
  firstHomeAddress: string,
  rate: number,
): string[] {
  const options: [string, string | number][] = [
    ["--mobiles", mobiles],
    ["--first-home-address", firstHomeAddress],
    ["--rate", rate],
    ["--duration", LONG_SECONDS],
    ["--window", Math.max(256, Math.ceil(rate))],
    ["--lifetime", lifetimeSeconds],
    ...(tries === undefined
      ? []
      : ([
          ["--tries", tries],
          ["--timeout", 1],
        ] satisfies [string, number][])),
    ["--output", "json"],
  ];
  return options.flat().map(String);
}

function reportIn(output: string, node: string): ChaosLoadReport {
  // Progress goes to the same file.
  const json = /^\{\n[\s\S]*?^\}$/m.exec(output)?.[0];
  if (json === undefined) throw new LabError(`the load on ${node} has reported nothing\n${output.slice(-2000)}`);
  return loadReport.parse(JSON.parse(json));
}
