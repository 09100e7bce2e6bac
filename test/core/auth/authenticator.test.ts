import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SecurityAssociation } from "../../../src/core/auth/association.ts";
import { computeAuthenticator, verifyAuthenticator } from "../../../src/core/auth/authenticator.ts";
import { decodeRegistrationRequest } from "../../../src/core/wire/registration-message.ts";
import { fromHex, golden, hex } from "../wire/golden.ts";

const hmacMd5: SecurityAssociation = { spi: golden.spi, algorithm: "hmac-md5", key: golden.key };
const keyedMd5: SecurityAssociation = { ...hmacMd5, algorithm: "keyed-md5" };
const covered = golden.bytes.subarray(0, 30);

describe("the digests of a foreign implementation", () => {
  test("HMAC-MD5", () => {
    expect(hex(computeAuthenticator(hmacMd5, covered))).toBe(golden.hmacMd5);
  });

  test("keyed MD5, prefix+suffix, with the SPI covered", () => {
    expect(hex(computeAuthenticator(keyedMd5, covered))).toBe(golden.keyedMd5);
  });

  test("the message is verified with the range that the decoder found", () => {
    const decoded = decodeRegistrationRequest(golden.bytes);
    const [extension] = decoded.ok ? decoded.message.extensions : [];
    if (extension?.kind !== "authentication") throw new Error("no authentication extension");
    const found = golden.bytes.subarray(0, extension.coveredEnd);
    expect(verifyAuthenticator(hmacMd5, found, extension.authenticator)).toBe(true);
    expect(verifyAuthenticator(keyedMd5, found, extension.authenticator)).toBe(false);
  });
});

describe("the test cases of RFC 2202 2", () => {
  test.each([
    ["a short key", "0b".repeat(16), Buffer.from("Hi There"), "9294727a3638bb1c13f48ef8158bfc9d"],
    [
      "a key of text",
      hex(Buffer.from("Jefe")),
      Buffer.from("what do ya want for nothing?"),
      "750c783e6ab0b503eaa86e310a5db738",
    ],
    [
      "a key longer than a block",
      "aa".repeat(80),
      Buffer.from("Test Using Larger Than Block-Size Key - Hash Key First"),
      "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
    ],
  ])("%s", (_what, key, data, digest) => {
    expect(hex(computeAuthenticator({ ...hmacMd5, key: fromHex(key) }, data))).toBe(digest);
  });
});

test("an empty key is a key", () => {
  const expected = createHmac("md5", "").update(covered).digest();
  expect(verifyAuthenticator({ ...hmacMd5, key: new Uint8Array() }, covered, expected)).toBe(true);
});

test.each([0, 15, 17, 200])("an authenticator of %i bytes is wrong, not an error", (length) => {
  const authenticator = new Uint8Array(length);
  authenticator.set(computeAuthenticator(hmacMd5, covered).subarray(0, length));
  expect(verifyAuthenticator(hmacMd5, covered, authenticator)).toBe(false);
});

describe.each([hmacMd5, keyedMd5])("$algorithm", (association) => {
  test("changing one bit of what is covered, of the authenticator or of the key is noticed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 30, maxLength: 200 }), fc.nat(), fc.nat(7), (message, position, bit) => {
        const authenticator = computeAuthenticator(association, message);
        expect(authenticator).toHaveLength(16);
        expect(verifyAuthenticator(association, message, authenticator)).toBe(true);
        const flip = (bytes: Uint8Array) =>
          bytes.map((byte, at) => (at === position % bytes.length ? byte ^ (1 << bit) : byte));
        expect(verifyAuthenticator(association, flip(message), authenticator)).toBe(false);
        expect(verifyAuthenticator(association, message, flip(authenticator))).toBe(false);
        expect(verifyAuthenticator({ ...association, key: flip(association.key) }, message, authenticator)).toBe(false);
      }),
    );
  });
});
