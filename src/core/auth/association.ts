/** Mobility security associations, RFC 5944 1.6 and 5.1. */
import { formatIpv4, type Ipv4Prefix, type Ipv4Range } from "../wire/ipv4.ts";
import { canonicalNai } from "../wire/nai.ts";

/** `hmac-md5`: the default of RFC 5944 3.5.1. `keyed-md5`: prefix+suffix mode of RFC 2002, for old mobiles. */
export type AuthenticationAlgorithm = "hmac-md5" | "keyed-md5";

/** One association: what an SPI selects. */
export interface SecurityAssociation {
  /** 256 and up; 0-255 are reserved (RFC 5944 3.5.2 - 3.5.4). */
  readonly spi: number;
  readonly algorithm: AuthenticationAlgorithm;
  readonly key: Uint8Array;
}

export type ReplayProtection =
  | { readonly style: "timestamps" /** Tolerated clock difference, RFC 5944 5.7.1. */; readonly windowMs: number }
  | { readonly style: "nonces" };

/** Between mobile nodes and their home agent. */
export interface MobileAssociation extends SecurityAssociation {
  readonly replay: ReplayProtection;
  readonly mobiles: MobileSelector;
}

/** Which mobiles an association is for. The most specific match wins: NAI, home address, range, realm. */
export type MobileSelector =
  | { readonly by: "nai"; readonly nai: string }
  | { readonly by: "realm"; readonly realm: string }
  | { readonly by: "home-addresses" /** A single address is a range of one. */; readonly range: Ipv4Range };

/** By which people tell it, and rows say for which mobiles they count: several keys of the same mobiles have the same. */
export function describeMobiles(selector: MobileSelector): string {
  switch (selector.by) {
    case "nai":
      return `NAI ${canonicalNai(selector.nai)}`;
    case "realm":
      return `realm ${selector.realm.toLowerCase()}`;
    case "home-addresses":
      return `home addresses ${formatIpv4(selector.range.first)}-${formatIpv4(selector.range.last)}`;
  }
}

/** Between a foreign agent and the home agent; found by SPI plus the source address of the request. */
export interface ForeignAgentAssociation extends SecurityAssociation {
  readonly foreignAgents: Ipv4Prefix;
}
