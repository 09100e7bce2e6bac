import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeExtensions, type Extension } from "../../../src/core/wire/extension.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { extensions, write } from "./arbitraries.ts";
import { fromHex, hex } from "./golden.ts";

const mobileHomeAuthentication = `20 14 00000100 ${"aa".repeat(16)}`;

function decode(text: string) {
  return decodeExtensions(fromHex(text), 0);
}

function understood(text: string): readonly Extension[] {
  const decoded = decode(text);
  if (!decoded.ok || decoded.fault !== undefined) throw new Error(`fault: ${decoded.fault?.reason}`);
  return decoded.extensions;
}

describe("each kind of extension", () => {
  test.each([
    ["mobile-home authentication", 32],
    ["mobile-foreign authentication", 33],
    ["foreign-home authentication", 34],
  ])("%s: SPI, authenticator, and where its cover ends", (_name, type) => {
    const bytes = `00 ${type.toString(16)} 07 12345678 aabbcc`;
    expect(understood(bytes)).toEqual([
      {
        kind: "authentication",
        type,
        offset: 1,
        end: 10,
        spi: 0x12345678,
        coveredEnd: 7,
        authenticator: fromHex("aabbcc"),
      },
    ]);
  });

  test("NAI", () => {
    const bytes = `83 09 ${hex(Buffer.from("alice@x.y"))}`;
    expect(understood(bytes)).toEqual([{ kind: "nai", type: 131, offset: 0, end: 11, nai: "alice@x.y" }]);
  });

  test("critical vendor extension: the long format, whose length does not count the reserved byte", () => {
    expect(understood("26 00 0008 00000009 0005 aabb")).toEqual([
      { kind: "vendor", type: 38, offset: 0, end: 12, vendorId: 9, vendorType: 5, value: fromHex("aabb") },
    ]);
  });

  test("normal vendor extension: two reserved bytes, which may be set", () => {
    expect(understood("86 0a 0102 00000009 0005 aabb")).toEqual([
      { kind: "vendor", type: 134, offset: 0, end: 12, vendorId: 9, vendorType: 5, value: fromHex("aabb") },
    ]);
  });

  test.each([
    ["as RFC 4433 3.4 draws it, requested", "8b 01 0004 0a400001", "requested"],
    ["as RFC 4433 3.4 draws it, redirected", "8b 02 0004 0a400001", "redirected"],
    ["in the short format, requested", "8b 05 01 0a400001", "requested"],
    ["in the short format, redirected", "8b 05 02 0a400001", "redirected"],
  ])("dynamic home agent, %s: what follows is found", (_name, text, subtype) => {
    const bytes = fromHex(text);
    expect(understood(`${text} ${mobileHomeAuthentication}`)).toMatchObject([
      { kind: "dynamic-home-agent", type: 139, offset: 0, end: bytes.length, subtype, homeAgent: ipv4("10.64.0.1") },
      { kind: "authentication", type: 32, offset: bytes.length },
    ]);
  });

  test.each([
    ["an unknown subtype", "8b 05 03 0a400001"],
    ["another length", "8b 06 01 0a400001 00"],
    ["an unknown subtype where the subtype is drawn", "8b 03 000400"],
    ["another length where the length is drawn", "8b 02 0005"],
    ["nothing at all", "8b 00"],
  ])("dynamic home agent with %s: skipped by its second byte, as any skippable one", (_what, text) => {
    expect(understood(`${text} ${mobileHomeAuthentication}`)).toMatchObject([
      { kind: "skipped", type: 139, end: fromHex(text).length },
      { type: 32 },
    ]);
  });

  test("of an unknown skippable type is kept as it is", () => {
    expect(understood("91 03 010203")).toEqual([
      { kind: "skipped", type: 145, offset: 0, end: 5, value: fromHex("010203") },
    ]);
  });

  test("padding is one byte without a length, anywhere and any number of times", () => {
    expect(understood(`000000 ${mobileHomeAuthentication} 00`)).toMatchObject([{ type: 32, offset: 3, coveredEnd: 9 }]);
  });
});

