import { describe, expect, test } from "vitest";
import { type ControlPacket, encodeControlPacket } from "../../../src/adapters/bfd/control-packet.ts";
import { BfdSessions } from "../../../src/adapters/bfd/sessions.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const ONE = ipv4("10.1.0.1");
const OTHER = ipv4("10.1.0.2");
const STRANGER = ipv4("10.1.0.3");

function sessions(random = () => 0.5): BfdSessions {
  let drawn = 0;
  return new BfdSessions({
    neighbors: [ONE, OTHER],
    transmitIntervalMs: 300,
    receiveIntervalMs: 300,
    detectMultiplier: 3,
    random: () => (random() + drawn++ / 10) % 1,
  });
}

function packet(fields: Partial<ControlPacket> = {}): Uint8Array {
  return encodeControlPacket({
    state: "down",
    diagnostic: 0,
    poll: false,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    detectMultiplier: 3,
    myDiscriminator: 9,
    yourDiscriminator: 0,
    desiredMinTxUs: 1_000_000,
    requiredMinRxUs: 300_000,
    requiredMinEchoRxUs: 0,
    ...fields,
  });
}

/** What each session says of itself in its first packet. */
function discriminators(all: BfdSessions): number[] {
  return all.tick(0).flatMap(({ output }) => (output.type === "send" ? [output.packet.myDiscriminator] : []));
}

describe("the sessions of a host", () => {
  test("have discriminators of their own, that are not 0 (RFC 5880 6.8.1)", () => {
    const found = discriminators(sessions(() => 0));
    expect(new Set(found).size).toBe(2);
    expect(found).not.toContain(0);
  });

  test("are found by the source address while the neighbor doesn't know our discriminator", () => {
    const all = sessions();
    expect(all.receive(packet(), OTHER, 0)).toMatchObject({
      ok: true,
      outputs: [{ neighbor: OTHER }, { neighbor: OTHER }],
    });
    expect(all.statuses.map(([, { state }]) => state)).toEqual(["down", "init"]);
  });

  test("are found by our discriminator otherwise", () => {
    const all = sessions();
    const [first = 0] = discriminators(all);
    all.receive(packet({ state: "init", yourDiscriminator: first }), ONE, 0);
    expect(all.statuses.map(([, { state }]) => state)).toEqual(["up", "down"]);
  });

  test("drop what is for none of them, and say why", () => {
    const all = sessions();
    const [first = 0, second = 0] = discriminators(all);
    const reasonOf = (payload: Uint8Array, source = ONE) => {
      const received = all.receive(payload, source, 0);
      return received.ok ? undefined : received.reason;
    };
    expect(reasonOf(packet(), STRANGER)).toBe("unknown-session");
    expect(reasonOf(packet({ yourDiscriminator: (first ^ second) >>> 0 }))).toBe("unknown-session");
    expect(reasonOf(packet({ yourDiscriminator: second }))).toBe("wrong-source");
    expect(reasonOf(packet({ yourDiscriminator: first }), STRANGER)).toBe("wrong-source");
    expect(reasonOf(packet({ state: "up" }))).toBe("state-without-discriminator");
    expect(all.statuses.map(([, { state, remoteState }]) => [state, remoteState])).toEqual([
      ["down", undefined],
      ["down", undefined],
    ]);
  });

  test("want to be called when the first of them does", () => {
    const all = sessions();
    expect(all.nextWakeMs).toBe(Number.NEGATIVE_INFINITY);
    all.tick(0);
    expect(all.nextWakeMs).toBeGreaterThanOrEqual(750);
    expect(all.nextWakeMs).toBeLessThanOrEqual(1000);
  });
});
