import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeHexKey, decodeKeyFile, decodeTextKey } from "../../src/config/secrets.ts";
import { ConfigDirectory, minimal } from "./config-directory.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const problemOf = (content: Uint8Array) => {
  const decoded = decodeKeyFile(content);
  return decoded.ok ? undefined : decoded.problem;
};

describe("a key file says what its key is, or is refused", () => {
  test.each([
    ["text", "1234567812345678", "1234567812345678"],
    ["text in UTF-8", "schlüssel 12345678", "schlüssel 12345678"],
    ["one line end less, as editors add it", "1234567812345678\n", "1234567812345678"],
    ["one line end less, as editors of Windows add it", "1234567812345678\r\n", "1234567812345678"],
    ["hexadecimal digits", "hex:30313233", "0123"],
    ["hexadecimal digits with space between them", "hex: 3031 3233\r\n3435 36\n37\n", "01234567"],
    ["a word that only begins like a prefix", "hexagon-12345678", "hexagon-12345678"],
    ["a colon somewhere", "user:1234567812345678", "user:1234567812345678"],
  ])("%s", (_what, content, key) => {
    expect(decodeKeyFile(utf8(content))).toEqual({ ok: true, key: utf8(key) });
  });

  test.each([
    ["Latin-1", Buffer.from("schlüssel 12345678", "latin1"), /is not UTF-8 \(byte 5\); .*hex: and hexadecimal digits/],
    ["raw bytes", Buffer.from("00ff80c1", "hex"), /is not UTF-8 \(byte 2\)/],
    ["UTF-16", Buffer.from("\ufeff1234567812345678", "utf16le"), /is UTF-16, not UTF-8/],
    ["UTF-16 of the other kind", Buffer.from("feff00310032", "hex"), /is UTF-16, not UTF-8/],
    ["UTF-16 without a mark", Buffer.from("12345678", "utf16le"), /a character that can't be seen \(U\+0000\)/],
    ["a byte-order mark before text", utf8("\ufeff1234567812345678"), /begins with a byte-order mark/],
    ["a byte-order mark before hex:", utf8("\ufeffhex:00112233"), /begins with a byte-order mark/],
    ["a byte-order mark elsewhere", utf8("12345678\ufeff"), /\(U\+FEFF\)/],
    ["a NUL at the end", utf8("1234567812345678\0"), /\(U\+0000\)/],
    ["two line ends", utf8("1234567812345678\n\n"), /\(U\+000A\)/],
    ["a carriage return alone", utf8("1234567812345678\r"), /\(U\+000D\)/],
    ["a line end and a NUL", utf8("1234567812345678\n\0"), /\(U\+000A\)/],
    ["a line end of Unicode", utf8("1234567812345678\u2028"), /\(U\+2028\)/],
    ["a character of no width", utf8("12345678\u200b12345678"), /\(U\+200B\)/],
    ["what some program has put for bytes that were no UTF-8", utf8("schl\ufffdssel 12345678"), /\(U\+FFFD\)/],
    ["white space at the beginning", utf8(" 1234567812345678"), /begins or ends with white space/],
    ["white space at the end", utf8("1234567812345678 \n"), /begins or ends with white space/],
    ["a tab at the end", utf8("1234567812345678\t\n"), /can't be seen \(U\+0009\)/],
    ["nothing", utf8(""), /^is empty$/],
    ["a line end alone", utf8("\n"), /^is empty$/],
    ["no digits after hex:", utf8("hex:"), /^is empty$/],
    ["half a byte after hex:", utf8("hex:001"), /other than pairs of hexadecimal digits after hex:/],
    ["no digits, after hex:", utf8("hex:0x00112233"), /other than pairs of hexadecimal digits after hex:/],
    ["too much", utf8("x".repeat(4097)), /has more than 4096 bytes/],
  ])("%s", (_what, content, problem) => {
    using directory = new ConfigDirectory({ "a.key": content });
    const [found = ""] = directory.problems(minimal.replace('key: "1234567812345678"', "key-file: a.key"));
    expect(found).toMatch(/^anyhome\.yaml:12:\d+: error: security-associations\.mobiles\[0\]\.key-file: a\.key /);
    expect(found.replace(/^.*a\.key /, "")).toMatch(problem);
  });

  test.each([
    "Hex:00112233",
    "HEX:00112233",
    " hex:00112233",
    "hex :00112233",
    "hex=00112233",
    "hex 00112233",
    "hx:00112233",
    "hexadecimal:00112233",
    '"hex:00112233"',
    "hex：00112233",
    "0x00112233",
    "0X00112233AABBCCDD",
    "0x:00112233",
    "base64:AAECAwQF",
    "base64 : AAECAwQF",
    "BASE-64=AAECAwQF",
    "b64:AAECAwQF",
    "text:1234567812345678",
    "utf-8:1234567812345678",
  ])("what is nearly a prefix: %s", (content) => {
    expect(problemOf(utf8(content))).toMatch(/prefix|white space/);
    expect(problemOf(utf8(content))).toContain("is written as hex: and hexadecimal digits");
  });

  test("whatever its bytes are, the key is these bytes, or what their digits say, and no problem shows them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (content) => {
        const decoded = decodeKeyFile(content);
        if (decoded.ok) expect(Buffer.from(decoded.key)).toEqual(Buffer.from(content).subarray(0, decoded.key.length));
        const hex = utf8(`hex:${Buffer.from(content).toString("hex")}`);
        expect(decodeKeyFile(hex)).toEqual(
          content.length === 0 ? { ok: false, problem: "is empty" } : { ok: true, key: content },
        );
      }),
    );
  });
});

describe("a key that is not in a file", () => {
  test.each([
    "hex:00112233445566778899aabbccddeeff",
    "0x00112233445566778899aabbccddeeff",
    "1234567812345678 ",
    "1234567812345678\n",
    "12345678\0",
    "schl\ufffdssel 12345678",
  ])("is text as it is read, or refused with what to write: %j", (key) => {
    using directory = new ConfigDirectory();
    const problems = directory.problems(minimal.replace('"1234567812345678"', JSON.stringify(key)));
    expect(problems).toEqual([expect.stringMatching(/mobiles\[0\]\.key: .*; a key that has to be so is a key-hex$/)]);
    expect(problems[0]).not.toMatch(/2233|1234/);
  });

  test("is pairs of hexadecimal digits, and at least one", () => {
    expect(decodeHexKey("00aAFf")).toEqual({ ok: true, key: Uint8Array.of(0, 0xaa, 0xff) });
    for (const digits of ["", "0", "0x00", "00 11", "zz"]) expect(decodeHexKey(digits).ok).toBe(false);
    expect(decodeTextKey("", "").ok).toBe(false);
  });
});

test("the cluster's secret is read as keys are", () => {
  using directory = new ConfigDirectory({ marked: "\ufeff0123456789abcdef0123456789abcdef" });
  expect(directory.problems(minimal.replace("cluster.secret", "marked"))).toEqual([
    expect.stringContaining("anyhome.yaml:2:14: error: secret-file: marked begins with a byte-order mark"),
  ]);
});
