/** Packets that anybody may have sent: those that come by a tunnel, and those that are to go into one. */
import assert from "node:assert/strict";
import { decapsulate } from "../../../src/core/tunnel/encapsulation.ts";
import { decideFromMobile, decideToMobile, type Forwarded } from "../../../src/core/tunnel/home-end.ts";
import { decideFromHome, decideToHome, type HomewardTunnel } from "../../../src/core/tunnel/mobile-end.ts";
import { type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import {
  GRE,
  gre,
  greWithChecksum,
  IP_IN_IP,
  MINIMAL,
  minimalHeader,
  packet,
} from "../../adapters/dataplane/packets.ts";
import type { FuzzTarget } from "../../fuzz/targets.ts";

const HOME_AGENT = "10.64.0.1";
const CARE_OF = "198.51.100.9";
const MOBILE = "10.64.1.1";
const moment = { nowMs: 1, identification: 7 };

const tunnel: HomewardTunnel = {
  homeAgent: ipv4(HOME_AGENT),
  careOfAddress: ipv4(CARE_OF),
  encapsulation: "ip-in-ip",
  isReverse: true,
  expiresAtMs: 2,
};
/** A mobile for each encapsulation. */
const tunnels = new Map<Ipv4Address, readonly HomewardTunnel[]>([
  [ipv4(MOBILE), [tunnel]],
  [ipv4("10.64.1.2"), [{ ...tunnel, encapsulation: "gre" }]],
  [ipv4("10.64.1.3"), [{ ...tunnel, encapsulation: "minimal" }]],
]);
const end = {
  address: ipv4(HOME_AGENT),
  tunnelsOf: (homeAddress: Ipv4Address) => tunnels.get(homeAddress) ?? [],
  isHere: () => false,
  isAtHome: () => false,
};

const inner = (source: string) => packet({ source, destination: "203.0.113.7" });
const toMobile = packet({ source: "203.0.113.7", destination: MOBILE });
const outer = (protocol: number, payload: Uint8Array) =>
  packet({ source: CARE_OF, destination: HOME_AGENT, protocol }, payload);
const minimal = inner("10.64.1.3");

export const tunnelTargets: readonly FuzzTarget[] = [
  {
    name: "packet-out-of-a-tunnel",
    corpus: [
      outer(IP_IN_IP, inner(MOBILE)),
      outer(GRE, gre(inner("10.64.1.2"))),
      outer(GRE, greWithChecksum(inner("10.64.1.2"))),
      outer(MINIMAL, Buffer.concat([minimalHeader(minimal), minimal.subarray(20)])),
      packet({ source: HOME_AGENT, destination: CARE_OF, protocol: IP_IN_IP }, toMobile),
    ],
    check(input) {
      for (const decide of [decideFromMobile, decideFromHome]) {
        const decision = decide(input, end, moment);
        if (typeof decision === "string") continue;
        assert.ok(tunnels.has(decision.homeAddress));
        const [only, ...others] = decision.packets;
        assert.ok(only !== undefined && others.length === 0);
        assert.equal(only.length, decision.octets);
        assert.equal(Buffer.from(only).readUInt16BE(2), only.length);
      }
    },
  },
  {
    name: "packet-into-a-tunnel",
    corpus: [toMobile, inner(MOBILE), inner("10.64.1.2"), inner("10.64.1.3")],
    check(input) {
      for (const decide of [decideToMobile, decideToHome]) {
        const decision = decide(input, end, moment);
        if (typeof decision !== "string") assertWhole(decision, input);
      }
    },
  },
];

/** What has gone in can come out again, unless its own header is wrong, which nobody looks at before. */
function assertWhole({ packets, octets, homeAddress }: Forwarded, input: Uint8Array): void {
  assert.ok(tunnels.has(homeAddress));
  for (const bytes of packets) {
    const taken = decapsulate(bytes);
    if (typeof taken === "string") assert.equal(taken, "inner-checksum");
    else assert.deepEqual(Buffer.from(taken.packet).subarray(12), Buffer.from(input.subarray(12, octets)));
  }
}
