import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Lab } from "./lab.ts";
import { LabError } from "./lab-error.ts";
import { isRunning, kill } from "./namespace.ts";
import { nodesOf } from "./topology.ts";
import { waitFor } from "./wait.ts";

export interface ChaosLoadSettings {
  /** Behind each foreign agent. */
  readonly mobiles: number;
  /** Of all foreign agents together. */
  readonly registrationsPerSecond: number;
  readonly lifetimeSeconds: number;
  /** Requests for a registration, a second apart; usually 1, after which it is given up in 5 s. */
  readonly tries?: number;
}

/** What came of the load from one foreign agent's site. */
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
const TITLE = "chaos-load";
/** Answers to requests under way are waited for. */
const ANSWERS_MS = 20_000;

/** Registrations from the sites of all foreign agents, until they are stopped. */
export class ChaosLoad {
  readonly logs: readonly string[];
  /** Of all sites. */
  readonly mobiles: number;
  readonly #lab: Lab;
  #running: readonly { readonly node: string; readonly pid: number }[];

  constructor(lab: Lab, { mobiles, registrationsPerSecond, lifetimeSeconds, tries }: ChaosLoadSettings) {
    this.#lab = lab;
    const sites = nodesOf(lab.topology, "foreign-agent").map(({ name }, index) => ({
      node: name,
      firstHomeAddress: SITES[index] ?? "",
      log: join(lab.place.node(name).directory, "accepted.ndjson"),
    }));
    this.mobiles = mobiles * sites.length;
    this.logs = sites.map(({ log }) => log);
    const rate = registrationsPerSecond / sites.length;
    this.#running = sites.map(({ node, firstHomeAddress, log }) => {
      rmSync(log, { force: true });
      rmSync(lab.place.node(node).log(TITLE), { force: true });
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
        ["--log", log],
        ["--output", "json"],
      ];
      return { node, pid: lab.spawn(node, ["anyhome", "mn", "load", ...options.flat().map(String)], TITLE) };
    });
  }

  /** Throws a LabError where a load has ended by itself. */
  mustRun(): void {
    for (const { node, pid } of this.#running) {
      if (!isRunning(pid)) throw new LabError(`the load on ${node} has ended\n${this.#output(node)}`);
    }
  }

  /** Ends the load once its requests are answered or given up; reports by node. */
  async stop(): Promise<Record<string, ChaosLoadReport>> {
    for (const { pid } of this.#running) kill(pid, "SIGTERM");
    await waitFor(() => !this.#running.some(({ pid }) => isRunning(pid)), {
      deadlineMs: ANSWERS_MS,
      what: "the load to end",
    });
    const ended = this.#running;
    this.#running = [];
    return Object.fromEntries(ended.map(({ node }) => [node, this.#report(node)]));
  }

  #report(node: string): ChaosLoadReport {
    const output = this.#output(node);
    // Progress goes to the same file.
    const json = /^\{\n[\s\S]*?^\}$/m.exec(output)?.[0];
    if (json === undefined) throw new LabError(`the load on ${node} has reported nothing\n${output.slice(-2000)}`);
    return loadReport.parse(JSON.parse(json));
  }

  #output(node: string): string {
    return readFileSync(this.#lab.place.node(node).log(TITLE), "utf8");
  }

  /** Ends at once what still runs, whatever is under way. */
  abandon(): void {
    for (const { pid } of this.#running) kill(pid, "SIGKILL");
  }
}
