/** The two ways to forward decide alike: each packet is given to the programs in the kernel and to the function of the core. */
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { ForwardingEntry, Tunnel } from "../../../src/core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import { decideFromMobile, decideToMobile, type Forwarded, type HomeEnd } from "../../../src/core/tunnel/home-end.ts";
import { type Ipv4Address, ipv4, prefixContains } from "../../../src/core/wire/ipv4.ts";
import {
  DONT_FRAGMENT,
  frame,
  GRE,
  gre,
  greWithChecksum,
  IP_IN_IP,
  MINIMAL,
  MORE_FRAGMENTS,
  minimalHeader,
  packet,
  withoutEthernet,
} from "./packets.ts";
import { NETWORK, type Outcome, ProgramRig, VIRTUAL_ADDRESS } from "./program-rig.ts";
import { whereProgramsRun } from "./where-programs-run.ts";

/** Checksum, key and sequence number. */
const GRE_OPTIONS = 0xb000;
const NOW_MS = Date.now();
const HOUR_MS = 3_600_000;
const CORRESPONDENT = "203.0.113.7";
const CARE_OF = "198.51.100.9";
const SECOND_CARE_OF = "198.51.100.10";
const HERE = ["192.0.2.1", "192.0.2.255", VIRTUAL_ADDRESS];

function entry(homeAddress: string, ...tunnels: Partial<Tunnel>[]): ForwardingEntry {
  const model: Tunnel = {
    careOfAddress: ipv4(CARE_OF),
    encapsulation: "ip-in-ip",
    isReverse: true,
    expiresAtMs: NOW_MS + HOUR_MS,
  };
  return { homeAddress: ipv4(homeAddress), tunnels: tunnels.map((changes) => ({ ...model, ...changes })) };
}

const ENTRIES = [
  entry("10.64.1.1", { isReverse: false }),
  entry("10.64.1.2", {}),
  entry("10.64.1.3", { encapsulation: "gre" }),
  entry("10.64.1.4", { expiresAtMs: NOW_MS - HOUR_MS }),
  entry("10.64.1.5", { encapsulation: "minimal" }),
  entry("10.64.1.6", { careOfAddress: ipv4("10.65.0.9") }),
  entry("10.64.1.7", { careOfAddress: ipv4("192.0.2.1") }),
  entry("10.64.1.8", { encapsulation: "gre" }, { careOfAddress: ipv4(SECOND_CARE_OF) }),
];
const MOBILES = ENTRIES.map((_entry, index) => `10.64.1.${index + 1}`);
const byAddress = new Map<Ipv4Address, ForwardingEntry>(ENTRIES.map((each) => [each.homeAddress, each]));
const end: HomeEnd = {
  address: ipv4(VIRTUAL_ADDRESS),
  tunnelsOf: (homeAddress) => byAddress.get(homeAddress)?.tunnels ?? [],
  isHere: (address) => HERE.map(ipv4).includes(address),
  isAtHome: (address) => prefixContains(NETWORK, address),
};

const anyBytes = fc.uint8Array({ maxLength: 120 });
const anyAddress = fc.constantFrom(
  ...MOBILES,
  "10.64.9.9",
  CORRESPONDENT,
  CARE_OF,
  SECOND_CARE_OF,
  ...HERE,
  "224.0.0.5",
  "127.0.0.1",
  "255.255.255.255",
  "0.0.0.1",
);
const anyFields = fc.record(
  {
    protocol: fc.constantFrom(IP_IN_IP, GRE, MINIMAL, 17, 1),
    tos: fc.nat(255),
    fragment: fc.constantFrom(0, DONT_FRAGMENT, MORE_FRAGMENTS, 3),
    version: fc.constantFrom(4, 4, 4, 6, 0),
    headerLength: fc.constantFrom(5, 5, 5, 0, 4, 6, 15),
    totalLength: fc.nat(300),
    checksum: fc.nat(0xffff),
    ttl: fc.nat(255),
  },
  { requiredKeys: [] },
);
/** Most headers are right, or else nothing would get past the first check. */
const anyHeader = fc.oneof({ weight: 3, arbitrary: fc.record({ tos: fc.nat(255) }) }, anyFields);
const anyPacket = fc
  .tuple(anyAddress, anyAddress, anyHeader, anyBytes)
  .map(([source, destination, fields, payload]) => packet({ source, destination, ...fields }, payload));
/** As the kernel hands it to the device: whole, and with a right header. To mobiles with one care-of address. */
const anyRouted = fc
  .record({
    source: anyAddress,
    destination: fc.constantFrom(...MOBILES.slice(0, -1), "10.64.9.9"),
    tos: fc.nat(255),
    fragment: fc.constantFrom(0, DONT_FRAGMENT, MORE_FRAGMENTS, 3),
    headerLength: fc.constantFrom(5, 5, 6),
    ttl: fc.nat(255),
    payload: fc.uint8Array({ minLength: 4, maxLength: 120 }),
  })
  .map(({ payload, ...fields }) => packet(fields, payload));
