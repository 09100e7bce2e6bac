/** Bounds-checked reading and writing of what this project lays out itself: cluster messages and rows. */
import type { Ipv4Address } from "../wire/ipv4.ts";

/** Bytes that were not written according to the tables. */
export class LayoutError extends Error {
  override readonly name = "LayoutError";
}

const TWO_TO_32 = 0x1_0000_0000;
const ALL_ONES_32 = 0xffff_ffff;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class ByteReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#buffer.length;
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

  /** Up to 2^53, which is all that is ever written. */
  u64(): number {
    return exactly(this.u32(), this.u32());
  }

  /** Epoch ms; all ones stand for `Infinity`. */
  time(): number {
    const [high, low] = [this.u32(), this.u32()];
    return high === ALL_ONES_32 && low === ALL_ONES_32 ? Number.POSITIVE_INFINITY : exactly(high, low);
  }

  bigU64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#advance(8));
  }

  /** Two's complement. */
  bigI128(): bigint {
    return (this.#buffer.readBigInt64BE(this.#advance(8)) << 64n) | this.bigU64();
  }

  address(): Ipv4Address {
    return this.u32() as Ipv4Address;
  }

  /** UTF-8 of so many bytes. */
  text(length: number): string {
    const start = this.#advance(length);
    const end = start + length;
    for (let index = start; index < end; index++) {
      // Hardly any text is not ASCII, which is read several times as fast.
      if ((this.#buffer[index] ?? 0) > 0x7f) return decodeUtf8(this.#buffer.subarray(start, end));
    }
    return this.#buffer.toString("latin1", start, end);
  }

  /** So many bytes as hexadecimal digits. */
  hexadecimal(length: number): string {
    const start = this.#advance(length);
    return this.#buffer.toString("hex", start, start + length);
  }

  /** A view, which keeps everything that it was read from in memory. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (start + length > this.#buffer.length) throw new LayoutError("it ends before its fields do");
    this.#offset = start + length;
    return start;
  }
}

function exactly(high: number, low: number): number {
  const value = high * TWO_TO_32 + low;
  if (value > Number.MAX_SAFE_INTEGER) throw new LayoutError("a number beyond 2^53");
  return value;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new LayoutError("a text that is not UTF-8");
  }
}

/**
 * Writes into a buffer that grows as needed: a good guess at the size saves copies. Throws a RangeError where a value has
 * no room in its field.
 */
export class ByteWriter {
  #buffer: Buffer;
  #offset = 0;

  constructor(expectedSize: number) {
    this.#buffer = Buffer.allocUnsafe(expectedSize);
  }

  get length(): number {
    return this.#offset;
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

  u64(value: number): this {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer up to 2^53`);
    return this.u32(Math.floor(value / TWO_TO_32)).u32(value >>> 0);
  }

  /** Whole epoch ms, or `Infinity`. */
  time(timeMs: number): this {
    return timeMs === Number.POSITIVE_INFINITY ? this.u32(ALL_ONES_32).u32(ALL_ONES_32) : this.u64(timeMs);
  }

  bigU64(value: bigint): this {
    const start = this.#advance(8);
    this.#buffer.writeBigUInt64BE(value, start);
    return this;
  }

  bigI128(value: bigint): this {
    const start = this.#advance(8);
    this.#buffer.writeBigInt64BE(value >> 64n, start);
    return this.bigU64(BigInt.asUintN(64, value));
  }

  /** UTF-8, without its length. */
  text(value: string, byteLength: number): this {
    const start = this.#advance(byteLength);
    this.#buffer.write(value, start, byteLength, byteLength === value.length ? "latin1" : "utf8");
    return this;
  }

  /** What hexadecimal digits stand for. */
  hexadecimal(digits: string): this {
    const start = this.#advance(digits.length / 2);
    const written = this.#buffer.write(digits, start, "hex");
    if (written * 2 !== digits.length) throw new RangeError(`${digits} are no hexadecimal digits`);
    return this;
  }

  bytes(value: Uint8Array): this {
    const start = this.#advance(value.length);
    this.#buffer.set(value, start);
    return this;
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#offset);
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
