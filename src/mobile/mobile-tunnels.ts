/**
 * The tunnels of a foreign agent for its visitors, or of a mobile node with a co-located care-of address for itself:
 *
 *   correspondent ──▶ home agent ══tunnel══▶ raw socket ──▶ device ── table of visitors ──▶ mobile
 *   correspondent ◀── home agent ◀══tunnel══ raw socket ◀── device ◀── rule of its address ── mobile
 *
 * Rules, and routes in tables of our own, concern nothing but packets of tunnels, of mobiles that may send by them, and of this
 * host itself: what a home agent says of an address changes the way of no other packet that is forwarded here.
 */
import { closeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { ClockReading } from "../adapters/dataplane/forwarder.ts";
import { SlowPath } from "../adapters/dataplane/slow-path.ts";
import type { Traffic } from "../adapters/dataplane/traffic.ts";
import { findUplinks } from "../adapters/dataplane/uplinks.ts";
import { type Libc, loadLibc } from "../adapters/kernel/libc.ts";
import {
  addRule,
  configureInterface,
  defaultRouteInTable,
  dropRouteInTable,
  dropRule,
  leaseAddress,
  linkUp,
  type RoutingRule,
  RT_TABLE_MAIN,
  routeByGateway,
  setMtu,
} from "../adapters/kernel/netlink.ts";
import { NetlinkSocket } from "../adapters/kernel/netlink-socket.ts";
import { openTun } from "../adapters/kernel/tun.ts";
import { encapsulationOf } from "../core/forwarding/forwarding-entry.ts";
import type { HomewardTunnel } from "../core/tunnel/mobile-end.ts";
import { formatIpv4, type Ipv4Address } from "../core/wire/ipv4.ts";
import { RequestFlag } from "../core/wire/registration-message.ts";
import type { Visitor } from "./visitor-list.ts";

const TENDING_INTERVAL_MS = 1000;
/** Of CLOCK_BOOTTIME: nobody relies on tunnels of a process that hangs for longer. */
const ATTENDED_MS = 30_000;
/** What the largest tunnel header takes. */
const TUNNEL_OVERHEAD = 32;
const FOREVER = 0xffff_ffff;
/** Numbers of routing tables and rules, of which others should have none. */
const TABLE_TO_HOME = 143;
const TABLE_TO_VISITORS = 144;
const FIRST_PRIORITY = 10_434;
/** What rules call the interface that packets of this host itself come from. */
const LOCALLY_GENERATED = "lo";

export interface MobileTunnelsOptions {
  /** Name of the TUN interface that is made. */
  readonly device: string;
  readonly careOfAddress: Ipv4Address;
  /** They don't work any more. */
  readonly failed: (error: Error) => void;
}

/** A mobile that is registered with a care-of address of this host. */
export type TunnelledMobile = Pick<Visitor, "homeAddress" | "homeAgent" | "careOfAddress" | "flags" | "expiresAtMs">;

export class MobileTunnels {
  readonly #libc: Libc;
  readonly #netlink: NetlinkSocket;
  readonly #options: MobileTunnelsOptions;
  readonly #tun: number;
  readonly #index: number;
  readonly #slowPath: SlowPath;
  readonly #mobiles = new Map<Ipv4Address, TunnelledMobile>();
  readonly #timer: NodeJS.Timeout;

  private constructor(libc: Libc, netlink: NetlinkSocket, options: MobileTunnelsOptions) {
    this.#libc = libc;
    this.#netlink = netlink;
    this.#options = options;
    const { device, careOfAddress, failed } = options;
    this.#tun = openTun(libc, device, { isPersistent: false });
    try {
      this.#index = libc.interfaceIndex(device);
      this.#setUpRouting();
      this.#slowPath = new SlowPath(libc, this.#tun, { side: "mobile", address: careOfAddress }, failed);
    } catch (error) {
      closeSync(this.#tun);
      throw error;
    }
    this.#tend();
    this.#timer = setInterval(() => this.#tend(), TENDING_INTERVAL_MS);
  }

  /** Rejects with a system error without CAP_NET_ADMIN and CAP_NET_RAW, or if the device is another process's. */
  static async open(options: MobileTunnelsOptions): Promise<MobileTunnels> {
    const libc = await loadLibc();
    const netlink = new NetlinkSocket(libc);
    try {
      return new MobileTunnels(libc, netlink, options);
    } catch (error) {
      netlink.close();
      throw error;
    }
  }

  /** Why packets were dropped, and how many. */
  get drops(): ReadonlyMap<string, number> {
    return this.#slowPath.drops;
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    return this.#slowPath.trafficOf(homeAddress);
  }

  /** A mobile is registered, perhaps again. `gateway`: the address by which it is reached, if its home address is not here. */
  put(mobile: TunnelledMobile, gateway: Ipv4Address | undefined): void {
    const { homeAddress, homeAgent, careOfAddress, flags, expiresAtMs } = mobile;
    if (careOfAddress !== this.#options.careOfAddress) return;
    const isReverse = (flags & RequestFlag.T) !== 0;
    const tunnel = { homeAgent, careOfAddress, isReverse, expiresAtMs, encapsulation: encapsulationOf(flags) };
    this.#mobiles.set(homeAddress, mobile);
    this.#slowPath.put([{ homeAddress, tunnels: [tunnel] satisfies HomewardTunnel[] }], this.#clocks());
    if (gateway === undefined)
      this.#netlink.request(leaseAddress(this.#index, { address: homeAddress, length: 32 }, FOREVER));
    else if (gateway !== homeAddress) {
      this.#netlink.request(routeByGateway(TABLE_TO_VISITORS, homeAddress, gateway));
    }
    if (isReverse) this.#netlink.ensure(addRule(ruleOf(homeAddress)));
    else this.#netlink.release(dropRule(ruleOf(homeAddress)));
  }

  /** A mobile isn't registered here any more. */
  remove({ homeAddress, homeAgent }: Pick<TunnelledMobile, "homeAddress" | "homeAgent">): void {
    if (this.#mobiles.get(homeAddress)?.homeAgent !== homeAgent) return;
    this.#mobiles.delete(homeAddress);
    this.#slowPath.put([{ homeAddress, tunnels: [] }], this.#clocks());
    this.#netlink.release(dropRule(ruleOf(homeAddress)));
    this.#netlink.release(dropRouteInTable(TABLE_TO_VISITORS, homeAddress));
  }

  /** Leaves nothing behind. */
  close(): void {
    clearInterval(this.#timer);
    for (const mobile of [...this.#mobiles.values()]) this.remove(mobile);
    for (const rule of this.#deviceRules()) this.#netlink.release(dropRule(rule));
    this.#slowPath.close();
    closeSync(this.#tun);
    this.#netlink.close();
  }

  #setUpRouting(): void {
    const uplink = interfaceOf(this.#options.careOfAddress);
    this.#netlink.request(setMtu(this.#index, this.#libc.interfaceMtu(uplink) - TUNNEL_OVERHEAD));
    this.#netlink.request(linkUp(this.#index));
    for (const index of [this.#index, ...findUplinks(this.#libc, "auto").map((it) => it.index)]) {
      this.#netlink.request(configureInterface(index, { forwarding: 1 }));
    }
    this.#netlink.request(defaultRouteInTable(TABLE_TO_HOME, this.#index));
    for (const rule of this.#deviceRules()) this.#netlink.ensure(addRule(rule));
  }

  /**
   * What leaves a tunnel goes to a visitor and never into a tunnel again here, though it may come from a visitor as well. What this
   * host sends to a visitor itself, such as "fragmentation needed", goes straight to it: a home agent takes nothing from the care-of
   * address for it.
   */
  #deviceRules(): RoutingRule[] {
    const { device } = this.#options;
    return [
      { priority: FIRST_PRIORITY, incomingInterface: device, table: TABLE_TO_VISITORS },
      { priority: FIRST_PRIORITY + 1, incomingInterface: device, table: RT_TABLE_MAIN },
      { priority: FIRST_PRIORITY + 2, incomingInterface: LOCALLY_GENERATED, table: TABLE_TO_VISITORS },
    ];
  }

  #tend(): void {
    try {
      this.#slowPath.tend(this.#libc.bootTimeMs() + ATTENDED_MS);
    } catch (error) {
      this.#options.failed(error as Error);
    }
  }

  #clocks(): ClockReading {
    return { wallMs: Date.now(), bootMs: this.#libc.bootTimeMs() };
  }
}

/** What a mobile sends goes home first. */
function ruleOf(homeAddress: Ipv4Address): RoutingRule {
  return { priority: FIRST_PRIORITY + 3, table: TABLE_TO_HOME, source: homeAddress };
}

function interfaceOf(address: Ipv4Address): string {
  const text = formatIpv4(address);
  const [name] = Object.entries(networkInterfaces()).find(([, all]) => all?.some((it) => it.address === text)) ?? [];
  if (name === undefined) throw new Error(`no interface of this host has the care-of address ${text}`);
  return name;
}
