import { closeSync } from "node:fs";
import { type Libc, loadLibc, SOCK_RAW } from "./libc.ts";

/** Of <sys/socket.h> and <linux/if_packet.h>; equal on all platforms of Linux that Node runs on. */
const AF_PACKET = 17;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_LL_LENGTH = 20;

/** Sends Ethernet frames as they are (packet(7)), and receives none. */
export class PacketSocket {
  readonly #libc: Libc;
  readonly #descriptor: number;
  /** `struct sockaddr_ll`, of which only family and interface matter: the frame itself contains the rest. */
  readonly #address = new Uint8Array(SOCKADDR_LL_LENGTH);

  private constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    new Uint16Array(this.#address.buffer, 0, 1)[0] = AF_PACKET;
  }

  /** Rejects where there is no FFI, or without CAP_NET_RAW (`EPERM`). */
  static async open(): Promise<PacketSocket> {
    const libc = await loadLibc();
    // Protocol 0: nothing is received.
    return new PacketSocket(libc, libc.socket(AF_PACKET, SOCK_RAW, 0));
  }

  /** @throws SystemCallError `ENODEV` */
  interfaceIndex(name: string): number {
    return this.#libc.interfaceIndex(name);
  }

  /** @throws SystemCallError: `EMSGSIZE` for a frame beyond the interface's MTU, `EAGAIN` where there is no room now. */
  send(frame: Uint8Array, interfaceIndex: number): void {
    new Int32Array(this.#address.buffer, 4, 1)[0] = interfaceIndex;
    this.#libc.sendto(this.#descriptor, frame, MSG_DONTWAIT, this.#address);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
