import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
} from "../../../src/adapters/bfd/control-packet.ts";
import { fromHex, hex } from "../../core/wire/golden.ts";
import { anyPacket } from "./arbitraries.ts";

const up: ControlPacket = {
  state: "up",
  diagnostic: 0,
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMultiplier: 3,
  myDiscriminator: 0xe823bab9,
  yourDiscriminator: 0x9b507488,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  requiredMinEchoRxUs: 50_000,
};

describe("a control packet", () => {
  test.each<[string, string, ControlPacket]>([
    ["as FRR 8.4.4 sends it", "20c00318 e823bab9 9b507488 000493e0 000493e0 0000c350", up],
    [
      "of a session that begins",
      "20400318 00000001 00000000 000f4240 000493e0 00000000",
      {
        ...up,
        state: "down",
        myDiscriminator: 1,
        yourDiscriminator: 0,
        desiredMinTxUs: 1_000_000,
        requiredMinEchoRxUs: 0,
      },
    ],
    ["that polls", "23e00318 e823bab9 9b507488 000493e0 000493e0 0000c350", { ...up, diagnostic: 3, poll: true }],
    [
      "that answers a poll",
      "2598ff18 e823bab9 9b507488 000493e0 000493e0 0000c350",
      {
        ...up,
        state: "init",
        diagnostic: 5,
        final: true,
        controlPlaneIndependent: true,
        detectMultiplier: 255,
      },
    ],
    [
      "of a session that an operator has ended",
      "27020318 e823bab9 9b507488 000493e0 000493e0 0000c350",
      { ...up, state: "admin-down", diagnostic: 7, demand: true },
    ],
  ])("%s is read and written", (_, bytes, packet) => {
    expect(decodeControlPacket(fromHex(bytes))).toEqual({ ok: true, packet });
    expect(hex(encodeControlPacket(packet))).toBe(bytes.replaceAll(" ", ""));
  });

  test("comes back from its bytes, whatever it says", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        expect(decodeControlPacket(encodeControlPacket(packet))).toEqual({ ok: true, packet });
      }),
    );
  });

  test("may be followed by bytes that its length leaves out", () => {
    expect(decodeControlPacket(fromHex("20c00318 e823bab9 9b507488 000493e0 000493e0 0000c350 ffff"))).toEqual({
      ok: true,
      packet: up,
    });
  });

  const rest = "e823bab9 9b507488 000493e0 000493e0 0000c350";
  test.each([
    ["wrong-length", ""],
    ["wrong-length", "20c00318 e823bab9 9b507488 000493e0 000493e0 0000c3"],
    ["wrong-version", `00c00318 ${rest}`],
    ["wrong-version", `40c00318 ${rest}`],
    ["wrong-length", `20c00317 ${rest}`],
    ["wrong-length", `20c00319 ${rest}`],
    ["wrong-length", `20c40319 ${rest} 0101`],
    ["zero-detect-multiplier", `20c00018 ${rest}`],
    ["multipoint", `20c10318 ${rest}`],
    ["zero-discriminator", "20c00318 00000000 9b507488 000493e0 000493e0 0000c350"],
    ["state-without-discriminator", "20c00318 e823bab9 00000000 000493e0 000493e0 0000c350"],
    ["state-without-discriminator", "20800318 e823bab9 00000000 000493e0 000493e0 0000c350"],
    ["authentication", `20c4031a ${rest} 0101`],
  ])("is discarded as %s: %s", (fault, bytes) => {
    expect(decodeControlPacket(fromHex(bytes))).toEqual({ ok: false, fault });
  });
});
