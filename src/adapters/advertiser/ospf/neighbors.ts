import type { EventLog } from "../../telemetry/log.ts";
import type { NeighborStatus } from "../advertiser.ts";
import type { OspfNeighbor } from "./link-state.ts";

/** A router that is gone for this long has been removed. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** Tracks changes of OSPF's neighbors, as ospfd only reports those that are there. */
export class Neighbors {
  readonly #log: EventLog;
  #known = new Map<string, NeighborStatus>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  get status(): readonly NeighborStatus[] {
    return [...this.#known.values()];
  }

  update(neighbors: readonly OspfNeighbor[], nowMs: number): void {
    const before = this.#known;
    this.#known = new Map();
    for (const { address, state } of neighbors) {
      // Two routers that are neither designated router nor its backup stay in this state, RFC 2328 10.4.
      if (state === "2-Way") continue;
      this.#put(before.get(address), address, state === "Full" ? "up" : "connected", nowMs, state);
    }
    for (const [address, status] of before) {
      const isGone = !neighbors.some((neighbor) => neighbor.address === address);
      if (isGone && (status.state !== "down" || nowMs - status.sinceMs < FORGOTTEN_AFTER_MS)) {
        this.#put(status, address, "down", nowMs, "no hello within the dead interval");
      }
    }
  }

  #put(
    before: NeighborStatus | undefined,
    address: string,
    state: NeighborStatus["state"],
    nowMs: number,
    why: string,
  ) {
    const reason = state === "up" ? {} : { reason: why };
    if (before?.state === state) {
      this.#known.set(address, { ...before, ...reason });
      return;
    }
    this.#known.set(address, { address, state, sinceMs: nowMs, ...reason });
    if (state === "up") this.#log.event("neighbor-up", { neighbor: address });
    else if (before?.state === "up") this.#log.event("neighbor-down", { neighbor: address, ...reason });
  }
}
