import type { MemberId, MobileIdentity } from "../names.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

/** What the ingress HA notes about a request that it relays. It lives until the reply or the relay timeout. */
export interface TemporaryBinding extends MobileIdentity {
  readonly requestId: number;
  readonly foreignAgent: Endpoint;
  /** Where the request was sent to: the reply leaves from there. */
  readonly destination: Endpoint;
  readonly careOfAddress: Ipv4Address;
  readonly owner: MemberId;
  /** As requested. */
  readonly lifetimeSeconds: number;
  readonly identification: bigint;
  readonly createdAtMs: number;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
}

/** Bounded: what doesn't fit is refused, so that in a flood the newest requests are shed. */
export class TemporaryBindings {
  readonly #maximum: number;
  /** All have the same timeout, so insertion order is order of deadlines. */
  readonly #byRequestId = new Map<number, TemporaryBinding>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  get size(): number {
    return this.#byRequestId.size;
  }

  add(binding: TemporaryBinding): boolean {
    if (this.#byRequestId.size >= this.#maximum) return false;
    this.#byRequestId.set(binding.requestId, binding);
    return true;
  }

  take(requestId: number): TemporaryBinding | undefined {
    const binding = this.#byRequestId.get(requestId);
    if (binding !== undefined) this.#byRequestId.delete(requestId);
    return binding;
  }

  clear(): void {
    this.#byRequestId.clear();
  }

  takeExpired(monotonicMs: number): TemporaryBinding[] {
    const expired: TemporaryBinding[] = [];
    for (const binding of this.#byRequestId.values()) {
      if (binding.deadlineMs > monotonicMs) break;
      this.#byRequestId.delete(binding.requestId);
      expired.push(binding);
    }
    return expired;
  }

  /** On the monotonic clock. */
  get nextDeadlineMs(): number {
    for (const binding of this.#byRequestId.values()) return binding.deadlineMs;
    return Number.POSITIVE_INFINITY;
  }

  values(): IterableIterator<TemporaryBinding> {
    return this.#byRequestId.values();
  }
}
