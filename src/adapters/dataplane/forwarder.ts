/** What takes packets through tunnels, once the device is there that they are routed to. */
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Libc } from "../kernel/libc.ts";
import type { Passing } from "./homes.ts";
import type { Traffic } from "./traffic.ts";
import type { TunnelDevice } from "./tunnel-device.ts";
import type { Uplink } from "./uplinks.ts";

/** The two clocks at one moment: entries end on the wall clock, what forwards them looks at CLOCK_BOOTTIME. */
export interface ClockReading {
  readonly wallMs: number;
  readonly bootMs: number;
}

export interface Forwarder {
  /** What these addresses had before is replaced. @throws SystemCallError where there is no room */
  put(entries: Iterable<ForwardingEntry>, clocks: ClockReading): void;
  /** To be called again and again: it forwards until the time given, on CLOCK_BOOTTIME. @throws where it does not work any more */
  tend(attendedUntilMs: number, uplinks: readonly Uplink[]): void;
  drops(): Record<DropReason, number>;
  trafficOf(homeAddress: Ipv4Address): Traffic;
  /** `undefined`: it drops packets of mobiles that it was told nothing of. */
  readonly passing: Passing | undefined;
  /** Gives back what this process has of it; what is in the kernel may go on. */
  close(): void;
}

/** A way to forward: each time the device is made, it makes what works on that. */
export interface Forwarding {
  make(device: TunnelDevice): Forwarder;
  /** Removes from the kernel what any of its forwarders has put there. */
  remove(): void;
}

export interface DataPlaneOptions {
  /** Programs in the kernel, or a thread of this process. */
  readonly type: "bpf" | "user";
  readonly device: string;
  readonly uplinks: readonly string[] | "auto";
  readonly virtualAddress: Ipv4Address;
  /** By which other members reach this one. */
  readonly ownAddress: Ipv4Address;
  /** Those that home addresses are in. */
  readonly networks: readonly Ipv4Prefix[];
  /** The time that entries go by: the system's clock may have been set, and not be believed. */
  readonly wallMs: () => number;
  /** All entries there are. */
  readonly entries: () => Iterable<ForwardingEntry>;
  /** Packets of these mobiles were passed on to other members: the way is not known here. */
  readonly missed: (homeAddresses: readonly Ipv4Address[]) => void;
  /** Whether it works has changed. */
  readonly changed: () => void;
}

/** Rejects where something is missing that the way to forward needs. `failed`: a forwarder does not work any more. */
export type LoadForwarding = (
  options: DataPlaneOptions,
  libc: Libc,
  failed: (error: Error) => void,
) => Promise<Forwarding>;
