/** RFC 5944 3.8.2.2: what an accepted request does to the mobility binding list. */
import { describe, expect, test } from "vitest";
import { INFINITE_LIFETIME, RequestFlag } from "../../../src/core/wire/registration-message.ts";
import { FA1, FA2, KEYS, MAXIMUM_LIFETIME, Rig, START_MS } from "./rig.ts";
import { ACCEPTED, denied, play } from "./scenario.ts";

const HOME = "10.64.1.1";
const FA3 = "192.0.2.3";

describe("registration", () => {
  play([
    {
      rule: "a new care-of address replaces the previous one",
      steps: [
        { send: { careOf: FA1 }, expect: { ...ACCEPTED, careOf: [FA1] } },
        { send: { careOf: FA2 }, expect: { ...ACCEPTED, careOf: [FA2] } },
      ],
    },
    {
      rule: "the S bit keeps the previous care-of addresses",
      steps: [
        { send: { careOf: FA1 }, expect: { ...ACCEPTED, careOf: [FA1] } },
        { send: { careOf: FA2, flags: "S" }, expect: { ...ACCEPTED, careOf: [FA1, FA2] } },
        { send: { careOf: FA3 }, expect: { ...ACCEPTED, careOf: [FA3] } },
      ],
    },
    {
      rule: "the S bit with a care-of address that is registered renews that one",
      steps: [
        { send: { careOf: FA1, lifetime: 100 }, expect: ACCEPTED },
        { send: { careOf: FA2, flags: "S", lifetime: 500 }, expect: ACCEPTED },
        { send: { careOf: FA1, flags: "S", lifetime: 500 }, expect: { ...ACCEPTED, careOf: [FA2, FA1] } },
        { after: 400, send: { careOf: FA1, flags: "S" }, expect: { ...ACCEPTED, careOf: [FA2, FA1] } },
      ],
    },
    {
      rule: "more simultaneous bindings than allowed are answered 135 (3.8.2.3), and those there are stay",
      steps: [
        { send: { careOf: FA1 }, expect: ACCEPTED },
        { send: { careOf: FA2, flags: "S" }, expect: ACCEPTED },
        { send: { careOf: FA3, flags: "S" }, expect: { ...denied(135, "too-many-bindings"), careOf: [FA1, FA2] } },
      ],
    },
    {
      rule: "an expired care-of address does not count",
      steps: [
        { send: { careOf: FA1, lifetime: 10 }, expect: ACCEPTED },
        { send: { careOf: FA2, flags: "S" }, expect: ACCEPTED },
        { after: 11, send: { careOf: FA3, flags: "S" }, expect: { ...ACCEPTED, careOf: [FA2, FA3] } },
      ],
    },
    {
      rule: "without simultaneous bindings the S bit is answered with code 1, and the previous care-of address goes",
      policy: { maximumSimultaneousBindings: 1 },
      steps: [
        { send: { careOf: FA1 }, expect: { ...ACCEPTED, careOf: [FA1] } },
        { send: { careOf: FA2, flags: "S" }, expect: { outcome: "accepted", code: 1, careOf: [FA2] } },
        { send: 2, expect: { outcome: "duplicate", code: 1 } },
      ],
    },
    {
      rule: "the lifetime asked for is granted up to the maximum",
      steps: [
        { send: { lifetime: 1 }, expect: { ...ACCEPTED, lifetime: 1 } },
        { send: { lifetime: MAXIMUM_LIFETIME }, expect: { ...ACCEPTED, lifetime: MAXIMUM_LIFETIME } },
        { send: { lifetime: MAXIMUM_LIFETIME + 1 }, expect: { ...ACCEPTED, lifetime: MAXIMUM_LIFETIME } },
        { send: { lifetime: INFINITE_LIFETIME }, expect: { ...ACCEPTED, lifetime: MAXIMUM_LIFETIME } },
      ],
    },
    {
      rule: "an infinite lifetime is granted where the policy allows it, and only to those who ask for it",
      policy: { maximumLifetimeSeconds: INFINITE_LIFETIME },
      steps: [
        { send: { lifetime: INFINITE_LIFETIME }, expect: { ...ACCEPTED, lifetime: INFINITE_LIFETIME } },
        { after: 1e9, send: 1, expect: { outcome: "duplicate", careOf: [FA1] } },
        { send: { lifetime: 65_534 }, expect: { ...ACCEPTED, lifetime: 65_534 } },
      ],
    },
    {
      rule: "the B bit is ignored (3.8.2)",
      steps: [{ send: { flags: "B" }, expect: ACCEPTED }],
    },
  ]);

  test("the row has what 3.8.1 asks for, and where the request came from", () => {
    const { row, request } = new Rig().send({
      careOf: "192.0.2.7",
      source: FA1,
      port: 5434,
      flags: "DG",
      lifetime: 60,
    });
    expect(row).toMatchObject({
      mobile: "ip:10.64.1.1",
      nai: undefined,
      dynamic: false,
      ownership: { owner: "ha1", backups: [], generation: 1 },
      registration: { identification: request.identification, replayStyle: "timestamps", code: 0, lifetimeSeconds: 60 },
    });
    expect(row?.registration.careOfAddresses).toEqual([
      {
        careOfAddress: request.careOfAddress,
        flags: request.flags,
        lifetimeSeconds: 60,
        expiresAtMs: START_MS + 60_000,
        foreignAgent: { address: 0xc0000201, port: 5434 },
        ingress: "ha1",
        identification: request.identification,
      },
    ]);
  });

  test("an expired care-of address does not count, even before its row was cleaned up", () => {
    const rig = new Rig();
    rig.send({ careOf: FA1, lifetime: 10 });
    rig.nowMs += 10_000;
    expect(rig.send({ careOf: FA2, flags: "S" })).toMatchObject({ ...ACCEPTED, careOf: [FA2] });
  });

  test("reserved bits are ignored (3.3; 3.8.2.3 contradicts it), and not kept", () => {
    const outcome = new Rig().send({ flags: "DrTx" });
    expect(outcome).toMatchObject(ACCEPTED);
    expect(outcome.row?.registration.careOfAddresses[0]?.flags).toBe(RequestFlag.D | RequestFlag.T);
  });
});

