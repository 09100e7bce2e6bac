/** The thread of background-load.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { LoadOrder, LoadReport } from "./background-load.ts";
import { loadConfig } from "./load.ts";
import { ConfigError } from "./problem.ts";

/** Small enough that the daemon's event loop isn't held up by any. */
const PAGE = 1000;

const { file, overrides, known } = workerData as LoadOrder;

function* reports(): Generator<LoadReport> {
  try {
    const loaded = loadConfig(file, overrides);
    const { mobileAssociations, foreignAgentAssociations } = loaded.config;
    const config = { ...loaded.config, mobileAssociations: [], foreignAgentAssociations: [] };
    yield {
      type: "loaded",
      loaded: { ...loaded, config },
      known: loaded.written.associations.fingerprint === known,
    };
    const length = Math.max(mobileAssociations.length, foreignAgentAssociations.length);
    for (let start = 0; start === 0 || start < length; start += PAGE) {
      const end = start + PAGE;
      const page = {
        mobileAssociations: mobileAssociations.slice(start, end),
        foreignAgentAssociations: foreignAgentAssociations.slice(start, end),
      };
      yield { type: "page", page, last: end >= length };
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    yield { type: "invalid", problems: error.problems };
  }
}

const queue = reports();
function report(): void {
  const next = queue.next();
  if (!next.done) parentPort?.postMessage(next.value);
}
parentPort?.on("message", report);
report();
