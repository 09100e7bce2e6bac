/** Bounds-checked reading and writing of the cluster's own frames. */
import type { Endpoint, Ipv4Address } from "../wire/ipv4.ts";

/** Bytes that are no frame, thrown by whoever finds out; caught once, in the frame decoder. */
export class FrameFormatError extends Error {}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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

  bigU64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#advance(8));
  }

  /** Two's complement. */
  i128(): bigint {
    return (this.#buffer.readBigInt64BE(this.#advance(8)) << 64n) | this.bigU64();
  }

  address(): Ipv4Address {
    return this.u32() as Ipv4Address;
  }

  endpoint(): Endpoint {
    return { address: this.address(), port: this.u16() };
  }

  /** One byte of length, then UTF-8. */
  shortText(): string {
    return this.#utf8(this.u8());
  }

  /** Two bytes of length, then UTF-8. */
  text(): string {
    return this.#utf8(this.u16());
  }

  /** Four bytes of length, then UTF-8. */
  longText(): string {
    return this.#utf8(this.u32());
  }

  /** One byte of count, then the texts. */
  shortTexts(): string[] {
    return Array.from({ length: this.u8() }, () => this.shortText());
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  rest(): Uint8Array {
    return this.#buffer.subarray(this.#offset);
  }

  #utf8(length: number): string {
    const bytes = this.bytes(length);
    try {
      return text.decode(bytes);
    } catch {
      throw new FrameFormatError("a text that is not UTF-8");
    }
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

/** Writes into a buffer that grows as needed: a good guess at the size saves copies. */
export class ByteWriter {
  #buffer: Buffer;
  #offset = 0;

  constructor(expectedSize: number) {
    this.#buffer = Buffer.allocUnsafe(expectedSize);
  }

  u8(value: number): this {
    const start = this.#advance(1);
    this.#buffer.writeUInt8(value, start);
    return this;
  }

  u16(value: number): this {
    const start = this.#advance(2);
    this.#buffer.writeUInt16BE(value, start);
    return this;
  }

  u32(value: number): this {
    const start = this.#advance(4);
    this.#buffer.writeUInt32BE(value, start);
    return this;
  }

  u64(value: number | bigint): this {
    const start = this.#advance(8);
    this.#buffer.writeBigUInt64BE(BigInt(value), start);
    return this;
  }

  i128(value: bigint): this {
    const start = this.#advance(8);
    this.#buffer.writeBigInt64BE(value >> 64n, start);
    return this.u64(BigInt.asUintN(64, value));
  }

  /** Whole epoch ms, or `Infinity`. */
  time(timeMs: number): this {
    return this.u64(timeMs === Number.POSITIVE_INFINITY ? ALL_ONES : timeMs);
  }

  endpoint(endpoint: Endpoint): this {
    return this.u32(endpoint.address).u16(endpoint.port);
  }

  shortText(value: string): this {
    return this.u8(Buffer.byteLength(value)).#utf8(value);
  }

  shortTexts(values: readonly string[]): this {
    this.u8(values.length);
    for (const value of values) this.shortText(value);
    return this;
  }

  text(value: string): this {
    return this.u16(Buffer.byteLength(value)).#utf8(value);
  }

  longText(value: string): this {
    return this.u32(Buffer.byteLength(value)).#utf8(value);
  }

  bytes(value: Uint8Array): this {
    const start = this.#advance(value.length);
    this.#buffer.set(value, start);
    return this;
  }

  written(): Uint8Array {
    return this.#buffer.subarray(0, this.#offset);
  }

  #utf8(value: string): this {
    const start = this.#advance(Buffer.byteLength(value));
    this.#buffer.write(value, start, "utf8");
    return this;
  }

  #advance(length: number): number {
    const start = this.#offset;
    this.#offset += length;
    if (this.#offset > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#offset, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    return start;
  }
}
