/** Bounds-checked reading and writing of the cluster's own frames. */
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

/** Bytes that are no frame, thrown by whoever finds out; caught once, in the frame decoder. */
export class FrameFormatError extends Error {}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const text = new TextDecoder("utf-8", { fatal: true });

export class ByteReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4));
  }

  /** Up to 2^53, which is all that is ever sent. */
  u64(): number {
    return exactly(this.#buffer.readBigUInt64BE(this.#advance(8)));
  }

  /** Epoch ms; all ones stand for `Infinity`. */
  time(): number {
    const value = this.#buffer.readBigUInt64BE(this.#advance(8));
    return value === ALL_ONES ? Number.POSITIVE_INFINITY : exactly(value);
  }

  address(): Ipv4Address {
    return this.u32() as Ipv4Address;
  }

  endpoint(): Endpoint {
    return { address: this.address(), port: this.u16() };
  }

  /** One byte of length, then UTF-8. */
  shortText(): string {
    const length = this.u8();
    const start = this.#advance(length);
    try {
      return text.decode(this.#buffer.subarray(start, start + length));
    } catch {
      throw new FrameFormatError("a text that is not UTF-8");
    }
  }

  rest(): Uint8Array {
    return this.#buffer.subarray(this.#offset);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (start + length > this.#buffer.length) throw new FrameFormatError("it ends before its fields do");
    this.#offset = start + length;
    return start;
  }
}

function exactly(value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new FrameFormatError("a number that nobody sends");
  return Number(value);
}

/** Writes into a buffer of fixed size, which the caller has chosen large enough for the frame. */
export class ByteWriter {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  u8(value: number): this {
    this.#offset = this.#buffer.writeUInt8(value, this.#offset);
    return this;
  }

  u16(value: number): this {
    this.#offset = this.#buffer.writeUInt16BE(value, this.#offset);
    return this;
  }

  u32(value: number): this {
    this.#offset = this.#buffer.writeUInt32BE(value, this.#offset);
    return this;
  }

  u64(value: number): this {
    this.#offset = this.#buffer.writeBigUInt64BE(BigInt(value), this.#offset);
    return this;
  }

  /** Whole epoch ms, or `Infinity`. */
  time(timeMs: number): this {
    const value = timeMs === Number.POSITIVE_INFINITY ? ALL_ONES : BigInt(timeMs);
    this.#offset = this.#buffer.writeBigUInt64BE(value, this.#offset);
    return this;
  }

  endpoint(endpoint: Endpoint): this {
    return this.u32(endpoint.address).u16(endpoint.port);
  }

  shortText(value: string): this {
    const length = this.#buffer.write(value, this.#offset + 1, "utf8");
    this.#buffer.writeUInt8(length, this.#offset);
    this.#offset += 1 + length;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#buffer.set(value, this.#offset);
    this.#offset += value.length;
    return this;
  }

  written(): Uint8Array {
    return this.#buffer.subarray(0, this.#offset);
  }
}
