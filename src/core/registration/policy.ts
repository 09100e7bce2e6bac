/** What this home agent grants: the resolved form of the configuration, shared by all members of a cluster. */
import type { Ipv4Address, Ipv4Prefix, Ipv4Range } from "../wire/ipv4.ts";

export interface RegistrationPolicy {
  /** The address mobiles know as their home agent. */
  readonly virtualAddress: Ipv4Address;
  /** Networks whose addresses may be home addresses; others are denied with 129. Usually this is the virtual network. */
  readonly homeNetworks: readonly Ipv4Prefix[];
  /** Longest lifetime granted, in seconds; `INFINITE_LIFETIME` lets a mobile have an infinite one. */
  readonly maximumLifetimeSeconds: number;
  /** Care-of addresses per mobile. With 1, a request with S gets code 1; more than this many are denied with 135. */
  readonly maximumSimultaneousBindings: number;
  /** Unsupported ones are denied with 139. IP-in-IP needs no flag and is always granted. */
  readonly minimalEncapsulation: boolean;
  readonly greEncapsulation: boolean;
  /** `refused` denies T with 137; `required` denies its absence with 138 (RFC 3024). */
  readonly reverseTunneling: "refused" | "allowed" | "required";
  /**
   * Care-of addresses and foreign agents in these networks are denied with 129 ("unauthorized service areas", RFC 5944
   * 3.8.2.3).
   */
  readonly prohibitedCareOfNetworks: readonly Ipv4Prefix[];
  /** The rate up to which invalid authentications get a denial with 131; beyond it they are dropped and counted. */
  readonly authenticationFailureRepliesPerSecond: number;
  /**
   * Dynamic home addresses this member hands out (RFC 2794): its slice, disjoint from every other member's. Empty: none.
   */
  readonly pool: readonly Ipv4Range[];
  /** The slices of the other members: like `pool`, no mobile gets one of these addresses merely by naming it. */
  readonly otherPools: readonly Ipv4Range[];
  /**
   * How long a released or expired dynamic home address stays reserved for its NAI. An exhausted pool reclaims the oldest
   * sooner.
   */
  readonly poolStickinessMs: number;
  /**
   * The most rows, live or not, that this member owns for the mobiles of one security association; a further mobile is
   * denied with 130.
   */
  readonly maximumMobilesPerAssociation: number;
  /**
   * How far the clocks of two members may be apart: what has ended by one clock may not have ended by another for this much
   * longer.
   */
  readonly maximumClockSkewMs: number;
}
