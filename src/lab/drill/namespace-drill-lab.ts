/** Drills on a lab of network namespaces. */
import { Agent, request } from "undici";
import { directions } from "../chaos/chaos-faults.ts";
import { ChaosLoad, type ChaosLoadSettings } from "../chaos/chaos-load.ts";
import { LabError } from "../lab-error.ts";
import type { Lab } from "../namespaces/lab.ts";
import { enter } from "../namespaces/namespace.ts";
import { cut, mend } from "../namespaces/segment-cut.ts";
import type { DrillLoad, Isolation } from "./drill-lab.ts";
import { type ApiAnswer, LabDrills } from "./lab-drills.ts";
import { RouteWatch } from "./route-watch.ts";

const FAULT_OF = { all: "cut-off", "home-agents": "partition" } as const satisfies Record<Isolation, string>;

export class NamespaceDrillLab extends LabDrills<Lab> {
  readonly traits = { networkEndsWithDaemon: false };

  watchRoutes(router: string): Promise<RouteWatch> {
    return RouteWatch.start(enter(this.lab.place.namespace(router), []), this.lab.topology.virtualNetwork);
  }

  startLoad(settings: ChaosLoadSettings): Promise<DrillLoad> {
    return ChaosLoad.start(this.lab, settings);
  }

  isolate(homeAgent: string, from: Isolation): Promise<number> {
    return cut(directions(this.lab, FAULT_OF[from], homeAgent));
  }

  rejoin(homeAgent: string, from: Isolation): Promise<void> {
    return mend(directions(this.lab, FAULT_OF[from], homeAgent));
  }

  prepareUpgrade(): Promise<void> {
    return onContainersOnly();
  }

  upgrade(): Promise<void> {
    return onContainersOnly();
  }

  lose(): Promise<number> {
    return onContainersOnly();
  }

  restore(): Promise<void> {
    return onContainersOnly();
  }

  protected async ask(homeAgent: string, method: "GET" | "POST", path: string): Promise<ApiAnswer> {
    const dispatcher = new Agent({ connect: { socketPath: this.lab.place.node(homeAgent).controlSocket } });
    try {
      const askedAtMs = Date.now();
      const { statusCode, body } = await request(`http://localhost${path}`, { dispatcher, method });
      return { askedAtMs, statusCode, body: await body.json() };
    } finally {
      await dispatcher.destroy();
    }
  }
}

function onContainersOnly(): Promise<never> {
  return Promise.reject(new LabError("this drill needs a lab of containers"));
}
