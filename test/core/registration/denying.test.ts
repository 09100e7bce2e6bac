/** RFC 5944 3.8.2.1 (end) and 3.8.2.3, RFC 3024 4.3.1, RFC 3115 2.3: what an authentic mobile is refused. */
import { describe, expect, test } from "vitest";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { encodeLongExtension, encodeShortExtension } from "../../../src/core/wire/extension-header.ts";
import { FA1, FA2, HOME_AGENT, KEYS, MAXIMUM_LIFETIME, Rig, TRUSTED_FA } from "./rig.ts";
import { ACCEPTED, denied, discarded, play } from "./scenario.ts";

const bob = { nai: "bob@example.com", credential: KEYS.roaming } as const;

/** The Requested HA Extension as RFC 4433 3.4 draws it, and as others write it. */
const requested = {
  drawn: (homeAgent: string) => encodeLongExtension(ExtensionType.DynamicHomeAgent, 1, bytesOf(homeAgent)),
  short: (homeAgent: string) => encodeShortExtension(ExtensionType.DynamicHomeAgent, 1, bytesOf(homeAgent)),
};

function bytesOf(address: string): Uint8Array {
  return Uint8Array.from(address.split("."), Number);
}

describe("the home agent's address (136)", () => {
  const UNKNOWN = denied(136, "unknown-home-agent-address");
  const MISMATCH = denied(136, "requested-home-agent-mismatch");
  play([
    {
      rule: "a Home Agent field that is not ours is answered 136 (3.8.3.2)",
      steps: ["10.64.0.2", "10.79.255.255", "255.255.255.255", "0.0.0.0", "224.0.0.11"].map((homeAgent) => ({
        send: { homeAgent },
        expect: { ...UNKNOWN, careOf: [] },
      })),
    },
    {
      rule: "a mobile with an NAI may leave the choice of its home agent to the network (RFC 4433 5.3.1)",
      steps: [
        { send: { ...bob, homeAgent: "0.0.0.0" }, expect: ACCEPTED },
        { send: { ...bob, homeAgent: "255.255.255.255" }, expect: ACCEPTED },
        { send: { ...bob, homeAgent: "10.79.255.255" }, expect: UNKNOWN },
      ],
    },
    {
      rule: "a request that was broadcast or multicast is answered 136, whatever its Home Agent field (3.8.2.1)",
      steps: ["10.79.255.255", "255.255.255.255", "224.0.0.11"].flatMap((destination) => [
        { send: { destination }, expect: UNKNOWN },
        { send: { destination, homeAgent: "10.79.255.255" }, expect: UNKNOWN },
        { send: { ...bob, destination, homeAgent: "0.0.0.0" }, expect: UNKNOWN },
      ]),
    },
    {
      rule: "a Requested HA Extension with another address than the destination is answered 136, in either layout, by whomever it was added (RFC 4433 5.3)",
      steps: [
        { send: { ...bob, bytesInside: requested.drawn("10.64.0.2") }, expect: MISMATCH },
        { send: { ...bob, bytesInside: requested.short("10.64.0.2") }, expect: MISMATCH },
        { send: { ...bob, homeAgent: "0.0.0.0", bytesInside: requested.drawn("10.64.0.2") }, expect: MISMATCH },
        { send: { ...bob, bytesBehind: requested.drawn("10.64.0.2") }, expect: MISMATCH },
        { send: { ...bob, lifetime: 0, bytesInside: requested.drawn("0.0.0.0") }, expect: MISMATCH },
      ],
    },
    {
      rule: "a Requested HA Extension with the address that the request was sent to is understood, in either layout (RFC 4433 5.3)",
      steps: [
        { send: { ...bob, bytesInside: requested.drawn(HOME_AGENT) }, expect: ACCEPTED },
        { send: { ...bob, homeAgent: "0.0.0.0", bytesInside: requested.short(HOME_AGENT) }, expect: ACCEPTED },
        { send: { ...bob, homeAgent: "0.0.0.0", bytesInside: requested.drawn(HOME_AGENT) }, expect: ACCEPTED },
      ],
    },
    {
      rule: "a deregistration at an unknown home agent is answered 136 as well",
      steps: [{ send: { homeAgent: "10.64.0.2", lifetime: 0 }, expect: UNKNOWN }],
    },
  ]);
});

