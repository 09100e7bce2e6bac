/** What the main thread and the worker that speaks BFD say to each other. */
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { SharedHeartbeat } from "./heartbeat.ts";
import type { SessionStatus } from "./session.ts";
import type { DropReason } from "./sessions.ts";

export interface BfdSettings {
  readonly localAddress: Ipv4Address;
  readonly neighbors: readonly Ipv4Address[];
  readonly transmitIntervalMs: number;
  readonly receiveIntervalMs: number;
  readonly detectMultiplier: number;
  /** A main event loop that stands still for this long ends all sessions. */
  readonly heartbeatTimeoutMs: number;
}

export interface BfdWorkerData extends BfdSettings {
  readonly heartbeat: SharedHeartbeat;
}

/** The only order: tell the neighbors that the end is intended, and end. */
export type BfdOrder = "disable";

export type BfdReport =
  | { readonly type: "session"; readonly neighbor: Ipv4Address; readonly status: SessionStatus }
  /** Whether packets that were forwarded are accepted too. */
  | { readonly type: "ttl-unchecked"; readonly reason: string }
  /** Since the last such report. */
  | { readonly type: "counts"; readonly dropped: ReadonlyMap<DropReason, number>; readonly sendErrors: number };
