import { closeSync, constants, openSync } from "node:fs";
import { endianness } from "node:os";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { type Libc, loadLibc, SystemCallError } from "./libc.ts";
import { dropAddress, errnoOf, leaseAddress, linkUp } from "./netlink.ts";

/** Of <sys/socket.h>, <linux/netlink.h> and <linux/if_tun.h>; equal on all platforms of Linux that Node runs on. */
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_NL_LENGTH = 12;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFREQ_LENGTH = 40;
const INTERFACE_NAME_LENGTH = 16;

const ANSWER_LENGTH = 4096;

/**
 * An interface that is there as long as this process is, with networks on it that are there as long as this process says so.
 *
 * It is a TUN interface without a persistent name: the kernel removes it when its descriptor is closed, by whatever end of the
 * process. Its addresses have a lifetime that runs off when the process is there, but hangs. What is routed to it is dropped.
 */
export class LeasedInterface {
  readonly name: string;
  readonly #libc: Libc;
  readonly #tun: number;
  readonly #netlink: number;
  readonly #index: number;

  private constructor(libc: Libc, name: string, tun: number, netlink: number) {
    this.#libc = libc;
    this.name = name;
    this.#tun = tun;
    this.#netlink = netlink;
    this.#index = libc.interfaceIndex(name);
    this.#request(linkUp(this.#index));
  }

  /** Rejects without CAP_NET_ADMIN (`EPERM`), or where somebody has an interface of this name (`EBUSY`). */
  static async open(name: string): Promise<LeasedInterface> {
    const libc = await loadLibc();
    const opened: number[] = [];
    const keep = (descriptor: number) => {
      opened.push(descriptor);
      return descriptor;
    };
    try {
      const tun = keep(openSync("/dev/net/tun", constants.O_RDWR));
      libc.ioctl(tun, libc.TUNSETIFF, tunRequest(name));
      const netlink = keep(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
      return new LeasedInterface(libc, name, tun, netlink);
    } catch (error) {
      for (const descriptor of opened) closeSync(descriptor);
      throw new Error(`the interface ${name} can't be made: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Makes a network a connected one, or keeps it so, for that many seconds. @throws SystemCallError */
  lease(network: Ipv4Prefix, seconds: number): void {
    // Somebody may have set the interface down.
    this.#request(linkUp(this.#index));
    this.#request(leaseAddress(this.#index, network, seconds));
  }

  /** @throws SystemCallError, not for a network that isn't there any more */
  drop(network: Ipv4Prefix): void {
    try {
      this.#request(dropAddress(this.#index, network));
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === "EADDRNOTAVAIL")) throw error;
    }
  }

  close(): void {
    closeSync(this.#tun);
    closeSync(this.#netlink);
  }

  #request(message: Uint8Array): void {
    const kernel = new Uint8Array(SOCKADDR_NL_LENGTH);
    new Uint16Array(kernel.buffer, 0, 1)[0] = AF_NETLINK;
    this.#libc.sendto(this.#netlink, message, 0, kernel);
    // rtnetlink answers before `sendto` returns.
    const answer = new Uint8Array(ANSWER_LENGTH);
    const length = this.#libc.recv(this.#netlink, answer, MSG_DONTWAIT);
    const errno = errnoOf(answer.subarray(0, length));
    if (errno !== 0) throw new SystemCallError("netlink", errno ?? 0);
  }
}

/** `struct ifreq` */
function tunRequest(name: string): Uint8Array {
  const request = new Uint8Array(IFREQ_LENGTH);
  request.set(new TextEncoder().encode(name).subarray(0, INTERFACE_NAME_LENGTH - 1));
  new DataView(request.buffer).setUint16(INTERFACE_NAME_LENGTH, IFF_TUN | IFF_NO_PI, endianness() === "LE");
  return request;
}
