/**
 * The mobility binding of one mobile node: what its owner serves, what goes to disk and (as a copy) to backups.
 *
 * It is two registers in one row, each replaced as a whole and versioned by itself, so that copies merge by "the higher
 * version wins": what the mobile signed (`registration`) and who anchors it (`ownership`).
 */
import {
  address,
  big64,
  choice,
  endpoint,
  flag,
  hexadecimal,
  list,
  member,
  mobile,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
} from "../layout/kinds.ts";
import { type RecordOf, record } from "../layout/record.ts";

const CARE_OF = {
  careOfAddress: [address, "Where packets go; an address has one entry."],
  flags: [u8, "Those of the request, as requested."],
  lifetimeSeconds: [u16, "Granted; 65535 never ends."],
  expiresAtMs: [time, "When it ends."],
  foreignAgent: [
    endpoint,
    "The source of the accepted request: the foreign agent, or the mobile itself when co-located.",
  ],
  ingress: [member, "The member that routing had delivered that request to."],
  identification: [big64, "Of that request."],
} as const;

export type CareOfBinding = RecordOf<typeof CARE_OF>;

const REGISTRATION = {
  identification: [
    big64,
    "Of the last accepted request: later ones must exceed it (timestamps) or answer it (nonces), RFC 5944 5.7.",
  ],
  replayStyle: [choice("timestamps", "nonces"), "What it is: timestamps order registrations, nonces do not."],
  authenticator: [
    hexadecimal,
    "Of that request's authorization-enabling extension: tells a retransmission from a replay.",
  ],
  association: [
    text,
    "The mobiles that share the key which authenticated that request: for them the row counts (`core/registration/mobile-quota.ts`).",
  ],
  code: [u8, "The code of the reply to that request: a retransmission gets the same."],
  lifetimeSeconds: [u16, "The same."],
  acceptedAtMs: [u64, "When it was accepted, or changed by its owner."],
  replayResets: [u32, "How often an operator has had the mobile's replay state forgotten."],
  forgottenUntilMs: [
    u64,
    "The latest signed time that was forgotten so; 0 for none. The row counts as newer than what was signed up to that time.",
  ],
  counter: [
    u64,
    "Changes of this register: requests that were accepted, and what owners changed by themselves (`core/bindings/revision.ts`).",
  ],
  decidedBy: [
    member,
    "The member that made this version. Two of them may make one from the same copy, at the same moment, in a partition.",
  ],
  careOfAddresses: [list(u8, record(CARE_OF)), "The oldest first; several only with simultaneous bindings."],
  replayableUntilMs: [
    u64,
    "That request, or one before it, might be taken for a new one until then, were the row forgotten.",
  ],
  retainUntilMs: [
    time,
    "As long as old copies of the row might be somewhere, it must be kept until then, even as a tombstone: they must lose against it.",
  ],
  reservedUntilMs: [
    time,
    "Its dynamic home address is kept for the mobile until then, unless another mobile needs it.",
  ],
} as const;

/** What was last accepted from the mobile node. Without a care-of address it is the tombstone of a deregistration or an expiry. */
export type Registration = RecordOf<typeof REGISTRATION>;

const OWNERSHIP = {
  owner: [member, "Who anchors the mobile."],
  backups: [list(u8, member), "Who holds copies."],
  generation: [u32, "Raised by every member that takes the binding over from another owner."],
} as const;

export type Ownership = RecordOf<typeof OWNERSHIP>;

export const BINDING_FIELDS = {
  mobile: [mobile, "The key of the row, which never changes."],
  homeAddress: [address, "0.0.0.0 if it has none any more. Without an NAI it is that of the key, or none."],
  homeAddressSinceMs: [
    u64,
    "Since when the mobile has had the address without a break: of two that were given one, the earlier keeps it.",
  ],
  dynamic: [flag, "The home address came from this cluster's pool."],
  createdAtMs: [
    u64,
    "Since when there has been a row of the mobile without a break: copies of it may be as old, and no older.",
  ],
  registration: [record(REGISTRATION), "What the mobile signed."],
  ownership: [record(OWNERSHIP), "Who anchors it."],
} as const;

export interface Binding extends RecordOf<typeof BINDING_FIELDS> {
  /** That of the key. */
  readonly nai: string | undefined;
}
