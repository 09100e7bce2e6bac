import { lowBits } from "../core/wire/identification.ts";
import { type Endpoint, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { canonicalNai } from "../core/wire/nai.ts";
import type { RegistrationReply, RegistrationRequest } from "../core/wire/registration-message.ts";
import { naiOf } from "./mobile-messages.ts";

/** A request that was relayed and has no answer yet, RFC 5944 3.7.1. */
export interface PendingRegistration {
  readonly request: RegistrationRequest;
  readonly nai: string | undefined;
  /** The endpoints from which and to which the mobile sent it. */
  readonly mobile: Endpoint;
  readonly local: Endpoint;
  readonly relayedAtMs: number;
}

/** The pending part of a foreign agent's visitor list: bounded, oldest first, found by what a reply says. */
export class PendingRegistrations {
  readonly #maximum: number;
  readonly #oldestFirst = new Set<PendingRegistration>();
  readonly #byLowBits = new Map<number, readonly PendingRegistration[]>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  get size(): number {
    return this.#oldestFirst.size;
  }

  get isFull(): boolean {
    return this.size >= this.#maximum;
  }

  /** Replaces the same request of the same mobile, which is a retransmission. */
  add(pending: PendingRegistration): void {
    const repeated = this.#withLowBits(pending.request.identification).find(
      (other) => other.request.homeAddress === pending.request.homeAddress && sameNai(other.nai, pending.nai),
    );
    if (repeated !== undefined) this.remove(repeated);
    this.#oldestFirst.add(pending);
    const key = lowBits(pending.request.identification);
    this.#byLowBits.set(key, [...this.#withLowBits(pending.request.identification), pending]);
  }

  remove(pending: PendingRegistration): void {
    this.#oldestFirst.delete(pending);
    const key = lowBits(pending.request.identification);
    const others = this.#withLowBits(pending.request.identification).filter((other) => other !== pending);
    if (others.length === 0) this.#byLowBits.delete(key);
    else this.#byLowBits.set(key, others);
  }

  /**
   * RFC 5944 3.7.3.1: by the low bits of the Identification and the home address, where several mobiles have the same one
   * by the NAI; RFC 2794 3: by the NAI where the request had no home address. A home agent that forgets to repeat the NAI
   * is forgiven as long as there is no doubt whom it means, so that the mobile can be told (97).
   */
  find(reply: RegistrationReply): PendingRegistration | undefined {
    const candidates = this.#withLowBits(reply.identification);
    const nai = naiOf(reply);
    const named = candidates.filter((pending) => sameNai(pending.nai, nai));
    const hasAddress = ({ request }: PendingRegistration) => request.homeAddress === reply.homeAddress;
    const awaitsAddress = ({ request }: PendingRegistration) => request.homeAddress === UNSPECIFIED;
    return (
      named.find(hasAddress) ??
      named.find(awaitsAddress) ??
      onlyOne(candidates.filter(hasAddress)) ??
      (nai === undefined ? onlyOne(candidates.filter(awaitsAddress)) : undefined)
    );
  }

  /** The requests relayed up to that time, oldest first. */
  *relayedUntil(timeMs: number): Iterable<PendingRegistration> {
    for (const pending of this.#oldestFirst) {
      if (pending.relayedAtMs > timeMs) return;
      yield pending;
    }
  }

  toHomeAgent(homeAgent: Ipv4Address): PendingRegistration[] {
    return [...this.#oldestFirst].filter(({ request }) => request.homeAgent === homeAgent);
  }

  #withLowBits(identification: bigint): readonly PendingRegistration[] {
    return this.#byLowBits.get(lowBits(identification)) ?? [];
  }
}

function sameNai(one: string | undefined, other: string | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && canonicalNai(one) === canonicalNai(other));
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}
