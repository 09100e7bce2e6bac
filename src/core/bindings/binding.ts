/**
 * The mobility binding of one mobile node: what its owner serves, what goes to disk and (as a copy) to backups.
 *
 * It is two registers in one row, each replaced as a whole and versioned by itself, so that copies merge by "the higher
 * version wins": what the mobile signed (`registration`) and who anchors it (`ownership`).
 */
import type { ReplayProtection } from "../auth/association.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

export interface Binding {
  readonly mobile: MobileKey;
  /** 0.0.0.0 if it has none any more. Without an NAI it is that of the key, or none. */
  readonly homeAddress: Ipv4Address;
  /** That of the key. */
  readonly nai: string | undefined;
  /**
   * Since when the mobile has had the address without a break, epoch ms: of two that were given one, the earlier keeps it.
   */
  readonly homeAddressSinceMs: number;
  /** The home address came from this cluster's pool. */
  readonly dynamic: boolean;
  /** Since when there has been a row of the mobile without a break, epoch ms: copies of it may be as old, and no older. */
  readonly createdAtMs: number;
  readonly registration: Registration;
  readonly ownership: Ownership;
}

/**
 * What was last accepted from the mobile node. Without a care-of address it is the tombstone of a deregistration or an
 * expiry.
 */
export interface Registration {
  /** Of the last accepted request: later ones must exceed it (timestamps) or answer it (nonces), RFC 5944 5.7. */
  readonly identification: bigint;
  /** What `identification` is: timestamps order registrations, nonces do not. */
  readonly replayStyle: ReplayProtection["style"];
  /**
   * Authenticator of that request's authorization-enabling extension, hexadecimal: tells a retransmission from a replay.
   */
  readonly authenticator: string;
  /**
   * The mobiles that share the key which authenticated that request: for them the row counts
   * (core/registration/mobile-quota.ts).
   */
  readonly association: string;
  /** The code of the reply to that request: a retransmission gets the same. */
  readonly code: number;
  readonly lifetimeSeconds: number;
  readonly acceptedAtMs: number;
  /** How often an operator has had the mobile's replay state forgotten. */
  readonly replayResets: number;
  /**
   * The latest signed time that was forgotten so, epoch ms; 0 for none. The row counts as newer than what was signed up to
   * that time.
   */
  readonly forgottenUntilMs: number;
  /**
   * Counts changes of this register: requests that were accepted, and what owners changed by themselves
   * (core/bindings/revision.ts).
   */
  readonly counter: number;
  /** The member that made this version. Two of them may make one from the same copy, at the same moment, in a partition. */
  readonly decidedBy: MemberId;
  /** Oldest first; several only with simultaneous bindings. */
  readonly careOfAddresses: readonly CareOfBinding[];
  /** That request, or one before it, might be taken for a new one until then, were the row forgotten; epoch ms. */
  readonly replayableUntilMs: number;
  /**
   * As long as old copies of the row might be somewhere, it must be kept until then (epoch ms, `Infinity` for ever), even
   * as a tombstone: they must lose against it.
   */
  readonly retainUntilMs: number;
  /**
   * Its dynamic home address is kept for the mobile until then (epoch ms, `Infinity` for ever), unless another mobile needs
   * it.
   */
  readonly reservedUntilMs: number;
}

export interface CareOfBinding {
  readonly careOfAddress: Ipv4Address;
  /** `RequestFlag` bits as requested. */
  readonly flags: number;
  /** Granted; `INFINITE_LIFETIME` never ends. */
  readonly lifetimeSeconds: number;
  /** Epoch ms; `Infinity` for an infinite lifetime. */
  readonly expiresAtMs: number;
  /** The source of the accepted request: the foreign agent, or the mobile itself when co-located. */
  readonly foreignAgent: Endpoint;
  /** The member that routing had delivered that request to. It comes from `RegistrationContext.ingress`. */
  readonly ingress: MemberId;
  readonly identification: bigint;
}

export interface Ownership {
  readonly owner: MemberId;
  readonly backups: readonly MemberId[];
  /** Raised by every member that takes the binding over from another owner. */
  readonly generation: number;
}
