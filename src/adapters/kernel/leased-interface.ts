import { closeSync } from "node:fs";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { type Libc, loadLibc } from "./libc.ts";
import { dropAddress, leaseAddress, linkUp } from "./netlink.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { openTun } from "./tun.ts";

/**
 * An interface that exists as long as this process does, with networks on it that exist as long as this process renews
 * them.
 *
 * It is a TUN interface without a persistent name: the kernel removes it when its descriptor is closed, however the process
 * ends. Its addresses have a lifetime that runs out if the process is there but hangs. What is routed to it is dropped.
 */
export class LeasedInterface {
  readonly name: string;
  readonly #tun: number;
  readonly #netlink: NetlinkSocket;
  readonly #index: number;

  private constructor(libc: Libc, name: string, tun: number, netlink: NetlinkSocket) {
    this.name = name;
    this.#tun = tun;
    this.#netlink = netlink;
    this.#index = libc.interfaceIndex(name);
    netlink.request(linkUp(this.#index));
  }

  /** Rejects without CAP_NET_ADMIN (`EPERM`), or if another process has an interface of this name (`EBUSY`). */
  static async open(name: string): Promise<LeasedInterface> {
    const libc = await loadLibc();
    const opened = new DisposableStack();
    try {
      const tun = openTun(libc, name, { isPersistent: false });
      opened.defer(() => closeSync(tun));
      const netlink = new NetlinkSocket(libc);
      opened.defer(() => netlink.close());
      return new LeasedInterface(libc, name, tun, netlink);
    } catch (error) {
      opened.dispose();
      throw new Error(`the interface ${name} can't be made: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Makes a network a connected one for this many seconds, or prolongs that. @throws SystemCallError */
  lease(network: Ipv4Prefix, seconds: number): void {
    // The interface may have been set down by others.
    this.#netlink.request(linkUp(this.#index));
    this.#netlink.request(leaseAddress(this.#index, network, seconds));
  }

  /** @throws SystemCallError, but not if the network has already gone */
  drop(network: Ipv4Prefix): void {
    this.#netlink.release(dropAddress(this.#index, network));
  }

  close(): void {
    closeSync(this.#tun);
    this.#netlink.close();
  }
}
