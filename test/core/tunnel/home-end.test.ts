import { expect, test } from "vitest";
import type { Encapsulation, Tunnel } from "../../../src/core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import { decapsulate } from "../../../src/core/tunnel/encapsulation.ts";
import { decideFromMobile, decideToMobile, type Forwarded, type HomeEnd } from "../../../src/core/tunnel/home-end.ts";
import { formatIpv4, ipv4, prefixContains } from "../../../src/core/wire/ipv4.ts";
import { GRE, gre, type HeaderFields, IP_IN_IP, packet } from "../../adapters/dataplane/packets.ts";

const VIRTUAL_ADDRESS = "10.64.0.1";
const CORRESPONDENT = "203.0.113.7";
const CARE_OF = "198.51.100.9";
const SECOND_CARE_OF = "198.51.100.10";
const NOW_MS = 1_000_000;
const moment = { nowMs: NOW_MS, identification: 7 };

function tunnel(encapsulation: Encapsulation, isReverse: boolean, options: Partial<Tunnel> = {}): Tunnel {
  return { careOfAddress: ipv4(CARE_OF), encapsulation, isReverse, expiresAtMs: NOW_MS + 1, ...options };
}

const second = { careOfAddress: ipv4(SECOND_CARE_OF) };
const tunnels: Readonly<Record<string, readonly Tunnel[]>> = {
  "10.64.1.1": [tunnel("ip-in-ip", false)],
  "10.64.1.2": [tunnel("ip-in-ip", true)],
  "10.64.1.3": [tunnel("gre", true)],
  "10.64.1.4": [tunnel("ip-in-ip", true, { expiresAtMs: NOW_MS })],
  "10.64.1.5": [tunnel("ip-in-ip", true), tunnel("gre", true, second)],
  "10.64.1.6": [tunnel("minimal", true)],
  "10.64.1.7": [tunnel("ip-in-ip", true, { careOfAddress: ipv4("10.65.0.9") })],
  "10.64.1.8": [tunnel("ip-in-ip", true, { careOfAddress: ipv4("192.0.2.1") })],
};
const here = ["192.0.2.1", "192.0.2.255", VIRTUAL_ADDRESS];
const end: HomeEnd = {
  address: ipv4(VIRTUAL_ADDRESS),
  tunnelsOf: (homeAddress) => tunnels[formatIpv4(homeAddress)] ?? [],
  isHere: (address) => here.includes(formatIpv4(address)),
  isAtHome: (address) => prefixContains({ address: ipv4("10.64.0.0"), length: 12 }, address),
};

const toMobile = (destination: string, fields: Partial<HeaderFields> = {}) =>
  packet({ source: CORRESPONDENT, destination, ...fields });
const fromMobile = (source: string, fields: Partial<HeaderFields> = {}) =>
  packet({ source, destination: CORRESPONDENT, ...fields });
const tunnelled = (inner: Uint8Array, fields: Partial<HeaderFields> = {}) =>
  packet({ source: CARE_OF, destination: VIRTUAL_ADDRESS, protocol: IP_IN_IP, ...fields }, inner);

function forwarded(decision: Forwarded | DropReason): Forwarded {
  if (typeof decision === "string") throw new Error(decision);
  return decision;
}

test("a packet for a mobile goes to each of its care-of addresses, as it has registered them", () => {
  const inner = toMobile("10.64.1.5");
  const { packets, homeAddress, octets } = forwarded(decideToMobile(inner, end, moment));
  expect({ homeAddress, octets }).toEqual({ homeAddress: ipv4("10.64.1.5"), octets: inner.length });
  const source = ipv4(VIRTUAL_ADDRESS);
  expect(packets.map(decapsulate)).toEqual([
    expect.objectContaining({ source, destination: ipv4(CARE_OF), encapsulation: "ip-in-ip" }),
    expect.objectContaining({ source, destination: ipv4(SECOND_CARE_OF), encapsulation: "gre" }),
  ]);
});

test("a packet for a mobile goes where it can, though one of its care-of addresses can't be used", () => {
  const inner = toMobile("10.64.1.5", { source: SECOND_CARE_OF });
  expect(forwarded(decideToMobile(inner, end, moment)).packets).toHaveLength(1);
});

test("octets behind a packet are none of it", () => {
  const inner = toMobile("10.64.1.2");
  const { packets } = forwarded(decideToMobile(Buffer.concat([inner, Buffer.from("more")]), end, moment));
  expect(packets.map((outer) => outer.length)).toEqual([inner.length + 20]);
});