describe("what cannot be right is a fault at its offset, and hides nothing that still can be read", () => {
  test.each([
    ["a type without a length", "91", "truncated-extension", 0, []],
    ["a length past the end", "91 04 010203", "truncated-extension", 0, []],
    ["a long length past the end", "26 00 0009 00000009 0005 aabb", "truncated-extension", 0, []],
    ["a long header cut off", `${mobileHomeAuthentication} 26 00 00`, "truncated-extension", 22, [32]],
    ["a dynamic home agent cut off, as it is drawn", "8b 01 0004 0a4000", "truncated-extension", 0, []],
    ["a dynamic home agent cut off, in the short format", "8b 05 01 0a4000", "truncated-extension", 0, []],
    ["no room for the SPI", `20 03 000001 ${mobileHomeAuthentication}`, "malformed-extension", 0, [32]],
    ["no room for the vendor type", "86 07 00000000000900 9100", "malformed-extension", 0, [145]],
    ["no room for the critical vendor type", "26 00 0005 0000000900 9100", "malformed-extension", 0, [145]],
    ["an empty NAI", `83 00 ${mobileHomeAuthentication}`, "malformed-extension", 0, [32]],
    ["an NAI with a control character", `83 02 610a ${mobileHomeAuthentication}`, "malformed-extension", 0, [32]],
    ["two faults: the first counts", "83 00 20 00 9100", "malformed-extension", 0, [145]],
  ])("%s", (_what, text, reason, offset, types) => {
    expect(decode(text)).toMatchObject({
      ok: true,
      fault: { reason, offset },
      extensions: types.map((type) => ({ type })),
    });
  });
});

describe("an unknown type that is not skippable condemns the message", () => {
  test.each([1, 31, 35, 36, 37, 39, 44, 45, 48, 127])("type %i", (type) => {
    const text = `${mobileHomeAuthentication} ${type.toString(16).padStart(2, "0")} 00`;
    expect(decode(text)).toEqual({ ok: false, fault: { reason: "unsupported-extension", offset: 22, type } });
  });

  test("even where it is cut off, so that its length cannot be read", () => {
    expect(decode("2c")).toEqual({ ok: false, fault: { reason: "unsupported-extension", offset: 0, type: 44 } });
  });

  test("even after an extension with a fault that would have been answered", () => {
    expect(decode("83 00 2c 00")).toEqual({
      ok: false,
      fault: { reason: "unsupported-extension", offset: 2, type: 44 },
    });
  });
});

describe("for any bytes at all", () => {
  test("decoding ends, and every extension lies in the datagram, after the one before it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(40), (bytes, start) => {
        const decoded = decodeExtensions(bytes, start);
        if (decoded.fault !== undefined) expect(decoded.fault.offset).toBeLessThan(bytes.length);
        if (!decoded.ok) return;
        let previousEnd = start;
        for (const { offset, end, type } of decoded.extensions) {
          expect(offset).toBeGreaterThanOrEqual(previousEnd);
          expect(bytes[offset]).toBe(type);
          expect(end).toBeGreaterThan(offset);
          previousEnd = end;
        }
        expect(previousEnd).toBeLessThanOrEqual(Math.max(bytes.length, start));
      }),
    );
  });

  test("what an authenticator covers is what was signed, and ends right before the authenticator", () => {
    fc.assert(
      fc.property(extensions, (descriptions) => {
        const signed: string[] = [];
        const bytes = write(new Uint8Array(24), descriptions, (covered) => signed.push(hex(covered)));
        const decoded = decodeExtensions(bytes, 24);
        if (!decoded.ok) throw new Error(decoded.fault.reason);
        const authentications = decoded.extensions.filter((extension) => extension.kind === "authentication");
        expect(authentications.map(({ coveredEnd }) => hex(bytes.subarray(0, coveredEnd)))).toEqual(signed);
        for (const { coveredEnd, authenticator, end } of authentications) {
          expect(hex(bytes.subarray(coveredEnd, end))).toBe(hex(authenticator));
        }
      }),
    );
  });
});
