import { monitorEventLoopDelay } from "node:perf_hooks";

/** A finer resolution would wake up an idle process more often than everything else together. */
const RESOLUTION_MS = 50;
const NANOSECONDS_PER_MS = 1e6;

/** Measures how long the event loop has kept others waiting since the last look. */
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
