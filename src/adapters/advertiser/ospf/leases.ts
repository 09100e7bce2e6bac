import type { Preference } from "../../../core/health/ladder.ts";
import { formatPrefix, type Ipv4Prefix } from "../../../core/wire/ipv4.ts";
import { LeasedInterface } from "../../kernel/leased-interface.ts";
import type { Advertisement } from "../advertiser.ts";

const PREFERENCES: readonly Preference[] = ["normal", "low", "lowest"];

/** The part of an interface that is used; tests have their own. */
export type LeaseHolder = Pick<LeasedInterface, "lease" | "drop" | "close">;

export type OpenInterface = (name: string) => Promise<LeaseHolder>;

/** The interface that a prefix is on for each preference; ospfd has a cost for each. */
export function interfaceFor(base: string, preference: Preference = "normal"): string {
  return preference === "normal" ? base : `${base}-${preference}`;
}

/** All of them. */
export function interfacesOf(base: string): string[] {
  return PREFERENCES.map((preference) => interfaceFor(base, preference));
}

interface Holder {
  readonly preference: Preference;
  readonly interface: LeaseHolder;
  readonly leased: Map<string, Ipv4Prefix>;
}

/**
 * Makes each prefix a connected network of the interface for its preference, as long as that is renewed. ospfd has these
 * interfaces in its area and does the rest.
 */
export class Leases {
  readonly #seconds: number;
  readonly #holders: readonly Holder[];
  /** Monotonic ms. */
  #renewedMs = performance.now();

  private constructor(seconds: number, holders: readonly Holder[]) {
    this.#seconds = seconds;
    this.#holders = holders;
  }

  /** Rejects with the reason if an interface can't be made. */
  static async open(base: string, seconds: number, open: OpenInterface = LeasedInterface.open): Promise<Leases> {
    const holders: Holder[] = [];
    try {
      for (const preference of PREFERENCES) {
        holders.push({ preference, interface: await open(interfaceFor(base, preference)), leased: new Map() });
      }
    } catch (error) {
      for (const holder of holders) holder.interface.close();
      throw error;
    }
    return new Leases(seconds, holders);
  }

  /** A prefix whose preference changes is on both interfaces for a moment, and never on none. Throws a system error. */
  set(advertisements: readonly Advertisement[]): void {
    const wanted = this.#holders.map(({ preference }) => {
      const prefixes = advertisements
        .filter((it) => (it.preference ?? "normal") === preference)
        .map(({ prefix }) => prefix);
      return new Map(prefixes.map((prefix) => [formatPrefix(prefix), prefix]));
    });
    this.#holders.forEach((holder, index) => {
      for (const [name, prefix] of wanted[index] ?? []) {
        holder.interface.lease(prefix, this.#seconds);
        holder.leased.set(name, prefix);
      }
    });
    this.#holders.forEach((holder, index) => {
      for (const [name, prefix] of holder.leased) {
        if (wanted[index]?.has(name)) continue;
        holder.interface.drop(prefix);
        holder.leased.delete(name);
      }
    });
  }

  /** Renews the leases. Returns how long ago that was last done if all leases had expired since. Throws a system error. */
  renew(): number | undefined {
    const nowMs = performance.now();
    const silentMs = nowMs - this.#renewedMs;
    this.#renewedMs = nowMs;
    for (const { interface: holder, leased } of this.#holders) {
      for (const prefix of leased.values()) holder.lease(prefix, this.#seconds);
    }
    const hasAny = this.#holders.some(({ leased }) => leased.size > 0);
    return hasAny && silentMs > this.#seconds * 1000 ? silentMs : undefined;
  }

  close(): void {
    for (const { interface: holder } of this.#holders) holder.close();
  }
}
