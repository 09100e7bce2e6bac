import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeReplyFields,
  encodeRequestFields,
  type RegistrationReply,
  type RegistrationRequest,
  RequestFlag,
} from "../../../src/core/wire/registration-message.ts";
import { extensions, replyFields, requestFields, write } from "./arbitraries.ts";
import { fromHex, golden, hex } from "./golden.ts";

const replyHex = "03 00 0258 0a090005 0a090001 eeae4567dcd51000";

function request(bytes: Uint8Array): RegistrationRequest {
  const result = decodeRegistrationRequest(bytes);
  if (!result.ok) throw new Error(`not decoded: ${result.fault.reason}`);
  return result.message;
}

function reply(bytes: Uint8Array): RegistrationReply {
  const result = decodeRegistrationReply(bytes);
  if (!result.ok) throw new Error(`not decoded: ${result.fault.reason}`);
  return result.message;
}

describe("the message of a foreign implementation", () => {
  test("is read field by field", () => {
    const message = request(golden.bytes);
    expect(message).toMatchObject(golden.fields);
    expect(message.flags).toBe(RequestFlag.D | RequestFlag.G);
    expect(message.fault).toBeUndefined();
    expect(message.extensions).toEqual([
      {
        kind: "authentication",
        type: 32,
        offset: 24,
        end: 46,
        spi: golden.spi,
        coveredEnd: 30,
        authenticator: fromHex(golden.hmacMd5),
      },
    ]);
  });

  test("is what our encoder makes of its fields", () => {
    expect(hex(encodeRequestFields(golden.fields))).toBe(hex(golden.bytes.subarray(0, 24)));
  });

  test("is also read from the middle of a larger buffer", () => {
    const buffer = new Uint8Array(100).fill(0xff);
    buffer.set(golden.bytes, 7);
    const message = request(buffer.subarray(7, 7 + golden.bytes.length));
    expect(message).toMatchObject(golden.fields);
    expect(message.extensions[0]).toMatchObject({ spi: golden.spi, coveredEnd: 30 });
  });
});

test("a reply has a code and no care-of address", () => {
  const { code, lifetimeSeconds, homeAddress, homeAgent, identification } = reply(fromHex(replyHex));
  const fields = { code, lifetimeSeconds, homeAddress, homeAgent, identification };
  const { homeAddress: mobile, homeAgent: agent } = golden.fields;
  expect(fields).toEqual({
    code: 0,
    lifetimeSeconds: 600,
    homeAddress: mobile,
    homeAgent: agent,
    identification: golden.fields.identification,
  });
  expect(hex(encodeReplyFields(fields))).toBe(hex(fromHex(replyHex)));
});

test("the reserved bits r and x do not make a request poorly formed", () => {
  const bytes = Uint8Array.from(golden.bytes);
  bytes[1] = 0x28 | 0x04 | 0x01;
  expect(request(bytes)).toMatchObject({ flags: 0x2d, lifetimeSeconds: 600 });
});

describe("what is no message is refused with a reason and an offset", () => {
  const requestHex = hex(golden.bytes.subarray(0, 24));
  test.each([
    ["an empty datagram", decodeRegistrationRequest, "", "truncated-message", 0],
    ["a type alone", decodeRegistrationRequest, "01", "truncated-message", 1],
    ["a request without its last byte", decodeRegistrationRequest, requestHex.slice(0, -2), "truncated-message", 23],
    ["a reply where a request is expected", decodeRegistrationRequest, replyHex, "unknown-message-type", 0],
    ["a revocation (RFC 3543)", decodeRegistrationRequest, `07${requestHex.slice(2)}`, "unknown-message-type", 0],
    ["type 0", decodeRegistrationRequest, "00", "unknown-message-type", 0],
    ["an empty datagram, as a reply", decodeRegistrationReply, "", "truncated-message", 0],
    ["a reply without its last byte", decodeRegistrationReply, replyHex.slice(0, -2), "truncated-message", 19],
    ["a request where a reply is expected", decodeRegistrationReply, requestHex, "unknown-message-type", 0],
  ])("%s", (_what, decode, bytes, reason, offset) => {
    expect(decode(fromHex(bytes))).toEqual({ ok: false, fault: { reason, offset } });
  });

  test("a message with an extension that must be understood and is not: nobody may answer it", () => {
    const bytes = fromHex(`${hex(golden.bytes)} 2c06000000000000`);
    expect(decodeRegistrationRequest(bytes)).toEqual({
      ok: false,
      fault: { reason: "unsupported-extension", offset: golden.bytes.length, type: 44 },
    });
  });
});

test("a fault in an extension leaves a message that can be answered", () => {
  const bytes = fromHex(`${requestHex()} 8300 ${hex(golden.bytes.subarray(24))}`);
  expect(request(bytes)).toMatchObject({
    ...golden.fields,
    extensions: [{ kind: "authentication", offset: 26, coveredEnd: 32 }],
    fault: { reason: "malformed-extension", offset: 24 },
  });

  function requestHex(): string {
    return hex(golden.bytes.subarray(0, 24));
  }
});

describe("whatever is written is read back", () => {
  test("requests", () => {
    fc.assert(
      fc.property(requestFields, extensions, (fields, descriptions) => {
        const bytes = write(encodeRequestFields(fields), descriptions);
        const message = request(bytes);
        expect(message).toMatchObject(fields);
        expect(message.bytes).toBe(bytes);
        expect(message.extensions).toMatchObject(descriptions);
        expect(message.fault).toBeUndefined();
        expect(hex(write(encodeRequestFields(message), message.extensions))).toBe(hex(bytes));
      }),
    );
  });

  test("replies", () => {
    fc.assert(
      fc.property(replyFields, extensions, (fields, descriptions) => {
        const bytes = write(encodeReplyFields(fields), descriptions);
        const message = reply(bytes);
        expect(message).toMatchObject(fields);
        expect(message.extensions).toMatchObject(descriptions);
        expect(hex(write(encodeReplyFields(message), message.extensions))).toBe(hex(bytes));
      }),
    );
  });
});
