import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalNai, decodeNai, encodeNai, realmOf } from "../../../src/core/wire/nai.ts";
import { nai } from "./arbitraries.ts";
import { fromHex } from "./golden.ts";

describe("well-formed identifiers, RFC 4282 2.1", () => {
  test.each(["joe", "joe@example.com", "fred@foo-9.example.com", "@privatecorp.example.net", "alice@lädchen.example"])(
    "%s",
    (text) => {
      const bytes = encodeNai(text);
      expect(bytes).toBeDefined();
      expect(decodeNai(bytes ?? new Uint8Array())).toBe(text);
    },
  );

  test("the longest has 253 bytes", () => {
    expect(decodeNai(Buffer.from(`${"a".repeat(251)}@b`))).toHaveLength(253);
    expect(decodeNai(Buffer.from(`${"a".repeat(252)}@b`))).toBeUndefined();
  });
});

describe("not identifiers", () => {
  test.each([
    ["nothing", ""],
    ["an empty realm", "616c69636540"],
    ["a space", "612062"],
    ["a line feed", "610a62"],
    ["a zero byte", "6100"],
    ["a delete", "7f"],
    ["a stray continuation byte", "61 80 62"],
    ["an overlong encoding of '/'", "c0 af"],
    ["a surrogate", "ed a0 80"],
    ["a cut-off sequence", "61 c3"],
    ["a byte order mark", "ef bb bf 61"],
    ["a right-to-left override", "e2 80 ae 61"],
    ["a no-break space", "c2 a0"],
  ])("%s", (_what, bytes) => {
    expect(decodeNai(fromHex(bytes))).toBeUndefined();
  });

  test("text with half of a surrogate pair is not encoded as something else", () => {
    expect(encodeNai("a\ud800@b")).toBeUndefined();
  });
});

test("equal identifiers have one canonical form: the case of the realm does not count, that of the user does", () => {
  expect(canonicalNai("Alice@Example.COM")).toBe("Alice@example.com");
  expect(canonicalNai("Alice")).toBe("Alice");
  expect(canonicalNai("a@B@C.org")).toBe("a@B@c.org");
});

test("the realm is what follows the last '@'", () => {
  expect(realmOf("alice@Example.COM")).toBe("example.com");
  expect(realmOf("a@b@c")).toBe("c");
  expect(realmOf("alice")).toBeUndefined();
});

test("any bytes are either refused or an identifier that is encoded as these bytes", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        nai.map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        const decoded = decodeNai(bytes);
        if (decoded !== undefined) expect(encodeNai(decoded)).toEqual(Uint8Array.from(bytes));
      },
    ),
  );
});
