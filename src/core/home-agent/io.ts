/** What goes into and what comes out of the sans-IO core (core/home-agent/home-agent.ts). */

import type { LoggedChange } from "../bindings/row-change.ts";
import type { ForwardingEntry } from "../forwarding/forwarding-entry.ts";
import type { MemberId } from "../names.ts";
import type { HealthState } from "../protocol/datagrams.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import type { Endpoint } from "../wire/ipv4.ts";

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
  | { readonly type: "stream"; readonly peer: MemberId; readonly message: StreamMessage }
  /** This process did not run for so long that others may have taken it for dead. */
  | { readonly type: "stalled" }
  /** The members that routers have a route to; `undefined`: that can't be known. */
  | { readonly type: "routing-view"; readonly announcers: readonly MemberId[] | undefined }
  /** What this member shall tell the others of itself. */
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
  /** Time has passed; due at `HomeAgent.nextWakeMs` at the latest. */
  | { readonly type: "tick" };

export type Output =
  /** A Registration Reply; `source` is where the request was sent to, RFC 5944 3.8.3.1. */
  | { readonly type: "reply"; readonly payload: Uint8Array; readonly source: Endpoint; readonly destination: Endpoint }
  /** A frame to another member. */
  | {
      readonly type: "frame";
      readonly payload: Uint8Array;
      readonly to: MemberId;
      /** A relayed request or reply: may go by MAC address, to the virtual address (mission M7). */
      readonly isRelay: boolean;
    }
  /** A message on the stream to another member; dropped where there is none. */
  | { readonly type: "stream"; readonly to: MemberId; readonly message: StreamMessage }
  /** The stream to another member is to end: what it says must not be taken in. */
  | { readonly type: "end-stream"; readonly to: MemberId; readonly reason: "clock-skew" }
  /** Packets of these mobiles go another way from now on. */
  | { readonly type: "forward"; readonly entries: readonly ForwardingEntry[] }
  /** Row changes to be written, in order. */
  | { readonly type: "append"; readonly changes: readonly LoggedChange[] };

export type Emit = (output: Output) => void;
