import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOMES_PER_SLOT } from "../../../src/adapters/dataplane/homes.ts";
import type { Encapsulation, Tunnel } from "../../../src/core/forwarding/forwarding-entry.ts";
import { ADDRESS_SLOTS } from "../../../src/core/members/placement.ts";
import { DROP_REASONS, type DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import {
  DONT_FRAGMENT,
  frame,
  GRE,
  gre,
  type HeaderFields,
  IP_IN_IP,
  MINIMAL,
  MORE_FRAGMENTS,
  minimalHeader,
  packet,
  withoutEthernet,
} from "./packets.ts";
import { type Outcome, OWN_ADDRESS, ProgramRig, VIRTUAL_ADDRESS } from "./program-rig.ts";
import { whereProgramsRun } from "./where-programs-run.ts";

const CORRESPONDENT = "203.0.113.7";
const CARE_OF = "198.51.100.9";
const EMPTY = Buffer.alloc(0);
const HOUR_MS = 3_600_000;

/** Registered with IP in IP and GRE, each with and without a reverse tunnel, and one whose time is over. */
const MOBILES = {
  plain: "10.64.1.1",
  reverse: "10.64.1.2",
  gre: "10.64.1.3",
  minimal: "10.64.1.6",
  ended: "10.64.1.4",
  two: "10.64.1.5",
};
const SECOND_CARE_OF = "198.51.100.10";

function tunnel(encapsulation: Encapsulation, isReverse: boolean, options: Partial<Tunnel> = {}): Tunnel {
  return { careOfAddress: ipv4(CARE_OF), encapsulation, isReverse, expiresAtMs: Date.now() + HOUR_MS, ...options };
}

whereProgramsRun("the data plane's programs", () => {
  let rig: ProgramRig;

  beforeAll(async () => {
    rig = await ProgramRig.make();
    rig.put(
      { homeAddress: ipv4(MOBILES.plain), tunnels: [tunnel("ip-in-ip", false)] },
      { homeAddress: ipv4(MOBILES.reverse), tunnels: [tunnel("ip-in-ip", true)] },
      { homeAddress: ipv4(MOBILES.gre), tunnels: [tunnel("gre", true, { expiresAtMs: Number.POSITIVE_INFINITY })] },
      { homeAddress: ipv4(MOBILES.minimal), tunnels: [tunnel("minimal", true)] },
      { homeAddress: ipv4(MOBILES.ended), tunnels: [tunnel("ip-in-ip", true, { expiresAtMs: Date.now() - 1000 })] },
      {
        homeAddress: ipv4(MOBILES.two),
        tunnels: [tunnel("gre", true), tunnel("ip-in-ip", true, { careOfAddress: ipv4(SECOND_CARE_OF) })],
      },
    );
  });

  const encapsulate = (inner: Uint8Array) => rig.run("encapsulate", frame(inner));
  const decapsulate = (outer: Uint8Array) => rig.run("decapsulate", frame(outer));
  const toMobile = (mobile: keyof typeof MOBILES, fields: Partial<HeaderFields> = {}) =>
    packet({ source: CORRESPONDENT, destination: MOBILES[mobile], ...fields });
  const fromMobile = (mobile: keyof typeof MOBILES, fields: Partial<HeaderFields> = {}) =>
    packet({ source: MOBILES[mobile], destination: CORRESPONDENT, ...fields });
  /** With minimal encapsulation: of the inner packet only what follows its header is still there as it was. */
  const minimallyTunnelled = (
    inner: Buffer,
    fields: Partial<HeaderFields> = {},
    options: Parameters<typeof minimalHeader>[1] = {},
  ) => {
    const changed = { source: CARE_OF, destination: VIRTUAL_ADDRESS, protocol: MINIMAL };
    const payload = Buffer.concat([minimalHeader(inner, options), inner.subarray(20)]);
    return packet({ ...fieldsOf(inner), ...changed, ...fields }, payload);
  };
  const tunnelled = (inner: Uint8Array, fields: Partial<HeaderFields> = {}) =>
    packet({ source: CARE_OF, destination: VIRTUAL_ADDRESS, protocol: IP_IN_IP, ...fields }, inner);

  test("put a packet for a mobile into an outer one to its care-of address, with IP in IP", () => {
    const inner = toMobile("plain", { tos: 0xb8 });
    const { outer, payload } = opened(encapsulate(inner));
    expect(outer).toMatchObject({
      source: VIRTUAL_ADDRESS,
      destination: CARE_OF,
      protocol: IP_IN_IP,
      tos: 0xb8,
      ttl: 64,
    });
    expect(payload).toEqual(inner);
  });

  test("put it into GRE where the mobile has registered with that", () => {
    const inner = toMobile("gre");
    const { outer, payload } = opened(encapsulate(inner));
    expect(outer).toMatchObject({ source: VIRTUAL_ADDRESS, destination: CARE_OF, protocol: GRE });
    expect(payload).toEqual(gre(inner));
  });

  test("put the addresses into a minimal forwarding header where the mobile has registered with that", () => {
    const inner = toMobile("minimal", { tos: 0x2a, identification: 77, fragment: DONT_FRAGMENT, ttl: 41 });
    const { outer, payload } = opened(encapsulate(inner));
    const changed = { source: VIRTUAL_ADDRESS, destination: CARE_OF, protocol: MINIMAL };
    expect(outer).toEqual({ ...fieldsOf(inner), ...changed });
    expect(payload).toEqual(Buffer.concat([minimalHeader(inner), inner.subarray(20)]));
  });

  test.each([
    ["is a fragment", { fragment: MORE_FRAGMENTS }],
    ["is another fragment", { fragment: 5 }],
    ["has options", { headerLength: 6 }],
  ])("put into IP in IP what minimal encapsulation can't tell apart, a packet that %s", (_, fields) => {
    const inner = toMobile("minimal", fields);
    const { outer, payload } = opened(encapsulate(inner));
    expect(outer.protocol).toBe(IP_IN_IP);
    expect(payload).toEqual(inner);
  });

  test("take out of minimal encapsulation what its mobile has sent, and out of IP in IP what it may not have sent by that", () => {
    const inner = fromMobile("minimal", { tos: 0x2b, identification: 78, ttl: 12 });
    expect(decapsulate(minimallyTunnelled(inner))).toEqual({ verdict: "redirected", packet: frame(inner) });
    const fragment = fromMobile("minimal", { fragment: MORE_FRAGMENTS });
    expect(decapsulate(tunnelled(fragment))).toEqual({ verdict: "redirected", packet: frame(fragment) });
  });

  test("send to the care-of address that was registered last where there are several", () => {
    expect(opened(encapsulate(toMobile("two"))).outer.destination).toBe(SECOND_CARE_OF);
  });

  test.each([
    ["a packet that must not be fragmented", DONT_FRAGMENT, DONT_FRAGMENT],
    ["one that may be", 0, 0],
    ["a fragment", MORE_FRAGMENTS | 7, 0],
  ])("copy from %s whether the outer one may be", (_, fragment, expected) => {
    expect(opened(encapsulate(toMobile("plain", { fragment }))).outer.fragment).toBe(expected);
  });

  test.each(["plain", "gre", "minimal"] as const)(
    "copy the traffic class to the outer header, by each encapsulation and for each ECN codepoint",
    (mobile) => {
      for (const ecn of [0, 1, 2, 3]) {
        const inner = toMobile(mobile, { tos: 0xb8 | ecn, ttl: 17 });
        const { outer, payload } = opened(encapsulate(inner));
        expect(outer.tos).toBe(0xb8 | ecn);
        // Minimal encapsulation goes on with the header of the inner packet.
        expect(outer.ttl).toBe(mobile === "minimal" ? 17 : 64);
        if (mobile !== "minimal") expect(payload.subarray(-inner.length)).toEqual(inner);
      }
    },
  );

  test("leave the time to live and the priority of what is tunnelled alone, whatever the outer header says", () => {
    const inner = fromMobile("reverse", { tos: 0x28, ttl: 17 });
    for (const fields of [{ tos: 0xb8 }, { ttl: 1 }, { ttl: 255, tos: 0x02 }])
      expect(decapsulate(tunnelled(inner, fields))).toEqual({ verdict: "redirected", packet: frame(inner) });
  });

  test.each(["reverse", "gre"] as const)("take out of a reverse tunnel what its mobile has sent: %s", (mobile) => {
    const inner = fromMobile(mobile);
    const isGre = mobile === "gre";
    const outer = tunnelled(isGre ? gre(inner) : inner, { protocol: isGre ? GRE : IP_IN_IP });
    expect(decapsulate(outer)).toEqual({ verdict: "redirected", packet: frame(inner) });
  });

  test("take packets of a mobile with several care-of addresses from each of them, as registered for it", () => {
    const inner = fromMobile("two");
    expect(decapsulate(tunnelled(inner, { source: SECOND_CARE_OF })).verdict).toBe("redirected");
    expect(decapsulate(tunnelled(gre(inner), { protocol: GRE })).verdict).toBe("redirected");
    expect(decapsulate(tunnelled(inner))).toEqual(dropped("encapsulation-mismatch"));
    expect(decapsulate(tunnelled(inner, { source: "198.51.100.11" }))).toEqual(dropped("care-of-mismatch"));
  });

  // RFC 6040, figure 4: inner in rows, outer in columns, each Not-ECT, ECT(0), ECT(1), CE. Codepoints: 0, 2, 1, 3.
  test.each([
    [0, [0, 0, 0, undefined]],
    [2, [2, 2, 1, 3]],
    [1, [1, 1, 1, 3]],
    [3, [3, 3, 3, 3]],
  ])("fold the congestion of the tunnel into a packet with ECN %i", (inner, expected) => {
    [0, 2, 1, 3].forEach((outer, column) => {
      const outcome = decapsulate(tunnelled(fromMobile("reverse", { tos: 0x28 | inner }), { tos: outer }));
      const ecn = expected[column];
      if (ecn === undefined) expect(outcome).toEqual(dropped("congestion"));
      else
        expect(outcome).toEqual({ verdict: "redirected", packet: frame(fromMobile("reverse", { tos: 0x28 | ecn })) });
    });
  });

  describe("of a mobile that is unknown here, where its home is another member", () => {
    const HOME = "192.0.2.7";
    const NEXT_HOME = "192.0.2.8";
    const UNKNOWN = "10.64.9.9";
    const FROM_POOL = "10.64.7.7";

    beforeAll(() => {
      const slots = new Uint8Array(ADDRESS_SLOTS * HOMES_PER_SLOT).fill(255);
      // Of the slot of 9.9 the first two members, of that of 3.3 this one.
      slots.set([1, 2, 0], 0x0909 * HOMES_PER_SLOT);
      slots.set([0, 1], 0x0303 * HOMES_PER_SLOT);
      const pools = [{ range: { first: ipv4("10.64.7.1"), last: ipv4("10.64.7.9") }, member: 2 }];
      rig.homeMaps.setHomes({ members: [OWN_ADDRESS, HOME, NEXT_HOME].map(ipv4), slots, pools });
      rig.homeMaps.setAlive([OWN_ADDRESS, HOME, NEXT_HOME].map(ipv4));
    });

    afterAll(() => rig.homeMaps.setHomes({ members: [], slots: new Uint8Array(), pools: [] }));

    test("pass a packet for it on to the home, in IP in IP between the members, and report the address once", () => {
      const before = rig.homeMaps.passedOn();
      const inner = packetTo(UNKNOWN);
      for (let sent = 0; sent < 3; sent++) {
        const { outer, payload } = opened(encapsulate(inner));
        expect(outer).toMatchObject({ source: OWN_ADDRESS, destination: HOME, protocol: IP_IN_IP });
        expect(payload).toEqual(inner);
      }
      expect(rig.homeMaps.passedOn()).toEqual({ ...before, toMobile: before.toMobile + 3 });
      expect(rig.homeMaps.takeMissed(10)).toEqual([ipv4(UNKNOWN)]);
    });

    test("pass what it has sent on as it is, one hop older, so that the home can check its care-of address", () => {
      const outer = tunnelled(packetFrom(UNKNOWN));
      const onward = tunnelled(packetFrom(UNKNOWN), { destination: HOME, ttl: 62 });
      expect(decapsulate(outer)).toEqual({ verdict: "redirected", packet: frame(onward) });
      expect(decapsulate(tunnelled(packetFrom(UNKNOWN), { ttl: 1 }))).toEqual(dropped("home-unreachable"));
    });

    test("go by the first home that is alive, and by who hands the address out before all", () => {
      const homeFor = (address: string) => opened(encapsulate(packetTo(address))).outer.destination;
      expect([homeFor(UNKNOWN), homeFor(FROM_POOL)]).toEqual([HOME, NEXT_HOME]);
      rig.homeMaps.setAlive([OWN_ADDRESS, NEXT_HOME].map(ipv4));
      expect([homeFor(UNKNOWN), homeFor(FROM_POOL)]).toEqual([NEXT_HOME, NEXT_HOME]);
      rig.homeMaps.setAlive([OWN_ADDRESS].map(ipv4));
      expect(encapsulate(packetTo(UNKNOWN))).toEqual(dropped("destination-unregistered"));
      rig.homeMaps.setAlive([OWN_ADDRESS, HOME, NEXT_HOME].map(ipv4));
    });

    test("drop what is for a mobile of which this member itself should know", () => {
      expect(encapsulate(packetTo("10.64.3.3"))).toEqual(dropped("destination-unregistered"));
      expect(decapsulate(tunnelled(packetFrom("10.64.3.3")))).toEqual(dropped("source-unregistered"));
    });

    test("pass on what has ended here, as its mobile may have another owner by now", () => {
      rig.put({ homeAddress: ipv4(UNKNOWN), tunnels: [tunnel("ip-in-ip", true, { expiresAtMs: Date.now() - 1000 })] });
      expect(opened(encapsulate(packetTo(UNKNOWN))).outer.destination).toBe(HOME);
      rig.put({ homeAddress: ipv4(UNKNOWN), tunnels: [] });
    });

    const passedOn = (inner: Uint8Array, fields: Partial<HeaderFields> = {}) =>
      packet({ source: HOME, destination: OWN_ADDRESS, protocol: IP_IN_IP, ...fields }, inner);

    test.each([
      ["plain", IP_IN_IP, (inner: Buffer) => inner],
      ["gre", GRE, (inner: Buffer) => gre(inner)],
    ] as const)(
      "send what another member has passed on to the mobile, by its own tunnel: %s",
      (mobile, protocol, wrap) => {
        const inner = toMobile(mobile, { tos: 0x2a, fragment: DONT_FRAGMENT });
        const { outer, payload } = opened(decapsulate(passedOn(inner)));
        const fields = { source: VIRTUAL_ADDRESS, destination: CARE_OF, tos: 0x2a, fragment: DONT_FRAGMENT, ttl: 64 };
        expect(outer).toMatchObject({ ...fields, protocol });
        expect(payload).toEqual(wrap(inner));
      },
    );

    test("send it by minimal encapsulation, too", () => {
      const inner = toMobile("minimal");
      const { outer, payload } = opened(decapsulate(passedOn(inner)));
      expect(outer).toMatchObject({ source: VIRTUAL_ADDRESS, destination: CARE_OF, protocol: MINIMAL });
      expect(payload).toEqual(Buffer.concat([minimalHeader(inner), inner.subarray(20)]));
    });

    test("never pass on a second time what comes to the member's own address", () => {
      expect(decapsulate(passedOn(packetTo(UNKNOWN)))).toEqual(dropped("destination-unregistered"));
      expect(decapsulate(passedOn(toMobile("ended")))).toEqual(dropped("destination-expired"));
      const tunnelledHere = tunnelled(packetFrom(UNKNOWN), { destination: OWN_ADDRESS });
      expect(decapsulate(tunnelledHere)).toEqual(dropped("source-unregistered"));
    });

    test("take out of a tunnel that was passed on what its mobile has sent, checked as ever", () => {
      const inner = fromMobile("reverse");
      const here = { destination: OWN_ADDRESS };
      expect(decapsulate(tunnelled(inner, here))).toEqual({ verdict: "redirected", packet: frame(inner) });
      expect(decapsulate(tunnelled(inner, { ...here, source: "198.51.100.1" }))).toEqual(dropped("care-of-mismatch"));
      expect(decapsulate(tunnelled(fromMobile("plain"), here))).toEqual(dropped("reverse-tunnel-not-granted"));
    });

    test("leave other tunnels of the host alone", () => {
      for (const outer of [
        passedOn(packetTo("198.51.100.77")),
        passedOn(Buffer.from("no packet at all")),
        passedOn(packetTo("198.51.100.77"), { source: "198.51.100.1" }),
        passedOn(gre(packetTo("198.51.100.77")), { protocol: GRE }),
      ]) {
        expect(decapsulate(outer)).toEqual({ verdict: "passed" });
      }
    });
  });

  test.each<[string, DropReason, () => Uint8Array]>([
    ["nobody is registered with its destination", "destination-unregistered", () => packetTo("10.64.9.9")],
    [
      "its destination is the broadcast address of the network",
      "destination-unregistered",
      () => packetTo("10.79.255.255"),
    ],
    ["the registration has ended", "destination-expired", () => toMobile("ended")],
    [
      "it comes from the care-of address that it is for",
      "source-is-care-of",
      () => toMobile("plain", { source: CARE_OF }),
    ],
  ])("drop a packet for a mobile and count it: %s", (_, reason, make) => {
    expect(encapsulate(make())).toEqual(dropped(reason));
  });

  test.each<[string, DropReason, () => Uint8Array]>([
    ["the inner source is nobody's", "source-unregistered", () => tunnelled(packetFrom("10.64.9.9"))],
    ["the inner source is not even in the network", "source-unregistered", () => tunnelled(packetFrom("192.0.2.77"))],
    ["the inner source is our own address", "source-unregistered", () => tunnelled(packetFrom(VIRTUAL_ADDRESS))],
    [
      "the outer source is not the care-of address",
      "care-of-mismatch",
      () => tunnelled(fromMobile("reverse"), { source: "198.51.100.1" }),
    ],
    ["no reverse tunnel was granted", "reverse-tunnel-not-granted", () => tunnelled(fromMobile("plain"))],
    ["the registration has ended", "source-expired", () => tunnelled(fromMobile("ended"))],
    [
      "the tunnel is one of GRE and was registered as IP in IP",
      "encapsulation-mismatch",
      () => tunnelled(gre(fromMobile("reverse")), { protocol: GRE }),
    ],
    [
      "the tunnel is one of IP in IP and was registered as GRE",
      "encapsulation-mismatch",
      () => tunnelled(fromMobile("gre")),
    ],
    [
      "it is for the end of the tunnel itself",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: VIRTUAL_ADDRESS })),
    ],
    [
      "a tunnel is in the tunnel",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: VIRTUAL_ADDRESS, protocol: IP_IN_IP })),
    ],
    [
      "it is for another address of this host",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: "192.0.2.1" })),
    ],
    [
      "it is for a broadcast address",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: "255.255.255.255" })),
    ],
    [
      "it is for the broadcast address of a link",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: "192.0.2.255" })),
    ],
    [
      "it is for a loopback address",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: "127.0.0.1" })),
    ],
    [
      "it is for a multicast group",
      "inner-destination",
      () => tunnelled(fromMobile("reverse", { destination: "224.0.0.5" })),
    ],
    ["the outer header has options", "outer-options", () => tunnelled(fromMobile("reverse"), { headerLength: 6 })],
    [
      "the outer header is shorter than it can be",
      "outer-options",
      () => tunnelled(fromMobile("reverse"), { headerLength: 4 }),
    ],
    ["the outer header says another version", "outer-options", () => tunnelled(fromMobile("reverse"), { version: 6 })],
    [
      "it is the first fragment",
      "outer-fragment",
      () => tunnelled(fromMobile("reverse"), { fragment: MORE_FRAGMENTS }),
    ],
    ["it is the last fragment", "outer-fragment", () => tunnelled(fromMobile("reverse"), { fragment: 9 })],
    [
      "the checksum of the outer header is wrong",
      "outer-checksum",
      () => tunnelled(fromMobile("reverse"), { checksum: 1 }),
    ],
    [
      "the outer length is more than has come",
      "outer-length",
      () => tunnelled(fromMobile("reverse"), { totalLength: 200 }),
    ],
    [
      "the outer length is less than both headers",
      "outer-length",
      () => tunnelled(fromMobile("reverse"), { totalLength: 39 }),
    ],
    ["nothing is in the tunnel", "outer-length", () => tunnelled(new Uint8Array())],
    ["the inner header is that of IPv6", "inner-header", () => tunnelled(fromMobile("reverse", { version: 6 }))],
    ["the inner header is too short", "inner-header", () => tunnelled(fromMobile("reverse", { headerLength: 4 }))],
    [
      "the checksum of the inner header is wrong",
      "inner-checksum",
      () => tunnelled(fromMobile("reverse", { checksum: 1 })),
    ],
    [
      "the inner length is more than the tunnel has",
      "inner-length",
      () => tunnelled(fromMobile("reverse", { totalLength: 99 })),
    ],
    [
      "the inner length is less than the tunnel has",
      "inner-length",
      () => tunnelled(fromMobile("reverse", { totalLength: 21 })),
    ],
    [
      "the inner length is less than its header",
      "inner-length",
      () => tunnelled(packet({ source: MOBILES.reverse, destination: CORRESPONDENT, headerLength: 15 })),
    ],
    ["GRE has a checksum", "gre-header", () => tunnelled(gre(fromMobile("gre"), { flags: 0x8000 }), { protocol: GRE })],
    ["GRE has a key", "gre-header", () => tunnelled(gre(fromMobile("gre"), { flags: 0x2000 }), { protocol: GRE })],
    ["GRE has routing", "gre-header", () => tunnelled(gre(fromMobile("gre"), { flags: 0x4000 }), { protocol: GRE })],
    ["GRE is of version 1", "gre-header", () => tunnelled(gre(fromMobile("gre"), { flags: 1 }), { protocol: GRE })],
    [
      "GRE has something else than IPv4",
      "gre-header",
      () => tunnelled(gre(fromMobile("gre"), { type: 0x86dd }), { protocol: GRE }),
    ],
    [
      "minimal encapsulation has a wrong checksum",
      "minimal-header",
      () => minimallyTunnelled(fromMobile("minimal"), {}, { sum: 1 }),
    ],
    [
      "minimal encapsulation says that the source is the outer one",
      "source-unregistered",
      () => minimallyTunnelled(fromMobile("minimal"), {}, { hasSource: false }),
    ],
    [
      "minimal encapsulation is of another mobile",
      "care-of-mismatch",
      () => minimallyTunnelled(fromMobile("minimal"), { source: "198.51.100.1" }),
    ],
    [
      "minimal encapsulation was not registered",
      "encapsulation-mismatch",
      () => minimallyTunnelled(fromMobile("reverse")),
    ],
    [
      "minimal encapsulation is a fragment",
      "outer-fragment",
      () => minimallyTunnelled(fromMobile("minimal"), { fragment: MORE_FRAGMENTS }),
    ],
    [
      "minimal encapsulation is for the end of the tunnel itself",
      "inner-destination",
      () => minimallyTunnelled(fromMobile("minimal", { destination: VIRTUAL_ADDRESS })),
    ],
    [
      "minimal encapsulation ends before its header does",
      "outer-length",
      () => tunnelled(Buffer.alloc(7), { protocol: MINIMAL }),
    ],
    [
      "minimal encapsulation ends before its source does",
      "outer-length",
      () => tunnelled(minimalHeader(fromMobile("minimal")).subarray(0, 11), { protocol: MINIMAL }),
    ],
  ])("drop what comes out of a tunnel and count it: %s", (_, reason, make) => {
    expect(decapsulate(make())).toEqual(dropped(reason));
  });

  test.each<[string, () => Uint8Array]>([
    ["a registration", () => packet({ source: CARE_OF, destination: VIRTUAL_ADDRESS })],
    ["a tunnel to somebody else", () => tunnelled(fromMobile("reverse"), { destination: "192.0.2.77" })],
    ["a packet for a mobile", () => toMobile("plain")],
  ])("leave to the kernel what is no tunnel that ends here: %s", (_, make) => {
    expect(decapsulate(make())).toEqual({ verdict: "passed" });
  });

  test("forward nothing once nobody has attended to them for too long", () => {
    rig.maps.attendUntil(1);
    try {
      expect(encapsulate(toMobile("plain"))).toEqual(dropped("unattended"));
      expect(decapsulate(tunnelled(fromMobile("reverse")))).toEqual(dropped("unattended"));
    } finally {
      rig.maps.attendUntil(Number.MAX_SAFE_INTEGER / 1e6);
    }
  });

  test("forget a mobile when they are told to, with what they have counted of it", () => {
    const homeAddress = ipv4("10.64.2.1");
    const inner = packet({ source: CORRESPONDENT, destination: "10.64.2.1" });
    rig.put({
      homeAddress,
      tunnels: [tunnel("ip-in-ip", true), tunnel("gre", true, { careOfAddress: ipv4(SECOND_CARE_OF) })],
    });
    expect(encapsulate(inner).verdict).toBe("redirected");
    expect(decapsulate(tunnelled(packet({ source: "10.64.2.1", destination: CORRESPONDENT }))).verdict).toBe(
      "redirected",
    );
    const octets = inner.length;
    expect(rig.maps.trafficOf(homeAddress)).toEqual({
      packetsToMobile: 1,
      octetsToMobile: octets,
      packetsFromMobile: 1,
      octetsFromMobile: octets,
    });
    rig.put({ homeAddress, tunnels: [tunnel("gre", true, { careOfAddress: ipv4(SECOND_CARE_OF) })] });
    expect(decapsulate(tunnelled(packet({ source: "10.64.2.1", destination: CORRESPONDENT })))).toEqual(
      dropped("care-of-mismatch"),
    );
    rig.put({ homeAddress, tunnels: [] });
    expect(encapsulate(inner)).toEqual(dropped("destination-unregistered"));
    expect(rig.maps.trafficOf(homeAddress).packetsToMobile).toBe(0);
  });

  test("let nothing of a mobile reach this host where somebody has the device forward nothing", () => {
    const setting = "/proc/sys/net/ipv4/conf/anyhome0/forwarding";
    const toThisHost = tunnelled(fromMobile("reverse", { destination: "192.0.2.1" }));
    writeFileSync(setting, "0");
    try {
      expect(decapsulate(toThisHost)).toEqual(dropped("inner-destination"));
    } finally {
      writeFileSync(setting, "1");
    }
    expect(decapsulate(toThisHost)).toEqual(dropped("inner-destination"));
  });

  test("send nothing into the virtual network itself, or where no route leads", () => {
    const homeAddress = ipv4("10.64.2.2");
    const inner = packet({ source: CORRESPONDENT, destination: "10.64.2.2" });
    rig.put({ homeAddress, tunnels: [tunnel("ip-in-ip", true, { careOfAddress: ipv4("10.65.0.9") })] });
    expect(encapsulate(inner)).toEqual(dropped("care-of-at-home"));
    rig.put({ homeAddress, tunnels: [tunnel("ip-in-ip", true, { careOfAddress: ipv4("192.0.2.1") })] });
    expect(encapsulate(inner)).toEqual(dropped("care-of-unreachable"));
    rig.put({ homeAddress, tunnels: [] });
  });

  test("let nothing out of a tunnel that its mobile has not sent, whatever comes", () => {
    const anyBytes = fc.uint8Array({ maxLength: 120 });
    const anyMobile = fc.constantFrom(...Object.values(MOBILES), "10.64.9.9", VIRTUAL_ADDRESS, CORRESPONDENT);
    const anyDestination = fc.constantFrom(...Object.values(MOBILES), CORRESPONDENT, VIRTUAL_ADDRESS, "192.0.2.1");
    const anyFault = fc.record(
      {
        protocol: fc.constantFrom(IP_IN_IP, GRE, MINIMAL, 17, 1),
        tos: fc.nat(255),
        fragment: fc.constantFrom(0, DONT_FRAGMENT, MORE_FRAGMENTS, 3),
        version: fc.constantFrom(4, 4, 4, 6, 0),
        headerLength: fc.constantFrom(5, 5, 5, 0, 4, 6, 15),
        totalLength: fc.nat(300),
        checksum: fc.nat(0xffff),
      },
      { requiredKeys: [] },
    );
    const anyHeader = fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, anyFault);
    const anyInner = fc.oneof(
      fc
        .tuple(anyMobile, anyDestination, anyHeader, anyBytes)
        .map(([source, destination, fields, payload]) => packet({ source, destination, ...fields }, payload)),
      anyBytes,
    );
    const anyPayload = fc.oneof(
      anyInner,
      fc
        .tuple(anyInner, fc.constantFrom(0, 0, 0x8000, 0x2000, 1), fc.constantFrom(0x0800, 0x0800, 0x86dd))
        .map(([inner, flags, type]) => gre(inner, { flags, type })),
      fc
        .tuple(anyInner, fc.boolean())
        .map(([inner, hasSource]) => Buffer.concat([minimalHeader(inner, { hasSource }), inner.subarray(20)])),
    );
    const anyOuter = fc
      .tuple(fc.constantFrom(CARE_OF, CARE_OF, SECOND_CARE_OF, "198.51.100.1"), anyHeader, anyPayload)
      .map(([source, fields, payload]) =>
        packet({ source, destination: VIRTUAL_ADDRESS, protocol: IP_IN_IP, ...fields }, payload),
      );
    let redirected = 0;
    fc.assert(
      fc.property(anyOuter, fc.constantFrom(0, 0, 0, 1, 4), (outer, cut) => {
        const outcome = decapsulate(outer.subarray(0, Math.max(outer.length - cut, 20)));
        if (outcome.verdict === "dropped") expect(outcome.reason).toBeDefined();
        if (outcome.verdict !== "redirected") return;
        redirected++;
        const inner = withoutEthernet(outcome.packet);
        const source = address(inner, 12);
        const allowed = {
          [MOBILES.reverse]: [CARE_OF],
          [MOBILES.gre]: [CARE_OF],
          [MOBILES.minimal]: [CARE_OF],
          [MOBILES.two]: [CARE_OF, SECOND_CARE_OF],
        };
        expect(allowed[source]).toContain(address(outer, 12));
        expect([...Object.values(MOBILES), CORRESPONDENT]).toContain(address(inner, 16));
        expect(inner.readUInt16BE(2)).toBe(inner.length);
      }),
      { numRuns: 8_000 },
    );
    expect(redirected).toBeGreaterThan(0);
  });

  test("encapsulate any packet for a mobile whole, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 1400 }),
        fc.nat(255),
        fc.constantFrom(...Object.values(MOBILES), "10.64.9.9"),
        (payload, tos, destination) => {
          const inner = packet({ source: CORRESPONDENT, destination, tos }, payload);
          const outcome = encapsulate(inner);
          if (outcome.verdict === "dropped") expect([MOBILES.ended, "10.64.9.9"]).toContain(destination);
          else {
            // Minimal encapsulation has the inner header in another form, which other tests look at.
            const kept = destination === MOBILES.minimal ? inner.subarray(20) : inner;
            expect(
              Buffer.concat([EMPTY, opened(outcome).payload.subarray(-kept.length || Number.MAX_SAFE_INTEGER)]),
            ).toEqual(kept);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("write and read packets as scapy does", ({ skip }) => {
    const PYTHON = "/usr/bin/python3";
    const isMissing = spawnSync(PYTHON, ["-c", "import scapy.all"]).status !== 0;
    skip(isMissing && process.env.CI === undefined, "scapy is not installed, so it cannot judge our packets");
    const scapy = (script: string, input: string) => {
      const { status, stdout, stderr } = spawnSync(PYTHON, ["-c", `from scapy.all import *\nimport sys\n${script}`], {
        input,
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(stderr);
      return stdout.trim().split("\n");
    };
    const written = (["plain", "gre"] as const).map((mobile) => {
      const outcome = encapsulate(toMobile(mobile, { tos: 0x2a, fragment: DONT_FRAGMENT }));
      if (outcome.verdict !== "redirected") throw new Error(`${mobile} was ${outcome.verdict}`);
      return withoutEthernet(outcome.packet).toString("hex");
    });
    const judged = scapy(
      `for line in sys.stdin:
  seen = IP(bytes.fromhex(line))
  again = IP(bytes.fromhex(line)); del again.chksum; del again.len
  print(seen.summary(), seen.src, seen.dst, seen.ttl, seen.tos, seen.flags, bytes(again) == bytes(seen))`,
      written.join("\n"),
    );
    expect(judged).toEqual([
      expect.stringMatching(/^IP \/ IP \/ UDP .*10\.64\.0\.1 198\.51\.100\.9 64 42 DF True$/),
      expect.stringMatching(/^IP \/ GRE \/ IP \/ UDP .*10\.64\.0\.1 198\.51\.100\.9 64 42 DF True$/),
    ]);
    const made = scapy(
      `inner = IP(src="${MOBILES.reverse}", dst="${CORRESPONDENT}", tos=8) / UDP(sport=1000, dport=2000) / b"scapy"
print(bytes(IP(src="${CARE_OF}", dst="${VIRTUAL_ADDRESS}") / inner).hex(), bytes(inner).hex())
inner = IP(src="${MOBILES.gre}", dst="${CORRESPONDENT}") / ICMP() / b"scapy"
print(bytes(IP(src="${CARE_OF}", dst="${VIRTUAL_ADDRESS}") / GRE() / inner).hex(), bytes(inner).hex())`,
      "",
    );
    for (const line of made) {
      const [outer = EMPTY, inner = EMPTY] = line.split(" ").map((hex) => Buffer.from(hex, "hex"));
      expect(decapsulate(outer)).toEqual({ verdict: "redirected", packet: frame(inner) });
    }
  });
});

test("reasons for drops stand in the order in which the programs count them", async () => {
  const { readFile } = await import("node:fs/promises");
  const source = await readFile(new URL("../../../src/adapters/dataplane/state.bpf.h", import.meta.url), "utf8");
  const names = /enum reason \{([^}]*)\}/.exec(source)?.[1]?.match(/[A-Z_0-9]+/g) ?? [];
  expect(names.map((name) => name.toLowerCase().replaceAll("_", "-"))).toEqual([
    ...Object.keys(DROP_REASONS),
    "reasons",
  ]);
});

function packetTo(destination: string): Buffer {
  return packet({ source: CORRESPONDENT, destination });
}

function packetFrom(source: string): Buffer {
  return packet({ source, destination: CORRESPONDENT });
}

function dropped(reason: DropReason): Outcome {
  return { verdict: "dropped", reason };
}

/** What `packet` makes the header from. */
function fieldsOf(bytes: Buffer): HeaderFields {
  return {
    source: address(bytes, 12),
    destination: address(bytes, 16),
    protocol: bytes.readUInt8(9),
    tos: bytes.readUInt8(1),
    identification: bytes.readUInt16BE(4),
    fragment: bytes.readUInt16BE(6),
    ttl: bytes.readUInt8(8),
  };
}

/** The outer header of what was encapsulated, and what is in it. */
function opened(outcome: Outcome): { readonly outer: HeaderFields; readonly payload: Buffer } {
  if (outcome.verdict !== "redirected") throw new Error(JSON.stringify(outcome));
  const bytes = withoutEthernet(outcome.packet);
  const outer = fieldsOf(bytes);
  const payload = bytes.subarray(20);
  expect(bytes.subarray(0, 20)).toEqual(packet(outer, payload).subarray(0, 20));
  return { outer, payload };
}

function address(bytes: Uint8Array, offset: number): string {
  return bytes.subarray(offset, offset + 4).join(".");
}
