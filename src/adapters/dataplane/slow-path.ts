/**
 * Forwarding in user space: the main thread's end of the worker that does it. Packets wait in the device's and the sockets'
 * queues, which are bounded, and flow as long as this process runs.
 */
import { closeSync, writeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { MessageChannel, Worker } from "node:worker_threads";
import { TUNNEL_PROTOCOLS } from "../../core/tunnel/encapsulation.ts";
import type { MobileEndDropReason } from "../../core/tunnel/mobile-end.ts";
import { directedBroadcast, type Ipv4Address, parseIpv4 } from "../../core/wire/ipv4.ts";
import { entryFile } from "../kernel/entry-file.ts";
import { AF_INET, type Libc, SOCK_RAW } from "../kernel/libc.ts";
import type { ClockReading } from "./forwarder.ts";
import {
  type PacketDescriptors,
  type PacketOrder,
  type PacketReport,
  type PacketWorkerData,
  Stage,
  type WorkerEnd,
  type WorkerEntry,
} from "./packet-worker-messages.ts";
import { NO_TRAFFIC, sumOf, type Traffic } from "./traffic.ts";

const ENTRY = entryFile(new URL("./packet-worker.ts", import.meta.url));
/** Of entries in one order. */
const BATCH = 4096;
/** A worker that leaves so many looks at it unanswered does not work any more. */
const UNANSWERED_LIMIT = 30;
/** It looks at its orders between two packets. */
const STOP_MS = 5000;
/** Of <netinet/in.h>: the header is in what is sent (raw(7)). */
const IPPROTO_RAW = 255;
/** Octets that wait at most on each socket. */
const RECEIVE_BUFFER = 4_000_000;
const ADDRESS_BITS = 32;

export class SlowPath {
  readonly #worker: Worker;
  readonly #descriptors: PacketDescriptors;
  readonly #channel = new MessageChannel();
  readonly #stage = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  /** Since it began. */
  readonly drops = new Map<MobileEndDropReason, number>();
  readonly #traffic = new Map<Ipv4Address, Traffic>();
  #unanswered = 0;
  #isClosed = false;

  /**
   * @param device descriptor of a TUN device, which stays the caller's to close, after this
   * @param failed the worker has ended by itself: nothing is forwarded any more
   * @throws SystemCallError without CAP_NET_RAW (`EPERM`)
   */
  constructor(libc: Libc, device: number, end: WorkerEnd, failed: (error: Error) => void) {
    this.#descriptors = openDescriptors(libc, device);
    const workerData: PacketWorkerData = {
      end,
      descriptors: this.#descriptors,
      orders: this.#channel.port2,
      stage: this.#stage,
    };
    this.#worker = new Worker(ENTRY, { name: "packet worker", workerData, transferList: [this.#channel.port2] });
    this.#worker.on("message", (report: PacketReport) => this.#take(report));
    let reason = new Error("the thread that forwards packets has ended");
    this.#worker.on("error", (error) => {
      reason = error as Error;
    });
    this.#worker.once("exit", () => {
      // A thread that was ended from outside could not say so.
      Atomics.store(this.#stage, 0, Stage.stopped);
      if (!this.#isClosed) failed(reason);
    });
  }

  /** What these addresses had before is replaced. Their tunnels end on the wall clock. */
  put(entries: Iterable<WorkerEntry>, { wallMs, bootMs }: ClockReading): void {
    let batch: WorkerEntry[] = [];
    const order = () => {
      this.#order({ type: "put", entries: batch });
      batch = [];
    };
    for (const { homeAddress, tunnels } of entries) {
      const onBootClock = tunnels.map((tunnel) => ({ ...tunnel, expiresAtMs: tunnel.expiresAtMs - wallMs + bootMs }));
      if (batch.push({ homeAddress, tunnels: onBootClock }) === BATCH) order();
    }
    if (batch.length > 0) order();
  }

  /** To be called every second: it forwards until the time given, on CLOCK_BOOTTIME. @throws where the worker doesn't answer */
  tend(attendedUntilMs: number): void {
    if (this.#unanswered === UNANSWERED_LIMIT) throw new Error("the thread that forwards packets does not answer");
    this.#unanswered += 1;
    this.#order({ type: "attend", untilMs: attendedUntilMs, here: addressesHere() });
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    return this.#traffic.get(homeAddress) ?? NO_TRAFFIC;
  }

  /** Waits for the worker to leave the descriptors alone, a packet's time. */
  close(): void {
    this.#isClosed = true;
    const stage = this.#stage;
    Atomics.compareExchange(stage, 0, Stage.starting, Stage.stopped);
    if (Atomics.compareExchange(stage, 0, Stage.running, Stage.stopping) === Stage.running) {
      this.#wakeUp();
      Atomics.wait(stage, 0, Stage.stopping, STOP_MS);
    }
    const { tunnels, sender, wakeUp } = this.#descriptors;
    for (const descriptor of [...tunnels, sender, wakeUp]) closeSync(descriptor);
    this.#channel.port1.close();
    void this.#worker.terminate();
  }

  #take(report: PacketReport): void {
    if (report.type === "attended") this.#unanswered = 0;
    else if (report.type === "forgotten")
      for (const homeAddress of report.homeAddresses) this.#traffic.delete(homeAddress);
    else {
      for (const [reason, count] of report.drops) this.drops.set(reason, (this.drops.get(reason) ?? 0) + count);
      for (const [mobile, traffic] of report.traffic) this.#traffic.set(mobile, sumOf(this.trafficOf(mobile), traffic));
    }
  }

  #order(order: PacketOrder): void {
    this.#channel.port1.postMessage(order);
    this.#wakeUp();
  }

  #wakeUp(): void {
    writeSync(this.#descriptors.wakeUp, new Uint8Array(BigUint64Array.of(1n).buffer));
  }
}

function openDescriptors(libc: Libc, device: number): PacketDescriptors {
  const opened = new DisposableStack();
  const closing = (descriptor: number) => {
    opened.defer(() => closeSync(descriptor));
    return descriptor;
  };
  const rawSocket = (protocol: number) => closing(libc.socket(AF_INET, SOCK_RAW | libc.SOCK_NONBLOCK, protocol));
  try {
    const tunnels = Object.values(TUNNEL_PROTOCOLS).map((protocol) => {
      const socket = rawSocket(protocol);
      libc.setReceiveBuffer(socket, RECEIVE_BUFFER);
      return socket;
    });
    const descriptors = {
      device,
      tunnels,
      sender: rawSocket(IPPROTO_RAW),
      wakeUp: closing(libc.eventDescriptor()),
    };
    opened.move();
    return descriptors;
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

/** What is sent to one of these is not for another single host. */
function addressesHere(): Set<Ipv4Address> {
  const here = new Set<Ipv4Address>();
  for (const { family, address: text, cidr } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
    const address = family === "IPv4" ? parseIpv4(text) : undefined;
    if (address === undefined) continue;
    here.add(address);
    const length = Number(cidr?.split("/")[1] ?? ADDRESS_BITS);
    // Networks of two addresses have no broadcast address (RFC 3021 2.1).
    if (length < ADDRESS_BITS - 1) here.add(directedBroadcast({ address, length }));
  }
  return here;
}
