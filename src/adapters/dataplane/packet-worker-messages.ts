/** What the main thread and the worker that forwards packets say to each other. */
import type { MessagePort } from "node:worker_threads";
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Traffic } from "./traffic.ts";

export interface PacketWorkerData {
  /** Where all tunnels end here. */
  readonly address: Ipv4Address;
  /** Those that are routed to the device. */
  readonly networks: readonly Ipv4Prefix[];
  readonly descriptors: PacketDescriptors;
  readonly orders: MessagePort;
  readonly stage: SharedStage;
}

/** None of them blocks. They are the main thread's to close, once the worker does not use them any more. */
export interface PacketDescriptors {
  /** The TUN device. */
  readonly device: number;
  /** Raw sockets, one for each tunnel protocol, by which whole packets come. */
  readonly tunnels: readonly number[];
  /** A raw socket that sends whole packets. */
  readonly sender: number;
  /** Becomes readable when there is an order. */
  readonly wakeUp: number;
}

/** Times are on CLOCK_BOOTTIME. */
export type PacketOrder =
  | { readonly type: "put"; readonly entries: readonly ForwardingEntry[] }
  /** Addresses of this host, and those by which packets reach it and others. The report "attended" answers it. */
  | { readonly type: "attend"; readonly untilMs: number; readonly here: ReadonlySet<Ipv4Address> };

export type PacketReport =
  | { readonly type: "attended" }
  /** These have no tunnels any more, and nothing will be counted for them. */
  | { readonly type: "forgotten"; readonly homeAddresses: readonly Ipv4Address[] }
  /** Since the last such report. */
  | {
      readonly type: "counts";
      readonly drops: ReadonlyMap<DropReason, number>;
      readonly traffic: ReadonlyMap<Ipv4Address, Traffic>;
    };

/** How far the worker is, in memory that both threads share: descriptors must not be closed under its hands. */
export type SharedStage = Int32Array<SharedArrayBuffer>;
export const Stage = { starting: 0, running: 1, stopping: 2, stopped: 3 } as const;
