/** How the worker thread knows that the main thread's event loop turns: a counter in memory that both share. */

/** In a heartbeat timeout the main thread beats so often, and the worker looks so often. */
export const BEATS_PER_TIMEOUT = 8;

export type SharedHeartbeat = Int32Array<SharedArrayBuffer>;

export function makeHeartbeat(): SharedHeartbeat {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

export function beat(heartbeat: SharedHeartbeat): void {
  Atomics.add(heartbeat, 0, 1);
}

export function beatsOf(heartbeat: SharedHeartbeat): number {
  return Atomics.load(heartbeat, 0);
}

/**
 * Looks, not time, are counted: a process that was stopped as a whole and goes on is as late here as there, and its main
 * thread is not taken for dead because of that.
 */
export class HeartbeatWatch {
  #beats: number | undefined;
  #missed = 0;

  /** Whether the main thread is alive. With the last look of a timeout it isn't any more: it has stood still all the time. */
  look(beats: number): boolean {
    this.#missed = beats === this.#beats ? this.#missed + 1 : 0;
    this.#beats = beats;
    return this.#missed < BEATS_PER_TIMEOUT - 1;
  }
}
