/** The interface that the virtual network is routed to, on which packets of mobiles are encapsulated and decapsulated. */
import { closeSync } from "node:fs";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
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
/** Below all routes that anybody would set. */
const BLACKHOLE_METRIC = 0xffff_fff0;

export class TunnelDevice {
  readonly index: number;
  readonly #netlink: NetlinkSocket;
  readonly #networks: readonly Ipv4Prefix[];
  readonly #tun: number;
  #uplinkMtu: number | undefined;

  /** Persistent: while no daemon runs, the programs on it go on. @throws SystemCallError */
  constructor(libc: Libc, netlink: NetlinkSocket, name: string, networks: readonly Ipv4Prefix[]) {
    this.#netlink = netlink;
    this.#networks = networks;
    this.#tun = openTun(libc, name, { isPersistent: true });
    this.index = libc.interfaceIndex(name);
  }

  /**
   * Whatever is for the networks goes to it; if it vanishes, nowhere, rather than back to the routers. To be called again and
   * again, as somebody may set it down. @throws SystemCallError
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
      const route = routeToInterface(index, network, uplinkMtu - TUNNEL_OVERHEAD, { replaces: isNew });
      this.#netlink.ensure(route);
    }
    this.#uplinkMtu = uplinkMtu;
  }

  /** It stays, with its routes. */
  leave(): void {
    closeSync(this.#tun);
  }

  /** Its routes go with it. @throws SystemCallError */
  remove(): void {
    this.leave();
    this.#netlink.request(deleteLink(this.index));
    for (const network of this.#networks) this.#netlink.request(dropBlackhole(network, BLACKHOLE_METRIC));
  }
}