test.each<[string, DropReason, Uint8Array]>([
  ["it is none of IPv4", "not-ipv4", toMobile("10.64.1.1", { version: 6 })],
  ["it is cut off", "truncated", toMobile("10.64.1.1").subarray(0, 19)],
  ["it is shorter than it says", "truncated", toMobile("10.64.1.1", { totalLength: 400 })],
  ["it is shorter than its header", "truncated", toMobile("10.64.1.1", { headerLength: 15 })],
  ["nobody is registered with its destination", "destination-unregistered", toMobile("10.64.9.9")],
  ["the registration has ended", "destination-expired", toMobile("10.64.1.4")],
  ["it comes from the care-of address that it is for", "source-is-care-of", toMobile("10.64.1.1", { source: CARE_OF })],
  ["the care-of address is in the virtual network", "care-of-at-home", toMobile("10.64.1.7")],
  ["the care-of address is one of this host", "care-of-unreachable", toMobile("10.64.1.8")],
])("a packet for a mobile is dropped: %s", (_what, reason, inner) => {
  expect(decideToMobile(inner, end, moment)).toBe(reason);
});

test.each(["10.64.1.2", "10.64.1.3", "10.64.1.5", "10.64.1.6"])(
  "%s sends by the tunnel that it has registered",
  (source) => {
    const inner = fromMobile(source);
    const isGre = source === "10.64.1.3";
    const outer = tunnelled(isGre ? gre(inner) : inner, { protocol: isGre ? GRE : IP_IN_IP });
    const { packets, homeAddress, octets } = forwarded(decideFromMobile(outer, end, moment));
    expect(packets.map((bytes) => Buffer.from(bytes))).toEqual([inner]);
    expect({ homeAddress, octets }).toEqual({ homeAddress: ipv4(source), octets: inner.length });
  },
);

test("congestion that a tunnel has met is told to the ends, by a header with a right checksum", () => {
  const outer = tunnelled(fromMobile("10.64.1.2", { tos: 0x2a }), { tos: 0x2b });
  const [marked] = forwarded(decideFromMobile(outer, end, moment)).packets;
  expect(Buffer.from(marked ?? [])).toEqual(fromMobile("10.64.1.2", { tos: 0x2b }));
});

test.each<[string, DropReason, Uint8Array]>([
  ["the inner source is nobody's", "source-unregistered", tunnelled(fromMobile("10.64.9.9"))],
  [
    "the outer source is not its care-of address",
    "care-of-mismatch",
    tunnelled(fromMobile("10.64.1.2"), { source: "198.51.100.1" }),
  ],
  ["the registration has ended", "source-expired", tunnelled(fromMobile("10.64.1.4"))],
  ["another encapsulation was registered", "encapsulation-mismatch", tunnelled(fromMobile("10.64.1.3"))],
  [
    "another care-of address has this encapsulation",
    "encapsulation-mismatch",
    tunnelled(fromMobile("10.64.1.5"), { source: SECOND_CARE_OF }),
  ],
  [
    "it has a key that nobody has agreed on",
    "encapsulation-mismatch",
    tunnelled(Buffer.concat([Buffer.from("2000080000000007", "hex"), fromMobile("10.64.1.3")]), { protocol: GRE }),
  ],
  ["no reverse tunnel was granted", "reverse-tunnel-not-granted", tunnelled(fromMobile("10.64.1.1"))],
  [
    "it is for the end of the tunnel",
    "inner-destination",
    tunnelled(fromMobile("10.64.1.2", { destination: VIRTUAL_ADDRESS })),
  ],
  [
    "it is for another address of this host",
    "inner-destination",
    tunnelled(fromMobile("10.64.1.2", { destination: "192.0.2.1" })),
  ],
  ["it is for all on a link", "inner-destination", tunnelled(fromMobile("10.64.1.2", { destination: "192.0.2.255" }))],
  ["it is for a group", "inner-destination", tunnelled(fromMobile("10.64.1.2", { destination: "224.0.0.5" }))],
  [
    "it is for a loopback address",
    "inner-destination",
    tunnelled(fromMobile("10.64.1.2", { destination: "127.0.0.9" })),
  ],
  [
    "the tunnel was congested, and its ends would not heed it",
    "congestion",
    tunnelled(fromMobile("10.64.1.2"), { tos: 3 }),
  ],
  ["its outer header is wrong", "outer-checksum", tunnelled(fromMobile("10.64.1.2"), { checksum: 1 })],
])("a packet of a mobile is dropped: %s", (_what, reason, outer) => {
  expect(decideFromMobile(outer, end, moment)).toBe(reason);
});
