/** What the main thread and the worker that forwards packets say to each other. */
import type { MessagePort } from "node:worker_threads";
import type { HomewardTunnel, MobileEndDropReason } from "../../core/tunnel/mobile-end.ts";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Traffic } from "./traffic.ts";

/** Which end of tunnels this is. */
export type WorkerEnd =
  | {
      readonly side: "home";
      /** The virtual home agent address. */
      readonly address: Ipv4Address;
      /** Those that are routed to the device. */
      readonly networks: readonly Ipv4Prefix[];
    }
  | { readonly side: "mobile" /** The care-of address. */; readonly address: Ipv4Address };

/** Of either end. Times are on CLOCK_BOOTTIME. */
export interface WorkerEntry {
  readonly homeAddress: Ipv4Address;
  readonly tunnels: readonly HomewardTunnel[];
}

export interface PacketWorkerData {
  readonly end: WorkerEnd;
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

export type PacketOrder =
  | { readonly type: "put"; readonly entries: readonly WorkerEntry[] }
  /** Addresses of this host, and those by which packets reach it and others. The report "attended" answers it. */
  | { readonly type: "attend"; readonly untilMs: number; readonly here: ReadonlySet<Ipv4Address> };

export type PacketReport =
  | { readonly type: "attended" }
  /** These have no tunnels any more, and nothing will be counted for them. */
  | { readonly type: "forgotten"; readonly homeAddresses: readonly Ipv4Address[] }
  /** Since the last such report. */
  | {
      readonly type: "counts";
      readonly drops: ReadonlyMap<MobileEndDropReason, number>;
      readonly traffic: ReadonlyMap<Ipv4Address, Traffic>;
    };

/** How far the worker is, in memory that both threads share: descriptors must not be closed under its hands. */
export type SharedStage = Int32Array<SharedArrayBuffer>;
export const Stage = { starting: 0, running: 1, stopping: 2, stopped: 3 } as const;
