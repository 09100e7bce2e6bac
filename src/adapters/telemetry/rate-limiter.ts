import { type EventId, events } from "./events.ts";

/** Lines of one event at once, and per second after that. Debug lines are wanted where they are switched on. */
const limits = { debug: { burst: 1000, perSecond: 1000 }, other: { burst: 20, perSecond: 1 } } as const;

interface Bucket {
  tokens: number;
  refilledAtMs: number;
  suppressed: number;
}

/** A token bucket per event id. */
export class EventRateLimiter {
  readonly #buckets = new Map<EventId, Bucket>();

  /**
   * The number of lines suppressed since the last one of this event, or `undefined` if this one is to be suppressed too.
   */
  admit(id: EventId, nowMs: number): number | undefined {
    const { burst, perSecond } = events[id].level === "debug" ? limits.debug : limits.other;
    const bucket = this.#buckets.get(id) ?? { tokens: burst, refilledAtMs: nowMs, suppressed: 0 };
    this.#buckets.set(id, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.refilledAtMs) / 1000) * perSecond);
    bucket.refilledAtMs = nowMs;
    if (bucket.tokens < 1) {
      bucket.suppressed += 1;
      return undefined;
    }
    bucket.tokens -= 1;
    const suppressed = bucket.suppressed;
    bucket.suppressed = 0;
    return suppressed;
  }

  /** The counts not yet reported, by event id; they start again from 0. */
  takeSuppressed(): Map<EventId, number> {
    const counts = new Map<EventId, number>();
    for (const [id, bucket] of this.#buckets) {
      if (bucket.suppressed > 0) counts.set(id, bucket.suppressed);
      bucket.suppressed = 0;
    }
    return counts;
  }
}
