import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;
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
