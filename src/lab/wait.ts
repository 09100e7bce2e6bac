import { setTimeout as delay } from "node:timers/promises";

export interface Patience {
  readonly deadlineMs: number;
  /** What is waited for, as in "waited 10 s for WHAT". */
  readonly what: string;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks again and again until the answer is neither `undefined` nor `false`, and returns it. An error of the condition counts
 * as "not yet"; the last one is the cause of the error thrown at the deadline.
 */
export async function waitFor<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { deadlineMs, what, intervalMs = 50, signal }: Patience,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    signal?.throwIfAborted();
    let cause: unknown;
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`waited ${deadlineMs / 1000} s for ${what}`, { cause });
    await delay(intervalMs, undefined, signal ? { signal } : {});
  }
}