describe("deregistration", () => {
  play([
    {
      rule: "naming the home address as care-of address deletes all bindings",
      steps: [
        { send: { careOf: FA1 }, expect: ACCEPTED },
        { send: { careOf: FA2, flags: "S" }, expect: ACCEPTED },
        { send: { careOf: HOME, source: HOME, lifetime: 0 }, expect: { ...ACCEPTED, lifetime: 0, careOf: [] } },
      ],
    },
    {
      rule: "naming one care-of address deletes that binding only",
      steps: [
        { send: { careOf: FA1 }, expect: ACCEPTED },
        { send: { careOf: FA2, flags: "S" }, expect: ACCEPTED },
        { send: { careOf: FA1, lifetime: 0 }, expect: { ...ACCEPTED, lifetime: 0, careOf: [FA2] } },
      ],
    },
    {
      rule: "naming a care-of address that is not registered is accepted and deletes nothing",
      steps: [
        { send: { careOf: FA1 }, expect: ACCEPTED },
        { send: { careOf: FA3, lifetime: 0 }, expect: { ...ACCEPTED, lifetime: 0, careOf: [FA1] } },
      ],
    },
    {
      rule: "a mobile without a binding may deregister, and its request cannot be replayed afterwards",
      steps: [
        { send: { careOf: HOME, lifetime: 0 }, expect: { ...ACCEPTED, lifetime: 0, careOf: [] } },
        { send: { careOf: FA1 }, expect: { ...ACCEPTED, careOf: [FA1] } },
        { send: 1, expect: { ...denied(133, "identification-mismatch"), careOf: [FA1] } },
      ],
    },
    {
      rule: "whatever would hinder a registration does not hinder a deregistration",
      policy: { reverseTunneling: "required" },
      steps: [
        { send: { flags: "T" }, expect: ACCEPTED },
        { send: { lifetime: 0, flags: "M", source: "203.0.113.1" }, expect: { ...ACCEPTED, careOf: [] } },
      ],
    },
    {
      rule: "a mobile with an NAI need not name its home address",
      steps: [
        { send: { nai: "bob@example.com", credential: KEYS.roaming }, expect: { ...ACCEPTED, home: "10.79.1.0" } },
        {
          send: { nai: "bob@example.com", credential: KEYS.roaming, lifetime: 0, careOf: "0.0.0.0", source: FA1 },
          expect: { ...ACCEPTED, home: "10.79.1.0", lifetime: 0, careOf: [] },
        },
      ],
    },
    {
      rule: "without a home address there is nothing to deregister",
      steps: [
        {
          send: { nai: "bob@example.com", credential: KEYS.roaming, lifetime: 0 },
          expect: denied(128, "nothing-to-deregister"),
        },
      ],
    },
    {
      rule: "a home address that is not the mobile's has nothing to deregister, and what it has stays",
      steps: [
        { send: { nai: "bob@example.com", credential: KEYS.roaming }, expect: ACCEPTED },
        {
          send: { nai: "bob@example.com", home: "10.64.1.7", credential: KEYS.roaming, lifetime: 0 },
          expect: { ...denied(128, "nothing-to-deregister"), careOf: [FA1] },
        },
      ],
    },
  ]);
});