const anyInner = fc.oneof({ weight: 5, arbitrary: anyPacket }, { weight: 1, arbitrary: anyBytes });
const anyTunnelled = fc
  .tuple(
    fc.constantFrom(CARE_OF, CARE_OF, CARE_OF, SECOND_CARE_OF, "198.51.100.1"),
    anyHeader,
    fc.oneof(
      anyInner.map((inner) => ({ protocol: IP_IN_IP, payload: Buffer.from(inner) })),
      fc
        .tuple(anyInner, fc.constantFrom(0, 0, 0, 0x8000, 0x2000, 0x4000, 1), fc.constantFrom(0x0800, 0x0800, 0x86dd))
        .map(([inner, flags, type]) => ({ protocol: GRE, payload: gre(inner, { flags, type }) })),
      anyInner.map((inner) => ({ protocol: GRE, payload: greWithChecksum(inner) })),
      fc
        .tuple(anyInner, fc.boolean(), fc.option(fc.nat(0xffff), { nil: undefined }))
        .map(([inner, hasSource, sum]) => ({
          protocol: MINIMAL,
          payload: Buffer.concat([
            minimalHeader(inner, { hasSource, ...(sum === undefined ? {} : { sum }) }),
            inner.subarray(20),
          ]),
        })),
      fc
        .tuple(anyPacket, anyAddress, anyAddress)
        .map(([inner, source, destination]) => packet({ source, destination, protocol: IP_IN_IP }, inner))
        .map((nested) => ({ protocol: IP_IN_IP, payload: nested })),
    ),
  )
  .map(([source, fields, { protocol, payload }]) =>
    packet({ source, destination: VIRTUAL_ADDRESS, protocol, ...fields }, payload),
  );

whereProgramsRun("the programs in the kernel and the thread in user space", () => {
  let rig: ProgramRig;

  beforeAll(async () => {
    rig = await ProgramRig.make();
    rig.put(...ENTRIES);
  });

  test("agree about every packet that comes by a tunnel", () => {
    const seen = { forwarded: 0, dropped: new Set<string>() };
    fc.assert(
      fc.property(anyTunnelled, fc.constantFrom(0, 0, 0, 1, 4), (whole, cut) => {
        const outer = whole.subarray(0, Math.max(whole.length - cut, IPV4_HEADER_LENGTH));
        const outcome = rig.run("decapsulate", frame(outer));
        // What is no tunnel goes to the kernel; what takes more than a look at headers is for user space alone.
        if (outcome.verdict === "passed" || hasGreOptions(outer)) return;
        const decision = decideFromMobile(outer, end, { nowMs: NOW_MS, identification: 0 });
        // The kernel looks at the checksum of a header with options by itself, when the program is through with the packet.
        if (decision === "inner-checksum" && hasInnerOptions(outer)) return;
        if (typeof decision === "string") seen.dropped.add(decision);
        else seen.forwarded += 1;
        expect(outcomeOf(decision)).toEqual(withoutFrame(outcome));
      }),
      { numRuns: 20_000 },
    );
    expect(seen.forwarded).toBeGreaterThan(100);
    expect([...seen.dropped].toSorted()).toEqual(expect.arrayContaining(EXPECTED_REASONS));
  });

  test("agree about every packet for a mobile", () => {
    const reasons = new Set<string>();
    fc.assert(
      fc.property(anyRouted, (inner) => {
        const decision = decideToMobile(inner, end, { nowMs: NOW_MS, identification: 0 });
        const outcome = rig.run("encapsulate", frame(inner));
        reasons.add(typeof decision === "string" ? decision : "forwarded");
        expect(withoutIdentification(outcomeOf(decision))).toEqual(withoutIdentification(withoutFrame(outcome)));
      }),
      { numRuns: 5_000 },
    );
    expect([...reasons].toSorted()).toEqual([
      "care-of-at-home",
      "care-of-unreachable",
      "destination-expired",
      "destination-unregistered",
      "forwarded",
      "source-is-care-of",
    ]);
  });
});

/** What chance has to come across in so many packets, or else they would not say much. */
const EXPECTED_REASONS = [
  "care-of-mismatch",
  "congestion",
  "encapsulation-mismatch",
  "gre-header",
  "inner-checksum",
  "inner-destination",
  "inner-header",
  "inner-length",
  "minimal-header",
  "outer-checksum",
  "outer-fragment",
  "outer-length",
  "outer-options",
  "reverse-tunnel-not-granted",
  "source-expired",
  "source-unregistered",
];

const IPV4_HEADER_LENGTH = 20;
const GRE_HEADER_LENGTH = 4;

function outcomeOf(decision: Forwarded | DropReason): Outcome {
  if (typeof decision === "string") return { verdict: "dropped", reason: decision };
  const [first, ...others] = decision.packets;
  if (first === undefined || others.length > 0) throw new Error(`${decision.packets.length} packets`);
  return { verdict: "redirected", packet: Buffer.from(first) };
}

function withoutFrame(outcome: Outcome): Outcome {
  return outcome.verdict === "redirected" ? { ...outcome, packet: withoutEthernet(outcome.packet) } : outcome;
}

/** That of a header that is made is left to chance, and its checksum depends on it. */
function withoutIdentification(outcome: Outcome): Outcome {
  if (outcome.verdict !== "redirected" || outcome.packet[9] === MINIMAL) return outcome;
  const bytes = Buffer.from(outcome.packet);
  bytes.fill(0, 4, 6).fill(0, 10, 12);
  return { ...outcome, packet: bytes };
}

function hasGreOptions(outer: Buffer): boolean {
  const isGre = outer[9] === GRE && outer.length > IPV4_HEADER_LENGTH + 1;
  return isGre && (outer.readUInt16BE(IPV4_HEADER_LENGTH) & GRE_OPTIONS) !== 0;
}

function hasInnerOptions(outer: Buffer): boolean {
  const innerAt = IPV4_HEADER_LENGTH + (outer[9] === GRE ? GRE_HEADER_LENGTH : 0);
  return ((outer[innerAt] ?? 0) & 0xf) > IPV4_HEADER_LENGTH / 4;
}
