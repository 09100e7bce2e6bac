/** The interface that the virtual network is routed to, on which packets of mobiles are encapsulated and decapsulated. */
import { closeSync } from "node:fs";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import type { Libc } from "../kernel/libc.ts";
import {
  blackhole,
  configureInterface,
  deleteLink,
  dropBlackhole,
  linkUp,
  routeToInterface,
  setMtu,
} from "../kernel/netlink.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { openTun } from "../kernel/tun.ts";

/** What the largest tunnel header takes: IPv4, UDP, and the four octets of RFC 3519 behind them. */
const TUNNEL_OVERHEAD = 32;
/** Below all routes that would otherwise be set. */
const BLACKHOLE_METRIC = 0xffff_fff0;

export class TunnelDevice {
  readonly index: number;
  readonly #libc: Libc;
  readonly #name: string;
  readonly #netlink: NetlinkSocket;
  readonly #networks: readonly Ipv4Prefix[];
  /** What is routed to it can be read from here, and what is written comes out of it; it doesn't block. */
  readonly descriptor: number;
  #uplinkMtu: number | undefined;

  /** Persistent: while no daemon runs, the programs on it go on. @throws SystemCallError */
  constructor(libc: Libc, netlink: NetlinkSocket, name: string, networks: readonly Ipv4Prefix[]) {
    this.#libc = libc;
    this.#name = name;
    this.#netlink = netlink;
    this.#networks = networks;
    this.descriptor = openTun(libc, name, { isPersistent: true });
    this.index = libc.interfaceIndex(name);
  }

  /** Whether it is still there and has not been replaced by another one. */
  get isThere(): boolean {
    try {
      return this.#libc.interfaceIndex(this.#name) === this.index;
    } catch {
      return false;
    }
  }

  /**
   * Whatever is for the networks goes to it; if it vanishes, nowhere, rather than back to the routers. To be called again
   * and again, as it may be set down by others. @throws SystemCallError
   */
  keepRouted(uplinkMtu: number): void {
    const { index } = this;
    const isNew = uplinkMtu !== this.#uplinkMtu;
    if (isNew) {
      this.#netlink.request(setMtu(index, uplinkMtu));
      // A TUN device that no daemon has open counts as a link that is down, which is of no concern to the programs on it.
      this.#netlink.request(configureInterface(index, { forwarding: 1, ignore_routes_with_linkdown: 0 }));
    }
    this.#netlink.request(linkUp(index));
    for (const network of this.#networks) {
      this.#netlink.ensure(blackhole(network, BLACKHOLE_METRIC));
      for (const part of partsOf(network)) {
        this.#netlink.ensure(routeToInterface(index, part, uplinkMtu - TUNNEL_OVERHEAD, { replaces: isNew }));
      }
    }
    this.#uplinkMtu = uplinkMtu;
  }

  /** It stays, with its routes. Last call but `remove`. */
  leave(): void {
    closeSync(this.descriptor);
  }

  /** Its routes go with it. @throws SystemCallError, not for what isn't there any more */
  remove(): void {
    this.#netlink.release(deleteLink(this.index));
    for (const network of this.#networks) this.#netlink.release(dropBlackhole(network, BLACKHOLE_METRIC));
  }
}

/**
 * The halves of a network, which win against whatever route of the whole there is, such as that of an interface for OSPF.
 */
function partsOf({ address, length }: Ipv4Prefix): readonly Ipv4Prefix[] {
  if (length === 32) return [{ address, length }];
  const upper = ((address | (0x8000_0000 >>> length)) >>> 0) as Ipv4Address;
  return [
    { address, length: length + 1 },
    { address: upper, length: length + 1 },
  ];
}
