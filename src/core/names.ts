/** How members and mobile nodes are called everywhere in the core. */
import type { Ipv4Address } from "./wire/ipv4.ts";

/** Name of a cluster member, as in the configuration. */
export type MemberId = string;

/** The primary key of a binding: `nai:USER@REALM` where the mobile presented an NAI when it was first seen, else `ip:HOME-ADDRESS`. */
export type MobileKey = `nai:${string}` | `ip:${string}`;

/** By what a mobile names itself in a request: 0.0.0.0 is no home address. */
export interface MobileIdentity {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
}
