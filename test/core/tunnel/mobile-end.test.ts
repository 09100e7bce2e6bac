import { expect, test } from "vitest";
import { decapsulate } from "../../../src/core/tunnel/encapsulation.ts";
import type { Forwarded } from "../../../src/core/tunnel/home-end.ts";
import {
  decideFromHome,
  decideToHome,
  type HomewardTunnel,
  type MobileEndDropReason,
} from "../../../src/core/tunnel/mobile-end.ts";
import { formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { GRE, gre, type HeaderFields, IP_IN_IP, packet } from "../../adapters/dataplane/packets.ts";

const HOME_AGENT = "10.64.0.1";
const CARE_OF = "198.51.100.9";
const CORRESPONDENT = "203.0.113.7";
const NOW_MS = 1_000_000;
const moment = { nowMs: NOW_MS, identification: 7 };

const model: HomewardTunnel = {
  homeAgent: ipv4(HOME_AGENT),
  careOfAddress: ipv4(CARE_OF),
  encapsulation: "ip-in-ip",
  isReverse: true,
  expiresAtMs: NOW_MS + 1,
};
const tunnels: Readonly<Record<string, HomewardTunnel>> = {
  "10.64.1.1": model,
  "10.64.1.2": { ...model, isReverse: false },
  "10.64.1.3": { ...model, encapsulation: "gre" },
  "10.64.1.4": { ...model, expiresAtMs: NOW_MS },
};
const end = {
  tunnelsOf: (homeAddress: Parameters<typeof formatIpv4>[0]) => [tunnels[formatIpv4(homeAddress)] ?? []].flat(),
};

const fromMobile = (source: string) => packet({ source, destination: CORRESPONDENT });
const toMobile = (destination: string, fields: Partial<HeaderFields> = {}) =>
  packet({ source: CORRESPONDENT, destination, ...fields });
const tunnelled = (inner: Uint8Array, fields: Partial<HeaderFields> = {}) =>
  packet({ source: HOME_AGENT, destination: CARE_OF, protocol: IP_IN_IP, ...fields }, inner);

function forwarded(decision: Forwarded | MobileEndDropReason): Forwarded {
  if (typeof decision === "string") throw new Error(decision);
  return decision;
}

test.each([
  ["10.64.1.1", "ip-in-ip"],
  ["10.64.1.3", "gre"],
] as const)("what %s sends goes to its home agent by %s", (mobile, encapsulation) => {
  const inner = fromMobile(mobile);
  const { packets, homeAddress, octets } = forwarded(decideToHome(inner, end, moment));
  expect({ homeAddress, octets }).toEqual({ homeAddress: ipv4(mobile), octets: inner.length });
  const ends = { source: ipv4(CARE_OF), destination: ipv4(HOME_AGENT) };
  expect(packets.map(decapsulate)).toEqual([expect.objectContaining({ ...ends, encapsulation })]);
});

test.each<[string, MobileEndDropReason, Uint8Array]>([
  ["nobody of this address is here", "source-unregistered", fromMobile("10.64.9.9")],
  ["its registration has ended", "source-expired", fromMobile("10.64.1.4")],
  ["it was granted no reverse tunnel", "reverse-tunnel-not-granted", fromMobile("10.64.1.2")],
  ["it is cut off", "truncated", fromMobile("10.64.1.1").subarray(0, 19)],
])("what a mobile sends is dropped: %s", (_what, reason, inner) => {
  expect(decideToHome(inner, end, moment)).toBe(reason);
});

test("what comes by a tunnel from its home agent goes to a mobile, with the congestion that it has met", () => {
  const outer = tunnelled(toMobile("10.64.1.2", { tos: 2 }), { tos: 3 });
  const { packets, homeAddress } = forwarded(decideFromHome(outer, end, moment));
  expect(packets.map((bytes) => Buffer.from(bytes))).toEqual([toMobile("10.64.1.2", { tos: 3 })]);
  expect(homeAddress).toBe(ipv4("10.64.1.2"));
});

test.each<[string, MobileEndDropReason, Uint8Array]>([
  ["nobody of this address is here", "destination-unregistered", tunnelled(toMobile("10.64.9.9"))],
  ["its registration has ended", "destination-expired", tunnelled(toMobile("10.64.1.4"))],
  ["it is from another home agent", "home-agent-mismatch", tunnelled(toMobile("10.64.1.1"), { source: "10.64.0.2" })],
  [
    "it came to another care-of address",
    "home-agent-mismatch",
    tunnelled(toMobile("10.64.1.1"), { destination: "198.51.100.8" }),
  ],
  [
    "it came by another encapsulation",
    "encapsulation-mismatch",
    tunnelled(gre(toMobile("10.64.1.1")), { protocol: GRE }),
  ],
  ["the mobile would not heed the tunnel's congestion", "congestion", tunnelled(toMobile("10.64.1.1"), { tos: 3 })],
  ["its outer header is wrong", "outer-checksum", tunnelled(toMobile("10.64.1.1"), { checksum: 1 })],
])("what comes by a tunnel is dropped: %s", (_what, reason, outer) => {
  expect(decideFromHome(outer, end, moment)).toBe(reason);
});
