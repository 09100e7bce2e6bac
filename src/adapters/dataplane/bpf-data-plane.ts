/**
 * Forwarding by programs in the kernel (tunnels.bpf.c). They go on when this process is killed or hangs, for as long as routes
 * may take to go; whoever starts next fills maps of its own, and puts its programs in their place in one step.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import { DROP_REASONS, type DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { forwards } from "../kernel/forwards.ts";
import { type Libc, loadLibc } from "../kernel/libc.ts";
import { configureInterface } from "../kernel/netlink.ts";
import { NetlinkSocket } from "../kernel/netlink-socket.ts";
import type { DataPlane } from "./data-plane.ts";
import { type BpfObject, type Libbpf, loadLibbpf, type Place } from "./libbpf.ts";
import { TunnelDevice } from "./tunnel-device.ts";
import { type ClockReading, type Traffic, TunnelMaps } from "./tunnel-maps.ts";
import { findUplinks, type Uplink } from "./uplinks.ts";

/** How often it is looked whether everything is in its place. */
const TENDING_INTERVAL_MS = 1000;
/** Longer than routers take to notice that a daemon is gone, by BGP's usual hold times too. */
const FORWARDING_OUTLIVES_DAEMON_MS = 30_000;
const PROGRAMS = fileURLToPath(new URL("./tunnels.bpf.o", import.meta.url));

export interface BpfDataPlaneOptions {
  readonly device: string;
  readonly uplinks: readonly string[] | "auto";
  readonly virtualAddress: Ipv4Address;
  /** Those that home addresses are in. */
  readonly networks: readonly Ipv4Prefix[];
  /** The time that entries go by: the system's clock may have been set, and not be believed. */
  readonly wallMs: () => number;
  /** All entries there are. */
  readonly entries: () => Iterable<ForwardingEntry>;
  /** Whether it works has changed. */
  readonly changed: () => void;
}

interface System {
  readonly libc: Libc;
  readonly libbpf: Libbpf;
  readonly netlink: NetlinkSocket;
}

/** What has to be there for packets to flow. */
interface Works {
  readonly object: BpfObject;
  readonly maps: TunnelMaps;
  readonly device: TunnelDevice;
  /** Where programs of `object` are. */
  readonly attached: Set<string>;
  uplinks: readonly Uplink[];
}

export class BpfDataPlane implements DataPlane {
  failure: string | undefined = "not set up yet";
  readonly #options: BpfDataPlaneOptions;
  #system: System | undefined;
  #works: Works | undefined;
  /** What was made last, and all places where something was attached: to be removed in the end, whether or not it works then. */
  #device: TunnelDevice | undefined;
  readonly #places = new Map<string, Place>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** CLOCK_BOOTTIME minus our monotonic clock, which stands still in a suspend; reading it for each change would take too long. */
  #bootOffsetMs = 0;

  constructor(options: BpfDataPlaneOptions) {
    this.#options = options;
  }

  get uplinks(): readonly string[] {
    return this.#works?.uplinks.map(({ name }) => name) ?? [];
  }

  async start(): Promise<void> {
    try {
      const libc = await loadLibc();
      const libbpf = await loadLibbpf();
      if (this.#isStopped) return;
      this.#system = { libc, libbpf, netlink: new NetlinkSocket(libc) };
    } catch (error) {
      this.#fail(error);
      this.#timer = setTimeout(() => void this.start(), TENDING_INTERVAL_MS);
      return;
    }
    this.#tend();
  }

  forward(entries: readonly ForwardingEntry[]): void {
    try {
      this.#works?.maps.put(entries, this.#clocks());
    } catch (error) {
      this.#fail(error);
    }
  }

  drops(): Record<DropReason, number> {
    return this.#works?.maps.drops() ?? NO_DROPS;
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    return this.#works?.maps.trafficOf(homeAddress) ?? NO_TRAFFIC;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const place of this.#places.values()) this.#system?.libbpf.detach(place);
    this.#letGo();
    this.#device?.remove();
    this.#system?.netlink.close();
  }

  /** Now and from time to time: interfaces come and go, and whoever administers the host may remove what is ours. */
  #tend(): void {
    try {
      this.#keepWorking();
      if (this.failure !== undefined) {
        this.failure = undefined;
        this.#options.changed();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#timer = setTimeout(() => this.#tend(), TENDING_INTERVAL_MS);
  }

  /** What is attached stays until programs of another object are put in its place, or the time of these is over. */
  #letGo(): void {
    this.#works?.object.close();
    this.#works?.device.leave();
    this.#works = undefined;
  }

  #fail(error: unknown): void {
    this.#letGo();
    const { message } = error as Error;
    if (this.failure === message) return;
    this.failure = message;
    this.#options.changed();
  }