describe("duplicates", () => {
  play([
    {
      rule: "a retransmission extends nothing: the lifetime ends when it was first granted to",
      steps: [
        { send: { lifetime: 60 }, expect: { ...ACCEPTED, lifetime: 60 } },
        { after: 50, send: 1, expect: { outcome: "duplicate", code: 0, lifetime: 60, careOf: [FA1] } },
        { after: 11, send: 1, expect: { ...denied(133, "identification-mismatch"), careOf: [] } },
      ],
    },
    {
      rule: "the retransmission of a deregistration is answered likewise",
      steps: [
        { send: {}, expect: ACCEPTED },
        { send: { lifetime: 0 }, expect: { ...ACCEPTED, lifetime: 0 } },
        { after: 20, send: 2, expect: { outcome: "duplicate", code: 0, lifetime: 0, careOf: [] } },
      ],
    },
    {
      rule: "a retransmission is answered even while nothing can be accepted any more",
      policy: { maximumSimultaneousBindings: 1 },
      steps: [
        { send: { flags: "S" }, expect: { outcome: "accepted", code: 1 } },
        { send: 1, from: { source: "203.0.113.5" }, expect: { outcome: "duplicate", code: 1 } },
      ],
    },
  ]);

  test("a retransmission gets the same bytes and changes no row", () => {
    for (const sent of [
      {},
      { lifetime: 0 },
      { nai: "bob@example.com", credential: KEYS.roaming },
      { careOf: "198.51.100.1" },
    ]) {
      const rig = new Rig();
      const datagram = rig.datagram(sent);
      const first = rig.receive(datagram, sent);
      rig.passSeconds(30);
      const second = rig.receive(datagram, sent);
      expect([first.outcome, second.outcome]).toEqual(["accepted", "duplicate"]);
      expect(second.reply?.bytes).toEqual(first.reply?.bytes);
      expect(second.row).toEqual(first.row);
    }
  });

  test("a retransmission through a foreign agent that shares an association needs that agent's signature", () => {
    const rig = new Rig();
    const datagram = rig.datagram({ careOf: FA1 });
    expect(rig.receive(datagram).outcome).toBe("accepted");
    expect(rig.receive(datagram, { source: "198.51.100.1" })).toMatchObject(
      denied(132, "foreign-agent-authentication"),
    );
  });

  test("a retransmission is answered while nothing can be stored", () => {
    const rig = new Rig();
    const datagram = rig.datagram({});
    rig.receive(datagram);
    rig.canAccept = false;
    expect(rig.receive(datagram).outcome).toBe("duplicate");
  });
});
