import { closeSync } from "node:fs";
import { type Libc, SOCK_RAW, SystemCallError } from "./libc.ts";
import { errnoOf } from "./netlink.ts";

/** Of <sys/socket.h> and <linux/netlink.h>; equal on all platforms of Linux that Node runs on. */
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_NL_LENGTH = 12;
const ANSWER_LENGTH = 4096;

/** Asks rtnetlink(7) for one change at a time. */
export class NetlinkSocket {
  readonly #libc: Libc;
  readonly #descriptor: number;

  /** @throws SystemCallError */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#descriptor = libc.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  }

  /** @throws SystemCallError where the kernel refuses what the message asks for */
  request(message: Uint8Array): void {
    const kernel = new Uint8Array(SOCKADDR_NL_LENGTH);
    new Uint16Array(kernel.buffer, 0, 1)[0] = AF_NETLINK;
    this.#libc.sendto(this.#descriptor, message, 0, kernel);
    // rtnetlink answers before `sendto` returns.
    const answer = new Uint8Array(ANSWER_LENGTH);
    const length = this.#libc.recv(this.#descriptor, answer, MSG_DONTWAIT);
    const errno = errnoOf(answer.subarray(0, length));
    if (errno !== 0) throw new SystemCallError("netlink", errno ?? 0);
  }

  /** Like `request`, but something that already exists is no error. */
  ensure(message: Uint8Array): void {
    this.#tolerating(["EEXIST"], message);
  }

  /** Like `request`, but something that has already gone is no error. */
  release(message: Uint8Array): void {
    this.#tolerating(["EADDRNOTAVAIL", "ENODEV", "ESRCH"], message);
  }

  #tolerating(codes: readonly string[], message: Uint8Array): void {
    try {
      this.request(message);
    } catch (error) {
      if (!(error instanceof SystemCallError && codes.includes(error.code))) throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
