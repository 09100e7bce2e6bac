/** What goes into and what comes out of the sans-IO core (core/home-agent/home-agent.ts). */

import type { LoggedChange } from "../bindings/row-change.ts";
import type { ForwardingEntry } from "../forwarding/forwarding-entry.ts";
import type { MemberId, MobileIdentity } from "../names.ts";
import type { HealthState } from "../protocol/datagrams.ts";
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";
import type { Reconfiguration } from "./settings.ts";

export type Input =
  /** A datagram to the virtual home agent address. */
  | {
      readonly type: "datagram";
      readonly payload: Uint8Array;
      readonly source: Endpoint;
      readonly destination: Endpoint;
    }
  /** A datagram to the cluster port. */
  | { readonly type: "frame"; readonly payload: Uint8Array; readonly source: Endpoint }
  /** Row changes up to `position` are on disk. */
  | { readonly type: "durable"; readonly position: number }
  /** Row changes from `firstPosition` on are lost; nothing will be written until `store-recovered`. */
  | { readonly type: "store-failed"; readonly firstPosition: number; readonly reason: string }
  | { readonly type: "store-recovered" }
  /** The stream to a peer is there: both sides have authenticated. */
  | { readonly type: "stream-opened"; readonly peer: MemberId }
  | { readonly type: "stream-closed"; readonly peer: MemberId }
  /** Bytes from the stream to a peer, in pieces of any size. */
  | { readonly type: "stream"; readonly peer: MemberId; readonly bytes: Uint8Array }
  /** This process did not run for so long that others may have taken it for dead. */
  | { readonly type: "stalled" }
  /** Packets to or from these addresses came here, where nobody knows the way: they were passed on to other members. */
  | { readonly type: "missed"; readonly homeAddresses: readonly Ipv4Address[] }
  /** The members that routers have a route to; `undefined`: that can't be known. */
  | { readonly type: "routing-view"; readonly announcers: readonly MemberId[] | undefined }
  /** What this member tells the others about itself. */
  | {
      readonly type: "vitals";
      readonly health: HealthState;
      /** Routers have its announcement. */
      readonly announced: boolean;
      readonly eventLoopDelayMs: number;
      readonly storeQueue: number;
      /** Relay frames to the virtual address are received, on the cluster port. Absent: no. */
      readonly takesLinkRelay?: boolean;
    }
  /** An operator wants this member to give all bindings away and take no new ones, or to end that. */
  | { readonly type: "drain"; readonly draining: boolean }
  /** An operator wants bindings to go to the members where the ranking places them. */
  | { readonly type: "rebalance" }
  /** An operator ends a mobile's binding: one `deletion` with the same token comes out when that is done. */
  | ({ readonly type: "delete-binding" } & DeletionRequest)
  /** Another configuration is in force: other members, timers, rules or associations. */
  | { readonly type: "reconfigure"; readonly changes: Reconfiguration }
  /** Time has passed; due at `HomeAgent.nextWakeMs` at the latest. */
  | { readonly type: "tick" };

export interface DeletionRequest {
  /** Comes back with the answer. */
  readonly token: number;
  readonly identity: MobileIdentity;
  /** The mobile is let in again whatever Identification it had used, even where its binding is over already. */
  readonly forgetReplay: boolean;
}

export type DeletionOutcome =
  /** It is on disk here and, where replay state is forgotten, on the disks of as many backups as a registration needs. */
  | "deleted"
  /** This member owns no binding of the mobile that could be deleted. */
  | "not-owned"
  /** Nothing was deleted: the store can't write. */
  | "store-failed"
  /** Nothing was deleted: on this member alone, it would win over what others accept before they hear of it. */
  | "too-few-backups"
  /** It was deleted here, but disks or backups have not confirmed it in time. */
  | "unconfirmed";

export type Output =
  /** A Registration Reply; `source` is where the request was sent to, RFC 5944 3.8.3.1. */
  | { readonly type: "reply"; readonly payload: Uint8Array; readonly source: Endpoint; readonly destination: Endpoint }
  /** A frame to another member. */
  | {
      readonly type: "frame";
      readonly payload: Uint8Array;
      readonly to: MemberId;
      /** A relayed request or reply: it may be sent to a MAC address, with the virtual address as its IP destination. */
      readonly isRelay: boolean;
    }
  /** Bytes for the stream to another member; dropped where there is none. */
  | { readonly type: "stream"; readonly to: MemberId; readonly bytes: Uint8Array }
  /** The stream to another member is to end. */
  | { readonly type: "end-stream"; readonly to: MemberId; readonly reason: StreamEnd }
  /** Packets of these mobiles go another way from now on. */
  | { readonly type: "forward"; readonly entries: readonly ForwardingEntry[] }
  /** These members are alive, this one included: packets may be passed on to them. */
  | { readonly type: "alive"; readonly members: readonly MemberId[] }
  /** What came of an operator's `delete-binding`. */
  | { readonly type: "deletion"; readonly token: number; readonly outcome: DeletionOutcome }
  /** Row changes to be written, in order. */
  | { readonly type: "append"; readonly changes: readonly LoggedChange[] };

/** Why this member ends a stream. */
export type StreamEnd =
  /** The peer's clock is too far from ours: what it says must not be taken in. */
  | "clock-skew"
  | "malformed-message"
  | "frame-too-large"
  /** Ours: the core must page. */
  | "message-too-large"
  /** An error of ours while a message was dealt with. */
  | "failed";

export type Emit = (output: Output) => void;