describe("the care-of address (134, 129)", () => {
  const INVALID = denied(134, "care-of-address-invalid");
  play([
    {
      rule: "a care-of address that cannot end a tunnel is answered 134",
      steps: [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.11",
        "240.0.0.1",
        "255.255.255.255",
        HOME_AGENT,
        "10.64.1.1",
      ].map((careOf) => ({ send: { careOf, source: FA1 }, expect: { ...INVALID, careOf: [] } })),
    },
    {
      rule: "a care-of address within a home network is answered 129: its tunnel would come back to a home agent",
      steps: [{ send: { careOf: "10.64.3.3" }, expect: denied(129, "care-of-address-at-home") }],
    },
    {
      rule: "a care-of address or a foreign agent in a prohibited network is answered 129 (3.8.2.3)",
      steps: [
        { send: { careOf: "203.0.113.9" }, expect: denied(129, "care-of-address-prohibited") },
        { send: { careOf: FA1, source: "203.0.113.9" }, expect: denied(129, "care-of-address-prohibited") },
      ],
    },
    {
      rule: "a dynamic home address is not good for its own care-of address",
      steps: [{ send: { ...bob, careOf: "10.79.1.0", source: FA1 }, expect: INVALID }],
    },
  ]);
});

describe("encapsulation and reverse tunnel (139, 138, 137)", () => {
  play([
    {
      rule: "an encapsulation that we lack is answered 139",
      policy: { minimalEncapsulation: false, greEncapsulation: true },
      steps: [
        { send: { flags: "M" }, expect: denied(139, "encapsulation-unavailable") },
        { send: { flags: "MG" }, expect: denied(139, "encapsulation-unavailable") },
        { send: { flags: "DG" }, expect: ACCEPTED },
      ],
    },
    {
      rule: "an encapsulation that we have is granted",
      policy: { minimalEncapsulation: true, greEncapsulation: false },
      steps: [
        { send: { flags: "M" }, expect: ACCEPTED },
        { send: { flags: "G" }, expect: denied(139, "encapsulation-unavailable") },
      ],
    },
    {
      rule: "a reverse tunnel where none is to be had is answered 137, as a last check (RFC 3024 4.3.1)",
      policy: { reverseTunneling: "refused" },
      steps: [
        { send: { flags: "T" }, expect: denied(137, "reverse-tunnel-unavailable") },
        { send: { flags: "TM" }, expect: denied(139, "encapsulation-unavailable") },
        { send: {}, expect: ACCEPTED },
      ],
    },
    {
      rule: "where reverse tunnels are mandatory, a request without the T bit is answered 138",
      policy: { reverseTunneling: "required" },
      steps: [
        { send: {}, expect: denied(138, "reverse-tunnel-mandatory") },
        { send: { flags: "T" }, expect: ACCEPTED },
      ],
    },
  ]);
});

describe("extensions (134, 140, 141)", () => {
  /** Too short for its vendor id: malformed, but its end is known. */
  const malformedVendor = [ExtensionType.NormalVendor, new Uint8Array(2)] as const;
  play([
    {
      rule: "a malformed extension is answered 134, once the mobile is authentic",
      steps: [
        { send: { inside: [malformedVendor] }, expect: denied(134, "poorly-formed-extension") },
        { send: { behind: [malformedVendor] }, expect: denied(134, "poorly-formed-extension") },
        {
          send: { inside: [malformedVendor], credential: { ...KEYS.timestamps, key: "not the right one" } },
          expect: denied(131, "mobile-authentication"),
        },
      ],
    },
    {
      rule: "two NAIs are answered 134",
      steps: [
        {
          send: { ...bob, inside: [[ExtensionType.Nai, new TextEncoder().encode("eve@example.com")]] },
          expect: { ...denied(134, "several-nais"), nai: "bob@example.com" },
        },
      ],
    },
    {
      rule: "a skippable extension that we do not know is skipped, and so is a normal vendor extension (1.8, RFC 3115 2.3)",
      steps: [
        { send: { inside: [[200, new Uint8Array(3)]], behind: [[201, new Uint8Array(0)]] }, expect: ACCEPTED },
        { send: { inside: [[ExtensionType.NormalVendor, new Uint8Array(8)]] }, expect: ACCEPTED },
      ],
    },
  ]);

  test.each([
    ["140 where it is the mobile's", "mobile", denied(140, "vendor-extension-of-mobile")],
    ["141 where it is the foreign agent's", "foreign agent", denied(141, "vendor-extension-of-foreign-agent")],
  ] as const)("a critical vendor extension is answered %s (RFC 3115 2.3)", (_rule, by, expected) => {
    const rig = new Rig();
    const vendor = { vendorId: 9, vendorType: 1, value: new Uint8Array(4) };
    expect(rig.send(by === "mobile" ? { vendorInside: vendor } : { vendorBehind: vendor })).toMatchObject(expected);
  });

  test("a request that breaks off within an extension is answered 134 if the mobile's authentication precedes it", () => {
    const rig = new Rig();
    expect(rig.receive(rig.datagram({ behind: [[200, new Uint8Array(9)]] }).slice(0, -1))).toMatchObject(
      denied(134, "poorly-formed-extension"),
    );
    expect(rig.receive(rig.datagram({ inside: [[200, new Uint8Array(9)]] }).slice(0, 30))).toMatchObject(
      discarded("no-authentication-extension"),
    );
  });
});

