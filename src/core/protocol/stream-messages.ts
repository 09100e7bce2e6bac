/** What members say to each other over their streams: reliable, ordered, authenticated (docs/replication.md). */
import type { Location } from "../bindings/location.ts";
import type { RegistrationVersion } from "../bindings/merge.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

/** Of a copy. */
export interface HeldVersion extends RegistrationVersion {
  readonly mobile: MobileKey;
}

/** A row that its owner has forgotten, as it was then. */
export interface ForgottenRow extends HeldVersion {
  readonly generation: number;
}

/** Of a temporary binding, what another member needs to become the ingress in place of the one that made it. */
export interface TemporaryCopy {
  /** The ingress's. */
  readonly requestId: number;
  /** Whom the ingress relayed to, and with which Minimum Generation. */
  readonly owner: MemberId;
  readonly minimumGeneration: number;
  readonly foreignAgent: Endpoint;
  readonly destination: Endpoint;
  /** The untouched Registration Request. The mobile's identifier and the Identification are in it. */
  readonly request: Uint8Array;
}

export type StreamMessage =
  /** Rows as in the store. The sender wants to hear once they are on the receiver's disk; it counts what it wants to hear of. */
  | { readonly type: "rows"; readonly number: number; readonly rows: readonly string[] }
  /** All that the receiver of this has sent up to `number` is on the sender's disk. */
  | { readonly type: "ack"; readonly number: number }
  /**
   * Of the rows that the sender owns and the receiver backs up, in `DIGEST_BUCKETS` buckets. `level`: the receiver should hold
   * them as they are, as the sender has missed nothing out since it last sent all.
   */
  | { readonly type: "digests"; readonly level: boolean; readonly buckets: readonly number[] }
  /** Answer to `digests`: those that differ; rows of the receiver of this message come with it from the sender's copies. */
  | { readonly type: "differing"; readonly buckets: readonly number[] }
  /** The rows of all differing buckets have been sent. */
  | { readonly type: "synchronized"; readonly number: number }
  /** Who the sender believes it is the owner of. `last`: this was the final page. */
  | {
      readonly type: "owned";
      readonly entries: readonly { readonly mobile: MobileKey; readonly generation: number }[];
      readonly last: boolean;
    }
  /** Answer to the last page of `owned`: whatever was known better has been sent. */
  | { readonly type: "owned-checked" }
  /** Where a mobile is that the receiver wrongly believes to own, or to back up. */
  | ({ readonly type: "moved" } & Omit<Location, "ingress">)
  /** Copies of a dead member's bindings that the sender holds. `last`: this was the final page. */
  | {
      readonly type: "holding";
      readonly of: MemberId;
      readonly versions: readonly HeldVersion[];
      readonly last: boolean;
    }
  /** Answer to a page of `holding`: send these rows. */
  | { readonly type: "want"; readonly of: MemberId; readonly mobiles: readonly MobileKey[] }
  /** Answer to `want`: the rows have been sent. */
  | { readonly type: "sent"; readonly of: MemberId }
  /** Take these bindings over. */
  | { readonly type: "handover"; readonly rows: readonly string[] }
  /** The owner has forgotten these rows, and whatever is older: nothing needs them any more. */
  | { readonly type: "forget"; readonly rows: readonly ForgottenRow[] }
  /**
   * May this mobile have the home address? To the address's home, from an owner, who is answered by `holder`; from the home,
   * for the claimant, to an owner whose mobile should have had the address before.
   */
  | {
      readonly type: "claim";
      readonly homeAddress: Ipv4Address;
      readonly mobile: MobileKey;
      readonly claimant: MemberId;
    }
  /** Who has the home address, and since when; `Infinity`: it is only kept for that mobile. */
  | {
      readonly type: "holder";
      readonly homeAddress: Ipv4Address;
      readonly mobile: MobileKey;
      readonly sinceMs: number;
    }
  /**
   * Temporary bindings of the sender, so that a reply finds its foreign agent though its ingress died (mission M13), and the
   * Request Ids of those that have ended.
   */
  | { readonly type: "temporary"; readonly made: readonly TemporaryCopy[]; readonly ended: readonly number[] };

export const DIGEST_BUCKETS = 1024;
