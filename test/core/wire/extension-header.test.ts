import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeLongExtension,
  decodeShortExtension,
  decodeTlvExtension,
  encodeLongExtension,
  encodeShortExtension,
  encodeTlvExtension,
} from "../../../src/core/wire/extension-header.ts";
import { fromHex, hex } from "./golden.ts";

const data = fromHex("aabbcc");

describe("the layouts of RFC 5944 1.9 - 1.11", () => {
  test("type-length-value: the length counts the data", () => {
    expect(hex(encodeTlvExtension(131, data))).toBe("8303aabbcc");
    expect(decodeTlvExtension(fromHex("ff 83 03 aabbcc ff"), 1)).toEqual({ type: 131, data, end: 6 });
  });

  test("short: the length counts the subtype too", () => {
    expect(hex(encodeShortExtension(145, 1, data))).toBe("910401aabbcc");
    expect(decodeShortExtension(fromHex("ff 91 04 01 aabbcc ff"), 1)).toEqual({ type: 145, subtype: 1, data, end: 7 });
  });

  test("long: sixteen bits of length after the subtype, counting the data alone", () => {
    expect(hex(encodeLongExtension(36, 1, data))).toBe("24010003aabbcc");
    expect(decodeLongExtension(fromHex("ff 24 01 0003 aabbcc ff"), 1)).toEqual({ type: 36, subtype: 1, data, end: 8 });
  });

  test("a short extension reads as type-length-value to whoever does not know its type", () => {
    const bytes = encodeShortExtension(145, 1, data);
    expect(decodeTlvExtension(bytes, 0)).toEqual({ type: 145, data: fromHex("01aabbcc"), end: bytes.length });
  });
});

describe("nothing is read past the end", () => {
  test.each([
    ["type-length-value", decodeTlvExtension, "83 03 aabbcc"],
    ["short", decodeShortExtension, "91 04 01 aabbcc"],
    ["long", decodeLongExtension, "24 01 0003 aabbcc"],
  ])("%s", (_name, decode, text) => {
    const whole = fromHex(text);
    expect(decode(whole, 0)).toMatchObject({ end: whole.length });
    for (let length = 0; length < whole.length; length++) expect(decode(whole.subarray(0, length), 0)).toBeUndefined();
  });

  test("a short extension has room for its subtype", () => {
    expect(decodeShortExtension(fromHex("91 00 01"), 0)).toBeUndefined();
  });
});

describe("whatever fits is read back, and what does not is refused", () => {
  const byte = fc.nat(255);
  test("type-length-value", () => {
    fc.assert(
      fc.property(byte, fc.uint8Array({ maxLength: 255 }), (type, content) => {
        const bytes = encodeTlvExtension(type, content);
        expect(decodeTlvExtension(bytes, 0)).toEqual({ type, data: content, end: bytes.length });
      }),
    );
    expect(() => encodeTlvExtension(131, new Uint8Array(256))).toThrow(RangeError);
  });

  test("short", () => {
    fc.assert(
      fc.property(byte, byte, fc.uint8Array({ maxLength: 254 }), (type, subtype, content) => {
        const bytes = encodeShortExtension(type, subtype, content);
        expect(decodeShortExtension(bytes, 0)).toEqual({ type, subtype, data: content, end: bytes.length });
      }),
    );
    expect(() => encodeShortExtension(145, 1, new Uint8Array(255))).toThrow(RangeError);
  });

  test("long", () => {
    fc.assert(
      fc.property(byte, byte, fc.uint8Array({ maxLength: 1000 }), (type, subtype, content) => {
        const bytes = encodeLongExtension(type, subtype, content);
        expect(decodeLongExtension(bytes, 0)).toEqual({ type, subtype, data: content, end: bytes.length });
      }),
    );
    const longest = encodeLongExtension(36, 1, new Uint8Array(65535));
    expect(decodeLongExtension(longest, 0)?.end).toBe(65539);
    expect(() => encodeLongExtension(36, 1, new Uint8Array(65536))).toThrow(RangeError);
  });
});
