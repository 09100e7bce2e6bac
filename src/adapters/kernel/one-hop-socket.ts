import { closeSync } from "node:fs";
import { endianness } from "node:os";
import type { Endpoint } from "../../core/wire/ipv4.ts";
import { AF_INET, type Libc, loadLibc, socketAddress } from "./libc.ts";

/** Of <linux/bpf_common.h> and <linux/filter.h>. */
const LOAD_BYTE = 0x30;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const NETWORK_HEADER = -0x10_0000;

const TTL_OFFSET = 8;
const MAXIMUM_TTL = 255;
const WHOLE_PACKET = 0xffff_ffff;

/** Code, instructions to skip if true, and if false, operand: `struct sock_filter`. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const ONLY_MAXIMUM_TTL: readonly Instruction[] = [
  [LOAD_BYTE, 0, 0, NETWORK_HEADER + TTL_OFFSET],
  [JUMP_IF_EQUAL, 0, 1, MAXIMUM_TTL],
  [RETURN, 0, 0, WHOLE_PACKET],
  [RETURN, 0, 0, 0],
];

/**
 * A UDP socket that receives only what was sent with a TTL of 255 and not forwarded, and therefore still has it (RFC 5082).
 *
 * The kernel has an option for that, IP_MINTTL, but honors it for TCP only, so a filter on the socket checks the TTL. It is
 * attached before the socket is bound, so that nothing gets in unchecked.
 */
export class OneHopSocket {
  readonly #libc: Libc;
  readonly #descriptor: number;

  private constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** Rejects where there is no FFI, or no such filter. */
  static async open(): Promise<OneHopSocket> {
    if (process.platform !== "linux") throw new Error("the filter for it is one of Linux");
    const libc = await loadLibc();
    const descriptor = libc.socket(AF_INET, libc.SOCK_DGRAM, 0);
    try {
      libc.attachFilter(descriptor, assemble(ONLY_MAXIMUM_TTL));
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new OneHopSocket(libc, descriptor);
  }

  /**
   * Returns the descriptor, which the caller has to close from then on.
   *
   * @throws SystemCallError such as `EADDRINUSE`
   */
  bind(endpoint: Endpoint): number {
    try {
      this.#libc.bind(this.#descriptor, socketAddress(endpoint));
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
    return this.#descriptor;
  }
}

function assemble(instructions: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  const isLittleEndian = endianness() === "LE";
  instructions.forEach(([code, ifTrue, ifFalse, operand], index) => {
    view.setUint16(index * 8, code, isLittleEndian);
    view.setUint8(index * 8 + 2, ifTrue);
    view.setUint8(index * 8 + 3, ifFalse);
    view.setUint32(index * 8 + 4, operand, isLittleEndian);
  });
  return new Uint8Array(view.buffer);
}
