import { describe, expect, test } from "vitest";
import { computeAuthenticator } from "../../../src/core/auth/authenticator.ts";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import { encodeRequestFields } from "../../../src/core/wire/registration-message.ts";
import { golden, hex } from "./golden.ts";

test("writes the message of a foreign implementation, byte by byte", () => {
  const association = { spi: golden.spi, algorithm: "hmac-md5", key: golden.key } as const;
  const bytes = new MessageWriter(encodeRequestFields(golden.fields))
    .appendAuthentication(ExtensionType.MobileHomeAuthentication, association.spi, (covered) =>
      computeAuthenticator(association, covered),
    )
    .finish();
  expect(hex(bytes)).toBe(hex(golden.bytes));
});

test("extensions stand in the order of the calls", () => {
  const value = Uint8Array.of(0xaa);
  const bytes = new MessageWriter(Uint8Array.of(1, 2))
    .appendNai("a@b")
    .append(145, value)
    .appendVendor("critical", { vendorId: 9, vendorType: 5, value })
    .appendVendor("normal", { vendorId: 9, vendorType: 5, value })
    .finish();
  expect(hex(bytes)).toBe(
    ["0102", "8303614062", "9101aa", "26000007000000090005aa", "86090000000000090005aa"].join(""),
  );
});

test("continues a message that was received, as a foreign agent does", () => {
  const bytes = new MessageWriter(golden.bytes)
    .appendAuthentication(ExtensionType.ForeignHomeAuthentication, 300, () => new Uint8Array(16).fill(0xbb))
    .finish();
  expect(hex(bytes)).toBe(`${hex(golden.bytes)}22140000012c${"bb".repeat(16)}`);
});

describe("refuses what no receiver could read", () => {
  const writer = () => new MessageWriter(new Uint8Array(24));
  test("an NAI with spaces", () => {
    expect(() => writer().appendNai("not an identifier")).toThrow(TypeError);
  });
  test("a value that is too long", () => {
    expect(() => writer().append(145, new Uint8Array(256))).toThrow(RangeError);
  });
  test("an authenticator of another length than the one that was signed", () => {
    expect(() => writer().appendAuthentication(32, 256, () => new Uint8Array(15))).toThrow(RangeError);
  });
  test("a message longer than a datagram", () => {
    const value = new Uint8Array(65_480);
    const long = writer().appendVendor("critical", { vendorId: 9, vendorType: 5, value });
    expect(() => long.finish()).toThrow(RangeError);
  });
});
