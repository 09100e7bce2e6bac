/** How members and mobile nodes are called everywhere in the core. */
import { type Ipv4Address, parseIpv4 } from "./wire/ipv4.ts";

/** Name of a cluster member, as in the configuration. */
export type MemberId = string;

/**
 * The primary key of a binding, which never changes: `nai:USER@REALM` of a mobile that has shown an NAI, whatever its home
 * address is, else `ip:HOME-ADDRESS`.
 */
export type MobileKey = `nai:${string}` | `ip:${string}`;

/** By what a mobile names itself in a request: 0.0.0.0 is no home address. */
export interface MobileIdentity {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
}

export function isMobileKey(key: string): key is MobileKey {
  return key.startsWith("nai:") ? key.length > 4 : key.startsWith("ip:") && parseIpv4(key.slice(3)) !== undefined;
}

/** The NAI in a key, where it is one. */
export function naiOf(mobile: MobileKey): string | undefined {
  return mobile.startsWith("nai:") ? mobile.slice(4) : undefined;
}