  #keepWorking(): void {
    if (this.#system === undefined) return;
    const { libc, netlink } = this.#system;
    const uplinks = findUplinks(libc, this.#options.uplinks);
    if (uplinks.length === 0) throw new Error(`there is no uplink (${String(this.#options.uplinks)})`);
    this.#bootOffsetMs = libc.bootTimeMs() - performance.now();
    if (this.#works?.device.isThere === false) this.#letGo();
    this.#works ??= this.#setUp(this.#system);
    const { maps, device } = this.#works;
    maps.attendUntil(this.#clocks().bootMs + FORWARDING_OUTLIVES_DAEMON_MS);
    this.#attach(this.#works, "encapsulate", { interfaceIndex: device.index, hook: "egress" });
    for (const { name, index } of uplinks) {
      const isNew = this.#attach(this.#works, "decapsulate", { interfaceIndex: index, hook: "ingress" });
      // Packets of mobiles are not for this host. Its virtual address is on no link: who asks neighbors by it gets no answer.
      if (isNew || !forwards(name)) netlink.request(configureInterface(index, { forwarding: 1, arp_announce: 2 }));
    }
    device.keepRouted(Math.min(...uplinks.map(({ mtu }) => mtu)));
    if (!forwards(this.#options.device)) netlink.request(configureInterface(device.index, { forwarding: 1 }));
    this.#works.uplinks = uplinks;
  }

  #clocks(): ClockReading {
    return { wallMs: this.#options.wallMs(), bootMs: performance.now() + this.#bootOffsetMs };
  }

  #setUp({ libc, libbpf, netlink }: System): Works {
    const { device: name, networks, virtualAddress, entries } = this.#options;
    if (!existsSync(PROGRAMS)) throw new Error(`${PROGRAMS} is missing: the programs for the kernel are not compiled`);
    const object = libbpf.load(PROGRAMS);
    let device: TunnelDevice | undefined;
    try {
      device = new TunnelDevice(libc, netlink, name, networks);
      this.#device = device;
      const maps = new TunnelMaps(object);
      maps.configure(virtualAddress, device.index);
      maps.put(entries(), this.#clocks());
      return { object, maps, device, attached: new Set(), uplinks: [] };
    } catch (error) {
      device?.leave();
      object.close();
      throw error;
    }
  }

  /** Whether it had to be. The program of the daemon before this one is replaced, as it has maps of its own. */
  #attach({ object, attached }: Works, program: string, { interfaceIndex, hook }: Omit<Place, "handle">): boolean {
    const name = `${interfaceIndex} ${hook}`;
    // Several daemons on a host have an address each: the program of another one stays beside ours.
    const place = { interfaceIndex, hook, handle: this.#options.virtualAddress };
    if (this.#system === undefined) return false;
    if (attached.has(name) && this.#system.libbpf.isAttached(place)) return false;
    this.#system.libbpf.attach(object.program(program), place);
    attached.add(name);
    this.#places.set(name, place);
    return true;
  }
}

const NO_TRAFFIC: Traffic = { packetsToMobile: 0, octetsToMobile: 0, packetsFromMobile: 0, octetsFromMobile: 0 };
const NO_DROPS = Object.fromEntries(Object.keys(DROP_REASONS).map((reason) => [reason, 0])) as Record<
  DropReason,
  number
>;
