import fc from "fast-check";
import type { ControlPacket } from "../../../src/adapters/bfd/control-packet.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** Packets that nobody may discard at sight. */
export const anyPacket: fc.Arbitrary<ControlPacket> = fc
  .record({
    state: fc.constantFrom("admin-down", "down", "init", "up"),
    diagnostic: fc.integer({ min: 0, max: 31 }),
    poll: fc.boolean(),
    final: fc.boolean(),
    controlPlaneIndependent: fc.boolean(),
    demand: fc.boolean(),
    detectMultiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    yourDiscriminator: u32,
    desiredMinTxUs: u32,
    requiredMinRxUs: u32,
    requiredMinEchoRxUs: u32,
  })
  .filter(({ state, yourDiscriminator }) => yourDiscriminator !== 0 || state === "down" || state === "admin-down");
