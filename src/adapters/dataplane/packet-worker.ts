/**
 * Worker thread that takes packets through tunnels, one by one: Node can't wait for a TUN device or a raw socket, so that
 * this thread does nothing else. Between packets it carries out orders.
 *
 *     TUN device ──▶ into a tunnel ──▶ raw socket ──▶ the other end
 *     TUN device ◀── out of a tunnel ◀── raw sockets ◀── the other end
 */
import { randomInt } from "node:crypto";
import { endianness } from "node:os";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import {
  decideFromMobile,
  decideToMobile,
  type Forwarded,
  type HomeEnd,
  type Moment,
} from "../../core/tunnel/home-end.ts";
import { readIpv4Header } from "../../core/tunnel/ipv4-packet.ts";
import {
  decideFromHome,
  decideToHome,
  type HomewardTunnel,
  type MobileEndDropReason,
} from "../../core/tunnel/mobile-end.ts";
import { type Ipv4Address, prefixContains, UNSPECIFIED } from "../../core/wire/ipv4.ts";
import { type Libc, loadLibc, POLLFD_LENGTH, type SystemCallError, socketAddress } from "../kernel/libc.ts";
import { type PacketOrder, type PacketReport, type PacketWorkerData, Stage } from "./packet-worker-messages.ts";
import { NO_TRAFFIC, sumOf, type Traffic } from "./traffic.ts";

const LITTLE_ENDIAN = endianness() === "LE";
const LONGEST_PACKET = 65_535;
/** So many of one descriptor, before the others and orders have their turn. */
const BATCH = 64;
/** The latest time for a report of counts, and for looking for orders even without being woken. */
const REPORT_INTERVAL_MS = 50;
const IDLE_MS = 1000;
/** Of <poll.h>, equal on all platforms of Linux that Node runs on. */
const POLLIN = 1;
const POLL_FAILED = 8 | 16 | 32;
const IDENTIFICATIONS = 0x10000;
/** For lack of memory or of room in a queue; other errors of sending say that there is no way. */
const NO_ROOM = ["ENOBUFS", "ENOMEM", "EAGAIN", "EMSGSIZE"];

/** What is done with a packet that goes one way, and as what it counts. */
interface Direction {
  readonly decide: (packet: Uint8Array, moment: Moment) => Forwarded | MobileEndDropReason;
  readonly traffic: (octets: number) => Traffic;
}

class PacketWorker {
  readonly #libc: Libc;
  readonly #data: PacketWorkerData;
  readonly #tunnels = new Map<Ipv4Address, readonly HomewardTunnel[]>();
  readonly #intoTunnels: Direction;
  readonly #outOfTunnels: Direction;
  readonly #buffer = new Uint8Array(LONGEST_PACKET);
  /** `struct sockaddr_in` of whom a packet is sent to. */
  readonly #receiver = new DataView(socketAddress({ address: UNSPECIFIED, port: 0 }).buffer);
  #here: ReadonlySet<Ipv4Address> = new Set();
  #attendedUntilMs = 0;
  #identification = randomInt(IDENTIFICATIONS);
  #drops = new Map<MobileEndDropReason, number>();
  #traffic = new Map<Ipv4Address, Traffic>();
  #reportedMs = 0;

  constructor(libc: Libc, data: PacketWorkerData) {
    this.#libc = libc;
    this.#data = data;
    const toMobile = (octets: number) => ({ ...NO_TRAFFIC, packetsToMobile: 1, octetsToMobile: octets });
    const fromMobile = (octets: number) => ({ ...NO_TRAFFIC, packetsFromMobile: 1, octetsFromMobile: octets });
    const tunnelsOf = (homeAddress: Ipv4Address) => this.#tunnels.get(homeAddress) ?? [];
    const { end } = data;
    if (end.side === "mobile") {
      const here = { tunnelsOf };
      this.#intoTunnels = { decide: (packet, moment) => decideToHome(packet, here, moment), traffic: fromMobile };
      this.#outOfTunnels = { decide: (packet, moment) => decideFromHome(packet, here, moment), traffic: toMobile };
      return;
    }
    const home: HomeEnd = {
      address: end.address,
      tunnelsOf,
      isHere: (address) => this.#here.has(address),
      isAtHome: (address) => end.networks.some((network) => prefixContains(network, address)),
    };
    this.#intoTunnels = { decide: (packet, moment) => decideToMobile(packet, home, moment), traffic: toMobile };
    this.#outOfTunnels = { decide: (packet, moment) => decideFromMobile(packet, home, moment), traffic: fromMobile };
  }

