import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { ByteReader, ByteWriter, LayoutError } from "../../../src/core/layout/byte-cursor.ts";
import {
  address,
  array,
  below,
  big64,
  bytes,
  choice,
  endpoint,
  flag,
  gauge16,
  gauge32,
  hexadecimal,
  type Kind,
  list,
  longBytes,
  member,
  mobile,
  optional,
  shortText,
  signed128,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
} from "../../../src/core/layout/kinds.ts";
import { record } from "../../../src/core/layout/record.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { fromHex, hex } from "../wire/golden.ts";
import { arbitraryOf } from "./arbitraries.ts";

const kinds = {
  u8,
  u16,
  u32,
  u64,
  gauge16,
  gauge32,
  big64,
  signed128,
  time,
  flag,
  address,
  endpoint,
  mobile,
  shortText,
  text,
  longBytes,
  member,
  bytes,
  hexadecimal,
  choice: choice("one", "other"),
  below: below(1000, u16),
  optional: optional(u16),
  list: list(u8, member),
  array: array(3, u8),
  record: record({ a: [u16, "One."], b: [optional(record({ c: [text, "Within."] })), "Another."] }),
} satisfies Record<string, Kind<unknown>>;

function write<T>(kind: Kind<T>, value: T): Uint8Array {
  const writer = new ByteWriter(1);
  kind.write(writer, value);
  return writer.written();
}

function read<T>(kind: Kind<T>, encoded: Uint8Array): T {
  const reader = new ByteReader(encoded);
  const value = kind.read(reader);
  if (!reader.isAtEnd) throw new LayoutError("longer than its fields");
  return value;
}

describe.each(Object.entries(kinds) as [string, Kind<unknown>][])("a field of the kind %s", (_, kind) => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(arbitraryOf(kind), (value) => {
        expect(read(kind, write(kind, value))).toEqual(value);
      }),
    );
  });

  it("is refused when any of its bytes is missing, or one follows", () => {
    fc.assert(
      fc.property(arbitraryOf(kind), fc.nat(), (value, cut) => {
        const encoded = write(kind, value);
        expect(() => read(kind, encoded.subarray(0, cut % encoded.length))).toThrow(LayoutError);
        expect(() => read(kind, Buffer.concat([encoded, new Uint8Array(1)]))).toThrow(LayoutError);
      }),
    );
  });

  it("has one way to be written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (encoded) => {
        try {
          expect(hex(write(kind, read(kind, encoded)))).toBe(hex(encoded));
        } catch (error) {
          if (!(error instanceof LayoutError)) throw error;
        }
      }),
    );
  });
});

test.each([
  [u64, 2 ** 40 + 1, "00000100 00000001"],
  [big64, 0xfedc_ba98_7654_3210n, "fedcba98 76543210"],
  [signed128, -2n, `${"ff".repeat(15)}fe`],
  [time, 1_790_000_000_000, "000001a0 c4506c00"],
  [time, Number.POSITIVE_INFINITY, "ffffffff ffffffff"],
  [flag, true, "01"],
  [endpoint, { address: ipv4("192.0.2.1"), port: 435 }, "c0000201 01b3"],
  [mobile, "nai:a@b", "0003 614062"],
  [mobile, "ip:10.0.0.1", "0000 0a000001"],
  [text, "é", "0002 c3a9"],
  [hexadecimal, "0aff", "02 0aff"],
  [choice("one", "other"), "other", "01"],
  [optional(u16), undefined, "00"],
  [optional(u16), 7, "01 0007"],
  [list(u16, u8), [7, 8], "0002 07 08"],
  [array(2, u8), [7, 8], "07 08"],
  [record({ b: [u8, "First."], a: [u8, "Second."] }), { a: 1, b: 2 }, "02 01"],
] as [Kind<unknown>, unknown, string][])("layout of %j", (kind, value, expected) => {
  expect(hex(write(kind, value))).toBe(hex(fromHex(expected)));
});

test.each([
  ["a number beyond 2^53", u64, "00200000 00000000"],
  ["a time that is neither a number nor for ever", time, "ffffffff fffffffe"],
  ["a flag that is neither yes nor no", flag, "02"],
  ["a word that there is none for", choice("one", "other"), "02"],
  ["a text that is not UTF-8", text, "0002 c328"],
  ["a text that ends in the middle of a letter", text, "0001 c3"],
  ["a member without a name", member, "00"],
  ["a number that is too large for what it is", below(1000, u16), "03e8"],
  ["a list that is longer than the bytes", list(u32, u8), "ffffffff 00"],
])("%s is refused", (_, kind, encoded) => {
  expect(() => (kind as Kind<unknown>).read(new ByteReader(fromHex(encoded)))).toThrow(LayoutError);
});

test.each([
  ["a negative number", u32, -1],
  ["a number beyond 2^53", u64, 2 ** 53],
  ["a fraction", u64, 1.5],
  ["a number that is none", time, Number.NaN],
  ["a text of more bytes than one byte can count", shortText, "é".repeat(128)],
  ["a word that there is none for", choice("one", "other"), "another"],
  ["a digit that is none", hexadecimal, "0aXX"],
  ["half a byte", hexadecimal, "0af"],
  ["too few", array(3, u8), [1, 2]],
  ["a key of a mobile that is no address", mobile, "ip:here"],
])("%s has no room in a field, and is not written", (_, kind, value) => {
  expect(() => write(kind as Kind<unknown>, value)).toThrow(RangeError);
});

test("a gauge is rounded, and tells as much as there is room for", () => {
  expect([12.5, -1, 70_000].map((value) => read(gauge16, write(gauge16, value)))).toEqual([13, 0, 65_535]);
});
