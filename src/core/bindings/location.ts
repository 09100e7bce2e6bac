/**
 * Where a mobile is that another member owns; on its ingress HA, this is the permanent binding that the temporary one
 * becomes with the reply.
 */
import { address, big64, endpoint, list, member, mobile, optional, time, u8, u16, u32 } from "../layout/kinds.ts";
import { type RecordOf, record } from "../layout/record.ts";
import type { MemberId } from "../names.ts";

/** What members tell each other of a location. */
export const TOLD_LOCATION_FIELDS = {
  mobile: [mobile, "The key of its row."],
  homeAddress: [address, "Its home address; 0.0.0.0: it has none."],
  homeAddressSinceMs: [
    time,
    "Since when it has had the address, as in its row; for ever: it is gone, and the address is kept for it.",
  ],
  owner: [member, "Who anchors it."],
  backups: [list(u8, member), "Who holds copies, and takes the mobile over if the owner dies."],
  generation: [u32, "Of the ownership: a higher one is newer."],
  knownUntilMs: [time, "The owner keeps the mobile's row until then, even as a tombstone."],
} as const;

const INGRESS = {
  foreignAgent: [endpoint, "Where replies to the mobile go."],
  careOfAddress: [address, "Where packets go."],
  lifetimeSeconds: [u16, "Granted, as in the reply."],
  expiresAtMs: [time, "When it ends."],
  identification: [big64, "Of the request."],
} as const;

/** The ingress part: made permanent from a temporary binding by the Registration Reply. */
export type IngressBinding = RecordOf<typeof INGRESS>;

export const LOCATION_FIELDS = {
  ...TOLD_LOCATION_FIELDS,
  ingress: [optional(record(INGRESS)), "Set while this member is the ingress of a live registration."],
} as const;

export interface Location extends RecordOf<typeof LOCATION_FIELDS> {
  /** That of the key. */
  readonly nai: string | undefined;
}

/** `a` supersedes `b`: ownership is versioned by generation, then by owner id. */
export function isNewerOwnership(
  a: { readonly generation: number; readonly owner: MemberId },
  b: { readonly generation: number; readonly owner: MemberId },
): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.owner > b.owner);
}