  /** Until it is told to stop. */
  run(): void {
    const { descriptors, stage } = this.#data;
    const { device, tunnels, wakeUp } = descriptors;
    const sources = [device, ...tunnels, wakeUp];
    const polled = new DataView(new ArrayBuffer(sources.length * POLLFD_LENGTH));
    sources.forEach((descriptor, index) => {
      polled.setInt32(index * POLLFD_LENGTH, descriptor, LITTLE_ENDIAN);
      polled.setInt16(index * POLLFD_LENGTH + 4, POLLIN, LITTLE_ENDIAN);
    });
    const polledBytes = new Uint8Array(polled.buffer);
    while (Atomics.load(stage, 0) === Stage.running) {
      const hasCounts = this.#drops.size > 0 || this.#traffic.size > 0;
      this.#libc.poll(polledBytes, hasCounts ? REPORT_INTERVAL_MS : IDLE_MS);
      const nowMs = this.#libc.bootTimeMs();
      this.#carryOutOrders();
      sources.forEach((descriptor, index) => {
        const found = polled.getInt16(index * POLLFD_LENGTH + 6, LITTLE_ENDIAN);
        if (found === 0) return;
        // The device was deleted by others; the main thread will notice.
        if (descriptor === device && (found & POLL_FAILED) !== 0)
          polled.setInt32(index * POLLFD_LENGTH, -1, LITTLE_ENDIAN);
        else if (descriptor === device) this.#drain(device, (packet) => this.#intoTunnel(packet, nowMs));
        else if (descriptor !== wakeUp) this.#drain(descriptor, (packet) => this.#outOfTunnel(packet, nowMs));
      });
      if (nowMs - this.#reportedMs >= REPORT_INTERVAL_MS) this.#report(nowMs);
    }
  }

  #drain(descriptor: number, take: (packet: Uint8Array) => void): void {
    for (let count = 0; count < BATCH; count++) {
      const length = this.#read(descriptor, this.#buffer);
      if (length === undefined) return;
      take(this.#buffer.subarray(0, length));
    }
  }

  /** What a socket has to say of packets that were sent before is of no use. */
  #read(descriptor: number, buffer: Uint8Array): number | undefined {
    try {
      return this.#libc.read(descriptor, buffer);
    } catch {
      return undefined;
    }
  }

  #carryOutOrders(): void {
    const { descriptors, orders } = this.#data;
    this.#read(descriptors.wakeUp, new Uint8Array(8));
    for (let next = receiveMessageOnPort(orders); next !== undefined; next = receiveMessageOnPort(orders)) {
      this.#carryOut(next.message as PacketOrder);
    }
  }

  #carryOut(order: PacketOrder): void {
    if (order.type === "attend") {
      this.#attendedUntilMs = order.untilMs;
      this.#here = order.here;
      tell({ type: "attended" });
      return;
    }
    const forgotten: Ipv4Address[] = [];
    for (const { homeAddress, tunnels } of order.entries) {
      if (tunnels.length > 0) this.#tunnels.set(homeAddress, tunnels);
      else if (this.#tunnels.delete(homeAddress)) forgotten.push(homeAddress);
    }
    if (forgotten.length === 0) return;
    for (const homeAddress of forgotten) this.#traffic.delete(homeAddress);
    tell({ type: "forgotten", homeAddresses: forgotten });
  }

  #intoTunnel(packet: Uint8Array, nowMs: number): void {
    const forwarded = this.#judge(this.#intoTunnels, packet, nowMs);
    const sent = forwarded?.packets.filter((outer) => this.#send(outer)) ?? [];
    if (forwarded !== undefined && sent.length > 0) this.#count(this.#intoTunnels, forwarded);
  }

  #outOfTunnel(packet: Uint8Array, nowMs: number): void {
    // Any other end of a tunnel on this host has a socket of its own.
    if (readIpv4Header(packet)?.destination !== this.#data.end.address) return;
    const forwarded = this.#judge(this.#outOfTunnels, packet, nowMs);
    if (forwarded?.packets.every((inner) => this.#deliver(inner))) this.#count(this.#outOfTunnels, forwarded);
  }

  #judge({ decide }: Direction, packet: Uint8Array, nowMs: number): Forwarded | undefined {
    this.#identification = (this.#identification + 1) % IDENTIFICATIONS;
    const moment = { nowMs, identification: this.#identification };
    const decision = nowMs < this.#attendedUntilMs ? decide(packet, moment) : "unattended";
    if (typeof decision !== "string") return decision;
    this.#drop(decision);
    return undefined;
  }

  #send(outer: Uint8Array): boolean {
    const { destination = 0 } = readIpv4Header(outer) ?? {};
    this.#receiver.setUint32(4, destination);
    try {
      this.#libc.sendto(this.#data.descriptors.sender, outer, 0, new Uint8Array(this.#receiver.buffer));
      return true;
    } catch (error) {
      this.#drop(NO_ROOM.includes((error as SystemCallError).code) ? "no-memory" : "care-of-unreachable");
      return false;
    }
  }

  #deliver(inner: Uint8Array): boolean {
    try {
      this.#libc.write(this.#data.descriptors.device, inner);
      return true;
    } catch {
      this.#drop("no-memory");
      return false;
    }
  }

  #drop(reason: MobileEndDropReason): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }

  #count({ traffic }: Direction, { homeAddress, octets }: Forwarded): void {
    this.#traffic.set(homeAddress, sumOf(this.#traffic.get(homeAddress) ?? NO_TRAFFIC, traffic(octets)));
  }

  #report(nowMs: number): void {
    if (this.#drops.size === 0 && this.#traffic.size === 0) return;
    this.#reportedMs = nowMs;
    tell({ type: "counts", drops: this.#drops, traffic: this.#traffic });
    this.#drops = new Map();
    this.#traffic = new Map();
  }
}

function tell(report: PacketReport): void {
  parentPort?.postMessage(report);
}

// What is thrown from here on ends the thread, and is told to the main one.
const data = workerData as PacketWorkerData;
const libc = await loadLibc();
if (Atomics.compareExchange(data.stage, 0, Stage.starting, Stage.running) === Stage.starting) {
  try {
    new PacketWorker(libc, data).run();
  } finally {
    Atomics.store(data.stage, 0, Stage.stopped);
    Atomics.notify(data.stage, 0);
  }
}