describe("what cannot be stored is not accepted (130)", () => {
  test("a registration and a deregistration are answered 130, and change nothing", () => {
    const rig = new Rig();
    rig.send({});
    rig.canAccept = false;
    for (const sent of [{ careOf: FA2 }, { lifetime: 0 }, { ...bob }]) {
      expect(rig.send(sent)).toMatchObject(denied(130, "store-unavailable"));
    }
    expect(rig.rows.size).toBe(1);
    expect(rig.send({ flags: "M" })).toMatchObject(denied(139, "encapsulation-unavailable"));
    rig.canAccept = true;
    expect(rig.send({})).toMatchObject({ ...ACCEPTED, careOf: [FA1] });
  });

  test("a request that was accepted but could not be stored gets a signed denial, and may be sent again", () => {
    const rig = new Rig();
    const mobile = { home: "10.64.2.1", credential: KEYS.nonces };
    rig.send(mobile);
    const datagram = rig.datagram(mobile);
    const accepted = rig.receive(datagram);
    rig.change(accepted.row, undefined);
    rig.canAccept = false;
    expect(rig.receive(datagram).code).toBe(130);
    rig.canAccept = true;
    expect(rig.receive(datagram).outcome).toBe("accepted");
  });
});

describe("replies that deny (3.8.3.2)", () => {
  test("the lifetime is what was asked for, up to the maximum", () => {
    const rig = new Rig();
    expect(rig.send({ flags: "M", lifetime: 100 }).lifetime).toBe(100);
    expect(rig.send({ flags: "M", lifetime: 9999 }).lifetime).toBe(MAXIMUM_LIFETIME);
  });

  test("the home address is the one asked for, or the one that the mobile has, but not for whoever failed to prove that it is him", () => {
    const rig = new Rig();
    expect(rig.send({ flags: "M" }).home).toBe("10.64.1.1");
    expect(rig.send({ ...bob, flags: "M" }).home).toBe("0.0.0.0");
    rig.send(bob);
    expect(rig.send({ ...bob, flags: "M" }).home).toBe("10.79.1.0");
    expect(rig.send({ ...bob, credential: KEYS.wide }).home).toBe("0.0.0.0");
  });

  test("a foreign agent that shares an association gets its signature on every reply, denials and deregistrations too (3.8.3.3)", () => {
    const rig = new Rig();
    const throughTrusted = { careOf: TRUSTED_FA };
    // The rig fails where the signature is missing.
    for (const sent of [{}, { lifetime: 0 }, { flags: "M" }, { foreignAgentKeys: [] }, { aheadMs: -60_000 }]) {
      expect(rig.send({ ...throughTrusted, ...sent }).reply).toBeDefined();
    }
  });

  test("the NAI comes back as the mobile wrote it (RFC 2794 3)", () => {
    const rig = new Rig();
    const shouting = { ...bob, nai: "bob@EXAMPLE.com" };
    expect(rig.send(shouting)).toMatchObject({ ...ACCEPTED, nai: "bob@EXAMPLE.com", home: "10.79.1.0" });
    expect(rig.send(bob)).toMatchObject({ ...ACCEPTED, nai: "bob@example.com", home: "10.79.1.0" });
    expect(rig.send({ ...bob, flags: "M" }).nai).toBe("bob@example.com");
    expect(rig.send({}).nai).toBeUndefined();
  });
});
