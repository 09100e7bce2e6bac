/**
 * The kinds of fields that messages and rows are made of. A table of fields (core/layout/record.ts) names the kind of each,
 * and everything else follows from it: encoder, decoder, TypeScript type, documentation, and the examples that tests make
 * up.
 */
import type { MemberId, MobileKey } from "../names.ts";
import { type Endpoint, formatIpv4, type Ipv4Address, parseIpv4 } from "../wire/ipv4.ts";
import { type ByteReader, type ByteWriter, LayoutError } from "./byte-cursor.ts";

/** How one kind of value stands in bytes. There is one way to write each value. */
export interface Kind<T> {
  readonly shape: Shape;
  /** Throws a RangeError if the value has no room in its field. */
  write(writer: ByteWriter, value: T): void;
  /** Throws a LayoutError. */
  read(reader: ByteReader): T;
}

export type ValueOf<K> = K extends Kind<infer T> ? T : never;

/** What there is to know of a kind: for pages and views that show its values, and for tests that make some up. */
export type Shape =
  | { readonly is: "integer"; readonly bytes: 1 | 2 | 4 | 8; readonly maximum: number }
  /** An integer or a measurement, rounded to the largest that there is room for. */
  | { readonly is: "gauge"; readonly bytes: 1 | 2 | 4 | 8; readonly maximum: number }
  | { readonly is: "bits"; readonly bytes: 8 | 16; readonly isSigned: boolean }
  /** Epoch ms; `Infinity` is for ever. */
  | { readonly is: "time" }
  | { readonly is: "flag" }
  | { readonly is: "choice"; readonly of: readonly string[] }
  | { readonly is: "address" }
  | { readonly is: "endpoint" }
  | { readonly is: "mobile" }
  | { readonly is: "text"; readonly lengthBytes: number; readonly minimumLength: number }
  | { readonly is: "bytes"; readonly lengthBytes: number }
  /** Text of an even number of hexadecimal digits, two to a byte. */
  | { readonly is: "hexadecimal" }
  | { readonly is: "optional"; readonly of: Shape }
  /** Without `count` its length stands before it. */
  | { readonly is: "list"; readonly of: Shape; readonly countBytes: number; readonly count: number | undefined }
  | { readonly is: "record"; readonly fields: readonly FieldShape[] };

export interface FieldShape {
  readonly name: string;
  readonly shape: Shape;
  /** One sentence for the documentation. */
  readonly says: string;
}

export type IntegerKind = Kind<number> & { readonly shape: Shape & { readonly is: "integer" } };

export const u8: IntegerKind = {
  shape: { is: "integer", bytes: 1, maximum: 0xff },
  write: (writer, value) => writer.u8(value),
  read: (reader) => reader.u8(),
};

export const u16: IntegerKind = {
  shape: { is: "integer", bytes: 2, maximum: 0xffff },
  write: (writer, value) => writer.u16(value),
  read: (reader) => reader.u16(),
};

export const u32: IntegerKind = {
  shape: { is: "integer", bytes: 4, maximum: 0xffff_ffff },
  write: (writer, value) => writer.u32(value),
  read: (reader) => reader.u32(),
};

/** Up to 2^53. */
export const u64: IntegerKind = {
  shape: { is: "integer", bytes: 8, maximum: Number.MAX_SAFE_INTEGER },
  write: (writer, value) => writer.u64(value),
  read: (reader) => reader.u64(),
};

/** An integer that is less than `end`. */
export function below(end: number, of: IntegerKind): IntegerKind {
  return {
    shape: { ...of.shape, maximum: end - 1 },
    write: of.write,
    read(reader) {
      const value = of.read(reader);
      if (value >= end) throw new LayoutError(`${value}, where ${end - 1} is the largest`);
      return value;
    },
  };
}

/** For what is told as well as it can be: it is rounded, and as large as the field at most. */
export const gauge16 = gauge(u16);
export const gauge32 = gauge(u32);

function gauge(of: IntegerKind): Kind<number> {
  const { bytes, maximum } = of.shape;
  return {
    shape: { is: "gauge", bytes, maximum },
    write: (writer, value) => of.write(writer, Math.min(Math.max(Math.round(value), 0), maximum)),
    read: of.read,
  };
}

export const big64: Kind<bigint> = {
  shape: { is: "bits", bytes: 8, isSigned: false },
  write: (writer, value) => writer.bigU64(value),
  read: (reader) => reader.bigU64(),
};

export const signed128: Kind<bigint> = {
  shape: { is: "bits", bytes: 16, isSigned: true },
  write: (writer, value) => writer.bigI128(value),
  read: (reader) => reader.bigI128(),
};

/** Epoch ms, or `Infinity`. */
export const time: Kind<number> = {
  shape: { is: "time" },
  write: (writer, value) => writer.time(value),
  read: (reader) => reader.time(),
};

