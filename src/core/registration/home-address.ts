/** Which home address a mobile node gets: the one it names or, for 0.0.0.0, one of ours (RFC 5944 3.8.3.2, RFC 2794 1). */

import type { Binding } from "../bindings/binding.ts";
import { isTombstone } from "../bindings/mobility-bindings.ts";
import { revised } from "../bindings/revision.ts";
import {
  directedBroadcast,
  type Ipv4Address,
  type Ipv4Prefix,
  type Ipv4Range,
  prefixContains,
  rangeContains,
  UNSPECIFIED,
} from "../wire/ipv4.ts";
import { AddressPool } from "./address-pool.ts";
import type { DenialReason, RegistrationContext } from "./decision.ts";
import type { Exchange } from "./exchange.ts";
import type { RegistrationPolicy } from "./policy.ts";

export interface GrantedHomeAddress {
  readonly homeAddress: Ipv4Address;
  /** Whether it comes from a pool. */
  readonly dynamic: boolean;
  /** The row of the mobile that it was reserved for, without the address. */
  readonly reclaimed?: Binding;
}

type HomeAddressChoice =
  | GrantedHomeAddress
  | { readonly denied: DenialReason }
  /** Another member must be asked about it first. */
  | { readonly doubtful: Ipv4Address };

export class HomeAddresses {
  readonly #policy: RegistrationPolicy;
  readonly #allPools: readonly Ipv4Range[];
  readonly #pool: AddressPool;

  constructor(policy: RegistrationPolicy) {
    this.#policy = policy;
    this.#allPools = [...policy.pool, ...policy.otherPools];
    this.#pool = new AddressPool(policy.pool, (address) => this.#isServed(address));
  }

  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    this.#pool.rowChanged(before, after);
  }

  /** `named`: 0.0.0.0 for any. */
  choose(named: Ipv4Address, { mobile, row, context }: Exchange): HomeAddressChoice {
    const isOthers = (address: Ipv4Address) =>
      ![undefined, mobile, row?.mobile].includes(context.homeAddressHolder(address));
    return named === UNSPECIFIED ? this.#allocate(row, context, isOthers) : this.#check(named, row, context, isOthers);
  }

  /** "If the home agent cannot support the specified nonzero unicast address ... Code of 129" (RFC 5944 3.8.3.2). */
  #check(
    named: Ipv4Address,
    row: Binding | undefined,
    context: RegistrationContext,
    isOthers: (address: Ipv4Address) => boolean,
  ): HomeAddressChoice {
    if (!this.#isServed(named)) return { denied: "home-address-not-served" };
    if (isOthers(named)) return { denied: "home-address-taken" };
    const isItsOwn = row?.homeAddress === named;
    if (!isItsOwn && this.#allPools.some((range) => rangeContains(range, named)))
      return { denied: "home-address-of-pool" };
    if (!hasLive(row, named) && context.mustAsk(named)) return { doubtful: named };
    return { homeAddress: named, dynamic: isItsOwn && row.dynamic };
  }

  /**
   * The address that the mobile has or had, else a free one, else the one that has been reserved longest for another
   * mobile.
   */
  #allocate(
    row: Binding | undefined,
    context: RegistrationContext,
    isOthers: (address: Ipv4Address) => boolean,
  ): HomeAddressChoice {
    if (row !== undefined && this.#isServed(row.homeAddress) && !isOthers(row.homeAddress)) {
      if (!hasLive(row, row.homeAddress) && context.mustAsk(row.homeAddress)) return { doubtful: row.homeAddress };
      return { homeAddress: row.homeAddress, dynamic: row.dynamic };
    }
    const free = this.#pool.nextFree(isOthers);
    if (free !== undefined) return { homeAddress: free, dynamic: true };
    const released = this.#pool.oldestReleased();
    if (released === undefined) return { denied: "pool-exhausted" };
    // The other mobile's row is kept as long as replays have to fail on its Identification.
    const reclaimed = revised(
      released,
      { homeAddress: UNSPECIFIED, dynamic: false, registration: { reservedUntilMs: 0 } },
      context.ownership.owner,
      context.nowMs,
    );
    return { homeAddress: released.homeAddress, dynamic: true, reclaimed };
  }

  #isServed(address: Ipv4Address): boolean {
    const { homeNetworks, virtualAddress } = this.#policy;
    if (address === virtualAddress) return false;
    const home = homeNetworks.filter((network) => prefixContains(network, address));
    return home.length > 0 && !home.some((network) => isNetworkOrBroadcastAddress(network, address));
  }
}

/** A mobile that was gone may have lost its address meanwhile; one that renews its registration still has it. */
function hasLive(row: Binding | undefined, address: Ipv4Address): boolean {
  return row?.homeAddress === address && !isTombstone(row);
}

/** In networks of one or two addresses all are for hosts (RFC 3021). */
function isNetworkOrBroadcastAddress(network: Ipv4Prefix, address: Ipv4Address): boolean {
  return network.length < 31 && (address === network.address || address === directedBroadcast(network));
}
