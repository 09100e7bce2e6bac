/**
 * Loads a configuration on a thread of its own: with a hundred thousand security associations it takes seconds, in which the
 * daemon must not stand still. They come over in portions, and only if they aren't those that are known already.
 */

import { Worker } from "node:worker_threads";
import { entryFile } from "../adapters/kernel/entry-file.ts";
import type { ForeignAgentAssociation, MobileAssociation } from "../core/auth/association.ts";
import type { Overrides } from "./check.ts";
import type { Config } from "./config.ts";
import type { LoadedConfig } from "./load.ts";
import { ConfigError, type ConfigProblem } from "./problem.ts";

export interface LoadOrder {
  readonly file: string;
  readonly overrides: Overrides;
  /** Of the associations that the daemon has. */
  readonly known: string;
}

export type AssociationPage = Pick<Config, "mobileAssociations" | "foreignAgentAssociations">;

export type LoadReport =
  | { readonly type: "invalid"; readonly problems: readonly ConfigProblem[] }
  /** With no associations in it: they follow, one page for each `next`, unless they are known. */
  | { readonly type: "loaded"; readonly loaded: LoadedConfig; readonly known: boolean }
  | { readonly type: "page"; readonly page: AssociationPage; readonly last: boolean };

const ENTRY = entryFile(new URL("./load-worker.ts", import.meta.url));

/** Rejects with a ConfigError that has everything that is wrong. */
export function loadInBackground(file: string, overrides: Overrides, running: LoadedConfig): Promise<LoadedConfig> {
  const order: LoadOrder = { file, overrides, known: running.written.associations.fingerprint };
  const worker = new Worker(ENTRY, { name: "configuration loader", workerData: order });
  const mobiles: MobileAssociation[] = [];
  const foreignAgents: ForeignAgentAssociation[] = [];
  let loaded: LoadedConfig | undefined;
  return new Promise((resolve, reject) => {
    worker.on("message", (report: LoadReport) => {
      if (report.type === "invalid") reject(new ConfigError(report.problems));
      else if (report.type === "page") {
        for (const association of report.page.mobileAssociations) mobiles.push(association);
        for (const association of report.page.foreignAgentAssociations) foreignAgents.push(association);
        if (report.last && loaded !== undefined) resolve(withAssociations(loaded, mobiles, foreignAgents));
        else worker.postMessage("next");
      } else {
        loaded = report.loaded;
        const { mobileAssociations, foreignAgentAssociations } = running.config;
        if (report.known) resolve(withAssociations(loaded, mobileAssociations, foreignAgentAssociations));
        else worker.postMessage("next");
      }
    });
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("the thread that loads the configuration has ended")));
  }).finally(() => worker.terminate()) as Promise<LoadedConfig>;
}

function withAssociations(
  loaded: LoadedConfig,
  mobileAssociations: Config["mobileAssociations"],
  foreignAgentAssociations: Config["foreignAgentAssociations"],
): LoadedConfig {
  return { ...loaded, config: { ...loaded.config, mobileAssociations, foreignAgentAssociations } };
}
