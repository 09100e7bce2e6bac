/**
 * Where a mobile is that another member owns; on its ingress HA, this is the permanent binding that the temporary one
 * becomes with the reply.
 */

import type { MemberId, MobileKey } from "../names.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

export interface Location {
  readonly mobile: MobileKey;
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
  /** Since when it has had the address, as in its row; `Infinity`: it is gone, and the address is kept for it. */
  readonly homeAddressSinceMs: number;
  readonly owner: MemberId;
  /** The members that hold copies and take the mobile over if the owner dies. */
  readonly backups: readonly MemberId[];
  /** Ownership generation: a higher one is newer. */
  readonly generation: number;
  /** The owner keeps the mobile's row until then, even as a tombstone; epoch ms or `Infinity`. */
  readonly knownUntilMs: number;
  /** Set while this member is the ingress of a live registration. */
  readonly ingress: IngressBinding | undefined;
}

/** The ingress part: made permanent from a temporary binding by the Registration Reply. */
export interface IngressBinding {
  readonly foreignAgent: Endpoint;
  readonly careOfAddress: Ipv4Address;
  /** Granted, as in the reply. */
  readonly lifetimeSeconds: number;
  /** Epoch ms or `Infinity`. */
  readonly expiresAtMs: number;
  readonly identification: bigint;
}

/** `a` supersedes `b`: ownership is versioned by generation, then by owner id. */
export function isNewerOwnership(
  a: { readonly generation: number; readonly owner: MemberId },
  b: { readonly generation: number; readonly owner: MemberId },
): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.owner > b.owner);
}
