import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { canonicalNai } from "../core/wire/nai.ts";

/** A mobile node that is registered through a foreign agent, RFC 5944 3.7.1. */
export interface Visitor {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
  readonly homeAgent: Ipv4Address;
  readonly careOfAddress: Ipv4Address;
  readonly mobile: Endpoint;
  /** `RequestFlag` bits of what the home agent has accepted. */
  readonly flags: number;
  readonly lifetimeSeconds: number;
  /** Epoch ms; `Infinity` for an infinite lifetime. */
  readonly expiresAtMs: number;
}

/** Mobiles of different home agents may have the same home address; then their NAIs tell them apart. */
export type VisitorIdentity = Pick<Visitor, "homeAddress" | "nai" | "homeAgent">;

/** The current part of a foreign agent's visitor list; its size is bounded by the caller. */
export class VisitorList {
  readonly #visitors = new Map<string, Visitor>();

  get size(): number {
    return this.#visitors.size;
  }

  has(identity: VisitorIdentity): boolean {
    return this.#visitors.has(keyOf(identity));
  }

  set(visitor: Visitor): void {
    this.#visitors.set(keyOf(visitor), visitor);
  }

  /** Returns the visitor that there was. */
  delete(identity: VisitorIdentity): Visitor | undefined {
    const visitor = this.#visitors.get(keyOf(identity));
    this.#visitors.delete(keyOf(identity));
    return visitor;
  }

  /** Returns those whose time is over. */
  expire(nowMs: number): Visitor[] {
    const expired = this.all().filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    for (const visitor of expired) this.delete(visitor);
    return expired;
  }

  all(): Visitor[] {
    return [...this.#visitors.values()];
  }
}

function keyOf({ homeAddress, nai, homeAgent }: VisitorIdentity): string {
  return `${homeAgent} ${homeAddress} ${nai === undefined ? "" : canonicalNai(nai)}`;
}
