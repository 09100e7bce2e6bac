import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { canonicalNai } from "../core/wire/nai.ts";

/** A mobile node that is registered through a foreign agent, RFC 5944 3.7.1. */
export interface Visitor {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
  readonly homeAgent: Ipv4Address;
  readonly careOfAddress: Ipv4Address;
  readonly mobile: Endpoint;
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

  delete(identity: VisitorIdentity): void {
    this.#visitors.delete(keyOf(identity));
  }

  expire(nowMs: number): void {
    for (const [key, visitor] of this.#visitors) if (visitor.expiresAtMs <= nowMs) this.#visitors.delete(key);
  }

  all(): Visitor[] {
    return [...this.#visitors.values()];
  }
}

function keyOf({ homeAddress, nai, homeAgent }: VisitorIdentity): string {
  return `${homeAgent} ${homeAddress} ${nai === undefined ? "" : canonicalNai(nai)}`;
}
