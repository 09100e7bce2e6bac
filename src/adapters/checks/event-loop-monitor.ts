import { monitorEventLoopDelay } from "node:perf_hooks";

/** A finer one would wake an idle process up more often than everything else. */
const RESOLUTION_MS = 50;
const NANOSECONDS_PER_MS = 1e6;

/** How long the event loop kept others waiting since the last look. */
export class EventLoopMonitor {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.#histogram.enable();
  }

  /** The longest delay since the last call; ms. */
  takeMaximumMs(): number {
    const maximumMs = this.#histogram.max / NANOSECONDS_PER_MS - RESOLUTION_MS;
    this.#histogram.reset();
    return Math.max(maximumMs, 0);
  }

  stop(): void {
    this.#histogram.disable();
  }
}
