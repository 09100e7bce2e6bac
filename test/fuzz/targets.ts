/** What reads bytes that anybody may have sent: one target for each decoder. */
import assert from "node:assert/strict";
import { decodeControlPacket, encodeControlPacket } from "../../src/adapters/bfd/control-packet.ts";
import { decodeExtensions, type Extension, ExtensionType } from "../../src/core/wire/extension.ts";
import { decodeLongExtension, decodeShortExtension, decodeTlvExtension } from "../../src/core/wire/extension-header.ts";
import { MessageWriter } from "../../src/core/wire/message-writer.ts";
import { decodeNai, encodeNai } from "../../src/core/wire/nai.ts";
import {
  type Decoded,
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeReplyFields,
  encodeRequestFields,
} from "../../src/core/wire/registration-message.ts";
import { tunnelTargets } from "../core/tunnel/fuzz-targets.ts";
import { fromHex, golden, hex } from "../core/wire/golden.ts";
import { tableTargets } from "./table-targets.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Inputs that get deep into the decoder; mutations start from them. */
  readonly corpus: readonly Uint8Array[];
  /** Throws if the decoder threw, or answered something that cannot be. */
  check(input: Uint8Array): void;
}

const vendor = { vendorId: 9, vendorType: 5, value: fromHex("aabb") };

const extensionsInUse = new MessageWriter(new Uint8Array())
  .appendNai("alice@lädchen.example")
  .appendVendor("critical", vendor)
  .append(ExtensionType.Pad, new Uint8Array())
  .appendVendor("normal", vendor)
  .append(145, vendor.value)
  .append(ExtensionType.DynamicHomeAgent, fromHex("01 0a400001"))
  .appendAuthentication(ExtensionType.MobileHomeAuthentication, golden.spi, () => fromHex(golden.hmacMd5))
  .appendAuthentication(ExtensionType.ForeignHomeAuthentication, 300, () => fromHex(golden.keyedMd5))
  .finish();

const wholeRequest = new MessageWriter(Buffer.concat([encodeRequestFields(golden.fields), extensionsInUse])).finish();

const wholeReply = new MessageWriter(
  Buffer.concat([encodeReplyFields({ ...golden.fields, code: 0 }), extensionsInUse]),
).finish();

export const targets: readonly FuzzTarget[] = [
  {
    name: "registration-request",
    corpus: [golden.bytes, wholeRequest],
    check(input) {
      const decoded = decodeRegistrationRequest(input);
      if (!decoded.ok) return assertInside(decoded.fault.offset, input);
      assert.equal(hex(encodeRequestFields(decoded.message)), hex(input.subarray(0, 24)));
      assertExtensions(decoded.message, input, 24);
    },
  },
  {
    name: "registration-reply",
    corpus: [wholeReply, wholeReply.subarray(0, 20)],
    check(input) {
      const decoded = decodeRegistrationReply(input);
      if (!decoded.ok) return assertInside(decoded.fault.offset, input);
      assert.equal(hex(encodeReplyFields(decoded.message)), hex(input.subarray(0, 20)));
      assertExtensions(decoded.message, input, 20);
    },
  },
  {
    name: "extensions",
    corpus: [extensionsInUse, golden.bytes.subarray(24)],
    check(input) {
      const decoded = decodeExtensions(input, 0);
      if (!decoded.ok) return assertInside(decoded.fault.offset, input);
      assertExtensions(decoded, input, 0);
    },
  },
  {
    name: "extension-headers",
    corpus: [fromHex("83 03 616263"), fromHex("91 04 01 616263"), fromHex("24 01 0003 616263")],
    check(input) {
      for (const decode of [decodeTlvExtension, decodeShortExtension, decodeLongExtension]) {
        const extension = decode(input, 0);
        if (extension === undefined) continue;
        assert.equal(extension.type, input[0]);
        assert.ok(extension.end <= input.length);
        assert.equal(hex(extension.data), hex(input.subarray(extension.end - extension.data.length, extension.end)));
      }
    },
  },
  {
    name: "nai",
    corpus: ["alice@example.com", "alice@lädchen.example", "@realm"].map((text) => new TextEncoder().encode(text)),
    check(input) {
      const nai = decodeNai(input);
      if (nai !== undefined) assert.equal(hex(encodeNai(nai) ?? new Uint8Array()), hex(input));
    },
  },
  {
    name: "bfd-control-packet",
    corpus: [fromHex("20c00318 e823bab9 9b507488 000493e0 000493e0 0000c350")],
    check(input) {
      const decoded = decodeControlPacket(input);
      if (!decoded.ok) return;
      // All but the flags of authentication and multipoint, which must not be set, and the length.
      assert.equal(hex(encodeControlPacket(decoded.packet)), hex(Uint8Array.from(input.subarray(0, 24)).with(3, 24)));
    },
  },
  ...tableTargets,
  ...tunnelTargets,
];

/** A truncated message is at fault where it ends; everything else, at a byte that exists. */
function assertInside(offset: number, input: Uint8Array): void {
  assert.ok(offset >= 0 && offset <= input.length, `offset ${offset} of ${input.length}`);
}

/** Every extension lies in the datagram after the one before, and what it says is what its bytes say. */
function assertExtensions(decoded: Pick<Decoded, "extensions" | "fault">, input: Uint8Array, start: number): void {
  if (decoded.fault !== undefined) assertInside(decoded.fault.offset, input);
  let previousEnd = start;
  for (const extension of decoded.extensions) {
    assert.ok(extension.offset >= previousEnd && extension.end <= input.length);
    assert.equal(extension.type, input[extension.offset]);
    assertContent(extension, input);
    previousEnd = extension.end;
  }
}

function assertContent(extension: Extension, input: Uint8Array): void {
  const bytes = input.subarray(extension.offset, extension.end);
  switch (extension.kind) {
    case "authentication":
      assert.equal(extension.coveredEnd, extension.offset + 6);
      assert.equal(hex(extension.authenticator), hex(bytes.subarray(6)));
      assert.equal(extension.spi, Buffer.from(bytes).readUInt32BE(2));
      break;
    case "nai":
      assert.equal(hex(encodeNai(extension.nai) ?? new Uint8Array()), hex(bytes.subarray(2)));
      break;
    case "vendor":
      assert.equal(hex(extension.value), hex(bytes.subarray(10)));
      assert.equal(extension.vendorId, Buffer.from(bytes).readUInt32BE(4));
      break;
    case "dynamic-home-agent":
      assert.equal(extension.homeAgent, Buffer.from(bytes).readUInt32BE(bytes.length - 4));
      assert.ok(bytes[1] === 5 ? bytes.length === 7 : bytes.length === 8 && bytes[2] === 0 && bytes[3] === 4);
      assert.equal(extension.subtype, ["requested", "redirected"][(bytes[bytes.length === 7 ? 2 : 1] ?? 0) - 1]);
      break;
    case "skipped":
      assert.ok(extension.type >= 128);
      assert.equal(hex(extension.value), hex(bytes.subarray(2)));
  }
}