export const flag: Kind<boolean> = {
  shape: { is: "flag" },
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const value = reader.u8();
    if (value > 1) throw new LayoutError(`flag of value ${value}`);
    return value === 1;
  },
};

export const address: Kind<Ipv4Address> = {
  shape: { is: "address" },
  write: (writer, value) => writer.u32(value),
  read: (reader) => reader.address(),
};

export const endpoint: Kind<Endpoint> = {
  shape: { is: "endpoint" },
  write: (writer, value) => writer.u32(value.address).u16(value.port),
  read: (reader) => ({ address: reader.address(), port: reader.u16() }),
};

/** UTF-8 of up to 65,535 bytes. */
export const text = textOf(u16, 0);
/** UTF-8 of up to 255 bytes. */
export const shortText = textOf(u8, 0);
/** Of one byte at least. */
export const member: Kind<MemberId> = textOf(u8, 1);

function textOf(length: IntegerKind, minimumLength: number): Kind<string> {
  return {
    shape: { is: "text", lengthBytes: length.shape.bytes, minimumLength },
    write(writer, value) {
      const byteLength = Buffer.byteLength(value);
      length.write(writer, byteLength);
      writer.text(value, byteLength);
    },
    read(reader) {
      const byteLength = length.read(reader);
      if (byteLength < minimumLength) throw new LayoutError("an empty text");
      return reader.text(byteLength);
    },
  };
}

const KEY_OF_NAI = "nai:";
const KEY_OF_ADDRESS = "ip:";
/** Stands where the length of an NAI would: no NAI is empty. */
const NO_NAI = 0;

/** The NAI that a mobile's key is made of; where it is made of a home address, an empty one and then the address. */
export const mobile: Kind<MobileKey> = {
  shape: { is: "mobile" },
  write(writer, key) {
    if (key.startsWith(KEY_OF_NAI)) text.write(writer, key.slice(KEY_OF_NAI.length));
    else writer.u16(NO_NAI).u32(addressOf(key));
  },
  read(reader) {
    const nai = text.read(reader);
    return nai === "" ? `${KEY_OF_ADDRESS}${formatIpv4(reader.address())}` : `${KEY_OF_NAI}${nai}`;
  },
};

function addressOf(key: MobileKey): Ipv4Address {
  const address = parseIpv4(key.slice(KEY_OF_ADDRESS.length));
  if (address === undefined) throw new RangeError(`${key} is no key of a mobile`);
  return address;
}

/** Up to 65,535 bytes. What is read is a view, to be copied if it is kept. */
export const bytes = bytesOf(u16);
export const longBytes = bytesOf(u32);

function bytesOf(length: IntegerKind): Kind<Uint8Array> {
  return {
    shape: { is: "bytes", lengthBytes: length.shape.bytes },
    write(writer, value) {
      length.write(writer, value.length);
      writer.bytes(value);
    },
    read: (reader) => reader.bytes(length.read(reader)),
  };
}

/** As text, in lower case, of up to 255 bytes. */
export const hexadecimal: Kind<string> = {
  shape: { is: "hexadecimal" },
  write: (writer, value) => writer.u8(value.length / 2).hexadecimal(value),
  read: (reader) => reader.hexadecimal(reader.u8()),
};

/** One of a few words, by its place among them. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    shape: { is: "choice", of: words },
    write: (writer, value) => writer.u8(words.indexOf(value)),
    read(reader) {
      const number = reader.u8();
      const word = words[number];
      if (word === undefined) throw new LayoutError(`${number} for one of ${words.length} words`);
      return word;
    },
  };
}

/** A flag, and the value if it is set. */
export function optional<T>(of: Kind<T>): Kind<T | undefined> {
  return {
    shape: { is: "optional", of: of.shape },
    write(writer, value) {
      flag.write(writer, value !== undefined);
      if (value !== undefined) of.write(writer, value);
    },
    read: (reader) => (flag.read(reader) ? of.read(reader) : undefined),
  };
}

/** How many there are, then each of them. */
export function list<T>(count: IntegerKind, of: Kind<T>): Kind<readonly T[]> {
  return {
    shape: { is: "list", of: of.shape, countBytes: count.shape.bytes, count: undefined },
    write(writer, values) {
      count.write(writer, values.length);
      for (const value of values) of.write(writer, value);
    },
    read(reader) {
      const values: T[] = [];
      // Elements have no less than a byte each: the end of the bytes bounds a list, whatever its count says.
      for (let missing = count.read(reader); missing > 0; missing--) values.push(of.read(reader));
      return values;
    },
  };
}

/** Always so many. */
export function array<T>(count: number, of: Kind<T>): Kind<readonly T[]> {
  return {
    shape: { is: "list", of: of.shape, countBytes: 0, count },
    write(writer, values) {
      if (values.length !== count) throw new RangeError(`${values.length} values instead of ${count}`);
      for (const value of values) of.write(writer, value);
    },
    read(reader) {
      const values: T[] = [];
      while (values.length < count) values.push(of.read(reader));
      return values;
    },
  };
}
