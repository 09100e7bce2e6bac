/** What the registration engine is asked, and what it decides. Reasons are stable names, for counters and logs. */

import type { Binding, Ownership } from "../bindings/binding.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";
import { ReplyCode } from "../wire/reply-code.ts";

/** What is known besides the request itself. */
export interface RegistrationContext {
  /** Original source of the request: the foreign agent, or the mobile itself. The reply goes there. */
  readonly source: Endpoint;
  /** Original destination. */
  readonly destination: Endpoint;
  /** The member that routing delivered the request to. */
  readonly ingress: MemberId;
  /** The row found by the mobile's NAI, or else by its home address, including tombstones. */
  readonly current: Binding | undefined;
  /** Which row here has this home address now, live or reserved. */
  readonly homeAddressHolder: (address: Ipv4Address) => MobileKey | undefined;
  /** Whether another member must be asked before this one gives the address to a mobile that doesn't have it. */
  readonly mustAsk: (address: Ipv4Address) => boolean;
  /** The ownership that goes into the row if the request is accepted. */
  readonly ownership: Ownership;
  /** If false, nothing can be stored, and a request that would be accepted is denied with 130. */
  readonly canAccept: boolean;
  /** Set if too few backups are reachable: lifetimes are no longer than this, so that little is at stake. */
  readonly lifetimeCapSeconds?: number | undefined;
  /** Epoch ms. */
  readonly nowMs: number;
  /** How long this member has been running; it may not know what was accepted before. */
  readonly runningMs: number;
}

/** Where a request came from, and when. */
export type Arrival = Pick<RegistrationContext, "source" | "destination" | "nowMs">;

/** The names by which a mobile is known, from its row or its location. */
export type KnownMobile = Pick<Binding, "homeAddress" | "nai">;

/** Why a request gets no answer. */
export type DiscardReason =
  /** RFC 5944 3.8.2.1 a ("without any authorization-enabling extension"). */
  | "no-authentication-extension"
  /**
   * RFC 5944 3.8.2.1 a: no security association with this mobile, or the request names no mobile (no home address, no NAI).
   */
  | "unknown-mobile"
  /**
   * The mobile failed authentication, and the foreign agent that should vouch for the request did not (RFC 5944 3.8.2.1 a).
   */
  | "authentication-failure-unvouched"
  /** The mobile failed authentication, more often than `RegistrationPolicy` allows to be answered. */
  | "authentication-failure-rate"
  /**
   * Requests of little use in large numbers (repetitions, and faults that only the owner can report), beyond the rate that
   * is relayed.
   */
  | "doubtful-rate"
  /** RFC 5944 3.8.2.1 d: a Foreign-Home Authentication Extension without an association. */
  | "unexpected-foreign-home-authentication";

/** The reasons for a denial, each with the code of RFC 5944 3.4 that goes into the reply. */
export const denialCodes = {
  "nothing-to-deregister": ReplyCode.Unspecified,
  "home-address-not-served": ReplyCode.Prohibited,
  "home-address-taken": ReplyCode.Prohibited,
  "home-address-of-pool": ReplyCode.Prohibited,
  "care-of-address-prohibited": ReplyCode.Prohibited,
  "care-of-address-at-home": ReplyCode.Prohibited,
  "pool-exhausted": ReplyCode.Resources,
  "association-quota": ReplyCode.Resources,
  "store-unavailable": ReplyCode.Resources,
  "mobile-authentication": ReplyCode.MobileAuthentication,
  "foreign-agent-authentication": ReplyCode.ForeignAgentAuthentication,
  "identification-mismatch": ReplyCode.IdentificationMismatch,
  "poorly-formed-extension": ReplyCode.PoorlyFormedRequest,
  "several-nais": ReplyCode.PoorlyFormedRequest,
  "care-of-address-invalid": ReplyCode.PoorlyFormedRequest,
  "too-many-bindings": ReplyCode.TooManySimultaneousBindings,
  "unknown-home-agent-address": ReplyCode.UnknownHomeAgentAddress,
  "requested-home-agent-mismatch": ReplyCode.UnknownHomeAgentAddress,
  "reverse-tunnel-unavailable": ReplyCode.ReverseTunnelUnavailable,
  "reverse-tunnel-mandatory": ReplyCode.ReverseTunnelMandatory,
  "encapsulation-unavailable": ReplyCode.EncapsulationUnavailable,
  "vendor-extension-of-mobile": ReplyCode.VendorExtensionOfMobile,
  "vendor-extension-of-foreign-agent": ReplyCode.VendorExtensionOfForeignAgent,
} as const satisfies Record<string, number>;

export type DenialReason = keyof typeof denialCodes;

/**
 * What can be said about a request without its mobile's row. `untimely`: authentic, but too old or too new to be accepted.
 * `undecided`: only the owner can tell. Otherwise what the owner would decide.
 */
export type Screening = "authentic" | "untimely" | "undecided" | Refusal;

/** It changes nothing. */
export type Refusal =
  | { readonly outcome: "discard"; readonly reason: DiscardReason }
  | { readonly outcome: "denied"; readonly code: number; readonly reason: DenialReason; readonly reply: Uint8Array };

export type Decision =
  | Refusal
  /** Another member has to decide whether the mobile may have this home address. */
  | { readonly outcome: "unclear"; readonly homeAddress: Ipv4Address; readonly mobile: MobileKey }
  /** A retransmission of the last accepted request: answered as then, and nothing changes. */
  | { readonly outcome: "duplicate"; readonly reply: Uint8Array }
  | {
      readonly outcome: "accepted";
      readonly reply: Uint8Array;
      /** Replaces the mobile's row. */
      readonly binding: Binding;
      /**
       * Other rows that change with it: of a mobile whose released home address went to this one, and what stays of a home
       * address that this one goes by no longer.
       */
      readonly others: readonly Binding[];
    };
