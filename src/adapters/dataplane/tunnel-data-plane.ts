/**
 * The data plane of a home agent: a device that the virtual network is routed to, the uplinks by which tunnels come and go,
 * and a forwarder between them. It keeps all of that in its place, and says whether it works.
 */
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import { DROP_REASONS, type DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import { forwards } from "../kernel/forwards.ts";
import { type Libc, loadLibc } from "../kernel/libc.ts";
import { configureInterface } from "../kernel/netlink.ts";
import { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { loadBpfForwarding } from "./bpf-forwarder.ts";
import type { DataPlane } from "./data-plane.ts";
import type { ClockReading, DataPlaneOptions, Forwarder, Forwarding, LoadForwarding } from "./forwarder.ts";
import { type Homes, NO_HOMES, type PassedOn, type Passing } from "./homes.ts";
import { NO_TRAFFIC, type Traffic } from "./traffic.ts";
import { TunnelDevice } from "./tunnel-device.ts";
import { findUplinks, type Uplink } from "./uplinks.ts";
import { loadUserForwarding } from "./user-forwarder.ts";

/** How often it is looked whether everything is in its place. */
const TENDING_INTERVAL_MS = 1000;
/** Longer than routers take to notice that a daemon is gone, by BGP's usual hold times too. */
const FORWARDING_OUTLIVES_DAEMON_MS = 30_000;

/** How often it is looked whether there are packets of mobiles that nobody here knows, and of how many at once. */
const MISSED_INTERVAL_MS = 20;
const MISSED_AT_ONCE = 256;

const LOAD: Record<DataPlaneOptions["type"], LoadForwarding> = { bpf: loadBpfForwarding, user: loadUserForwarding };

interface System {
  readonly libc: Libc;
  readonly netlink: NetlinkSocket;
  readonly forwarding: Forwarding;
}

/** What has to be there for packets to flow. */
interface Works {
  readonly forwarder: Forwarder;
  readonly device: TunnelDevice;
  uplinks: readonly Uplink[];
}

export class TunnelDataPlane implements DataPlane {
  failure: string | undefined = "not set up yet";
  readonly #options: DataPlaneOptions;
  #system: System | undefined;
  #works: Works | undefined;
  /** What was made last: to be removed in the end, whether or not it works then. */
  #device: TunnelDevice | undefined;
  #timer: NodeJS.Timeout | undefined;
  #missedTimer: NodeJS.Timeout | undefined;
  #homes = NO_HOMES;
  #alive: readonly Ipv4Address[] = [];
  #isStopped = false;
  /**
   * CLOCK_BOOTTIME minus our monotonic clock, which stands still in a suspend; reading it for each change would take too
   * long.
   */
  #bootOffsetMs = 0;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  get type(): DataPlaneOptions["type"] {
    return this.#options.type;
  }

  get uplinks(): readonly string[] {
    return this.#works?.uplinks.map(({ name }) => name) ?? [];
  }

  async start(): Promise<void> {
    try {
      const libc = await loadLibc();
      const forwarding = await LOAD[this.type](this.#options, libc, (error) => this.#fail(error));
      if (this.#isStopped) return;
      this.#system = { libc, forwarding, netlink: new NetlinkSocket(libc) };
    } catch (error) {
      this.#fail(error);
      this.#timer = setTimeout(() => void this.start(), TENDING_INTERVAL_MS);
      return;
    }
    this.#tend();
    this.#missedTimer = setInterval(() => this.#reportMissed(), MISSED_INTERVAL_MS);
  }

  forward(entries: readonly ForwardingEntry[]): void {
    try {
      this.#works?.forwarder.put(entries, this.#clocks());
    } catch (error) {
      this.#fail(error);
    }
  }

  setHomes(homes: Homes): void {
    this.#homes = homes;
    this.#tell((passing) => {
      passing.setHomes(homes);
      passing.setAlive(this.#alive);
    });
  }

  setAlive(members: readonly Ipv4Address[]): void {
    this.#alive = members;
    this.#tell((passing) => passing.setAlive(members));
  }

  passedOn(): PassedOn {
    return this.#works?.forwarder.passing?.passedOn() ?? { toMobile: 0, fromMobile: 0 };
  }

  drops(): Record<DropReason, number> {
    return this.#works?.forwarder.drops() ?? NO_DROPS;
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    return this.#works?.forwarder.trafficOf(homeAddress) ?? NO_TRAFFIC;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#missedTimer);
    this.#system?.forwarding.remove();
    this.#letGo();
    this.#device?.remove();
    this.#system?.netlink.close();
  }

  #tell(tell: (passing: Passing) => void): void {
    try {
      const passing = this.#works?.forwarder.passing;
      if (passing !== undefined) tell(passing);
    } catch (error) {
      this.#fail(error);
    }
  }

  #reportMissed(): void {
    const homeAddresses = this.#works?.forwarder.passing?.takeMissed(MISSED_AT_ONCE) ?? [];
    if (homeAddresses.length > 0) this.#options.missed(homeAddresses);
  }

  /** Checks now and at intervals: interfaces come and go, and an administrator of the host may remove what is ours. */
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

  #letGo(): void {
    this.#works?.forwarder.close();
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
    const { forwarder, device } = this.#works;
    forwarder.tend(this.#clocks().bootMs + FORWARDING_OUTLIVES_DAEMON_MS, uplinks);
    const known = this.#works.uplinks.map(({ index }) => index);
    for (const { name, index } of uplinks) {
      // Packets of mobiles are not for this host. Its virtual address is on no link: who asks neighbors by it gets no
      // answer.
      if (known.includes(index) && forwards(name)) continue;
      netlink.request(configureInterface(index, { forwarding: 1, arp_announce: 2 }));
    }
    device.keepRouted(Math.min(...uplinks.map(({ mtu }) => mtu)));
    if (!forwards(this.#options.device)) netlink.request(configureInterface(device.index, { forwarding: 1 }));
    this.#works.uplinks = uplinks;
  }

  #clocks(): ClockReading {
    return { wallMs: this.#options.wallMs(), bootMs: performance.now() + this.#bootOffsetMs };
  }

  #setUp({ libc, netlink, forwarding }: System): Works {
    const { device: name, networks, entries } = this.#options;
    const device = new TunnelDevice(libc, netlink, name, networks);
    this.#device = device;
    let forwarder: Forwarder | undefined;
    try {
      forwarder = forwarding.make(device);
      forwarder.put(entries(), this.#clocks());
      forwarder.passing?.setHomes(this.#homes);
      forwarder.passing?.setAlive(this.#alive);
      return { forwarder, device, uplinks: [] };
    } catch (error) {
      forwarder?.close();
      device.leave();
      throw error;
    }
  }
}

const NO_DROPS = Object.fromEntries(Object.keys(DROP_REASONS).map((reason) => [reason, 0])) as Record<
  DropReason,
  number
>;
