import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DropReason } from "../../../src/core/tunnel/drop-reasons.ts";
import {
  type Decapsulated,
  decapsulate,
  encapsulate,
  type TunnelForm,
} from "../../../src/core/tunnel/encapsulation.ts";
import { type Ipv4Header, readIpv4Header } from "../../../src/core/tunnel/ipv4-packet.ts";
import { internetChecksum } from "../../../src/core/wire/internet-checksum.ts";
import { formatIpv4, type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import {
  DONT_FRAGMENT,
  GRE,
  gre,
  greWithChecksum,
  type HeaderFields,
  IP_IN_IP,
  MINIMAL,
  MORE_FRAGMENTS,
  minimalHeader,
  packet,
} from "../../adapters/dataplane/packets.ts";

const HOME_AGENT = ipv4("10.64.0.1");
const CARE_OF = ipv4("192.0.2.9");
const ends = { source: CARE_OF, destination: HOME_AGENT };

const inner = (fields: Partial<HeaderFields> = {}, payload?: Uint8Array) =>
  packet({ source: "10.64.9.1", destination: "198.51.100.7", ...fields }, payload);
const outer = (payload: Uint8Array, fields: Partial<HeaderFields> = {}) =>
  packet({ source: "192.0.2.9", destination: "10.64.0.1", protocol: IP_IN_IP, ...fields }, payload);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function headerOf(bytes: Uint8Array): Ipv4Header {
  const header = readIpv4Header(bytes);
  if (header === undefined) throw new Error("too short");
  return header;
}

function tunnelled(bytes: Uint8Array, form: TunnelForm): Uint8Array {
  const made = encapsulate(bytes, headerOf(bytes), ends, form, 0xbeef);
  if (made === undefined) throw new Error("too long");
  return made;
}

function taken(bytes: Uint8Array): Decapsulated {
  const result = decapsulate(bytes);
  if (typeof result === "string") throw new Error(result);
  return result;
}

const anyAddress = fc.integer({ min: 1, max: 0xffffffff }).map((value) => formatIpv4(value as Ipv4Address));
const anyInner = fc
  .record({
    source: anyAddress,
    destination: anyAddress,
    headerLength: fc.constantFrom(5, 5, 6),
    tos: fc.nat(255),
    fragment: fc.constantFrom(0, DONT_FRAGMENT, MORE_FRAGMENTS, 9),
    ttl: fc.integer({ min: 1, max: 255 }),
    protocol: fc.nat(255),
    payload: fc.uint8Array({ minLength: 4, maxLength: 200 }),
  })
  .map(({ payload, ...fields }) => inner(fields, payload));

describe.each([
  { encapsulation: "ip-in-ip" },
  { encapsulation: "gre" },
  { encapsulation: "gre", greKey: 0xfedcba98 },
  { encapsulation: "minimal" },
  { encapsulation: "ip-in-ip", udpPorts: { source: 434, destination: 50_000 } },
  { encapsulation: "gre", udpPorts: { source: 50_000, destination: 434 } },
  { encapsulation: "minimal", udpPorts: { source: 434, destination: 434 } },
] as const)("a tunnel of $encapsulation, key $greKey, ports $udpPorts", (form) => {
  test("gives back what went in, and says from where to where it was", () => {
    fc.assert(
      fc.property(anyInner, (bytes) => {
        const result = taken(tunnelled(bytes, form));
        expect(hex(result.packet)).toBe(hex(bytes));
        const { isFragment, headerLength } = headerOf(bytes);
        const isMinimal = form.encapsulation === "minimal" && !isFragment && headerLength === 20;
        const encapsulation = form.encapsulation === "minimal" && !isMinimal ? "ip-in-ip" : form.encapsulation;
        expect(result).toMatchObject({ ...form, ...ends, encapsulation });
      }),
    );
  });

  test("copies Don't Fragment and the traffic class to the outer header, and computes its checksum", () => {
    const bytes = tunnelled(inner({ fragment: DONT_FRAGMENT, tos: 0xb9 }), form);
    expect(headerOf(bytes)).toMatchObject({ dontFragment: true, trafficClass: 0xb9, ...ends });
    expect(internetChecksum(bytes.subarray(0, 20))).toBe(0);
  });

  test("never gives out more or less than a whole packet, whatever is damaged on its way", () => {
    const whole = tunnelled(inner(), form);
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: whole.length - 9, max: whole.length }), changes, (length, damages) => {
        const damaged = whole.slice(0, length);
        for (const [offset, value] of damages) if (offset < length) damaged[offset] = value;
        const result = decapsulate(damaged);
        if (typeof result !== "string") expect(result.header.totalLength).toBe(result.packet.length);
      }),
      { numRuns: 500 },
    );
  });

  test("takes no packet that would become too long for IPv4", () => {
    const longest = inner({}, new Uint8Array(65_535 - 20));
    expect(encapsulate(longest, headerOf(longest), ends, form, 0)).toBeUndefined();
  });
});

test("a key of GRE goes where RFC 2890 2 has it", () => {
  const bytes = inner();
  expect(hex(tunnelled(bytes, { encapsulation: "gre", greKey: 7 }).subarray(20))).toBe(`2000080000000007${hex(bytes)}`);
});

test("a tunnel in UDP has the message of RFC 3519 3.3, with the encapsulation as its next header", () => {
  const bytes = inner();
  const form = { encapsulation: "gre", udpPorts: { source: 434, destination: 50_000 } } as const;
  const made = tunnelled(bytes, form);
  const length = (8 + 4 + 4 + bytes.length).toString(16).padStart(4, "0");
  expect(headerOf(made).protocol).toBe(17);
  expect(hex(made.subarray(20))).toBe(`01b2c350${length}0000042f000000000800${hex(bytes)}`);
});

test("minimal encapsulation is as RFC 2004 3 draws it, and leaves the TTL as it is", () => {
  const bytes = inner({ ttl: 63 });
  const made = tunnelled(bytes, { encapsulation: "minimal" });
  expect(headerOf(made).protocol).toBe(MINIMAL);
  expect(made[8]).toBe(63);
  expect(hex(made.subarray(20))).toBe(hex(Buffer.concat([minimalHeader(bytes), bytes.subarray(20)])));
});

test("minimal encapsulation may leave out a source that is the outer one", () => {
  const bytes = inner({ source: "192.0.2.9" });
  const payload = Buffer.concat([minimalHeader(bytes, { hasSource: false }), bytes.subarray(20)]);
  const made = outer(payload, { protocol: MINIMAL, identification: 0x1234, ttl: 63 });
  expect(hex(taken(made).packet)).toBe(hex(bytes));
});

test("GRE with a right checksum is taken", () => {
  const bytes = inner({}, Buffer.from("odd"));
  expect(hex(taken(outer(greWithChecksum(bytes), { protocol: GRE })).packet)).toBe(hex(bytes));
});

const withKey = (bytes: Uint8Array) => Buffer.concat([Buffer.from("2000080000000007", "hex"), bytes]);
const minimal = (bytes: Buffer, sum?: number) =>
  Buffer.concat([minimalHeader(bytes, sum === undefined ? {} : { sum }), bytes.subarray(20)]);
const inUdp = (change: (bytes: Buffer) => void) => {
  const ports = { source: 434, destination: 434 };
  const made = Buffer.from(tunnelled(inner(), { encapsulation: "ip-in-ip", udpPorts: ports }));
  change(made);
  return made;
};

test.each<[string, DropReason, Uint8Array]>([
  ["an empty packet", "truncated", new Uint8Array(0)],
  ["another IP version", "outer-options", outer(inner(), { version: 6 })],
  ["options in the outer header", "outer-options", outer(inner(), { headerLength: 6 })],
  ["a fragment", "outer-fragment", outer(inner(), { fragment: MORE_FRAGMENTS })],
  ["a wrong checksum", "outer-checksum", outer(inner(), { checksum: 1 })],
  ["more octets stated than there are", "outer-length", outer(inner(), { totalLength: 400 })],
  ["fewer octets stated than its header has", "outer-length", outer(inner(), { totalLength: 19 })],
  ["another protocol", "encapsulation-mismatch", outer(inner(), { protocol: 6 })],
  ["no room for a header inside", "outer-length", outer(new Uint8Array(10))],
  ["another IP version inside", "inner-header", outer(inner({ version: 6 }))],
  ["an inner header of less than five words", "inner-header", outer(inner({ headerLength: 4 }))],
  ["an inner header that is longer than the packet", "inner-length", outer(inner({ headerLength: 15 }))],
  ["fewer octets inside than the tunnel has", "inner-length", outer(inner({ totalLength: 21 }))],
  ["more octets inside than the tunnel has", "inner-length", outer(inner({ totalLength: 99 }))],
  ["a wrong checksum inside", "inner-checksum", outer(inner({ checksum: 1 }))],
  ["a wrong checksum of a header with options", "inner-checksum", outer(inner({ headerLength: 6, checksum: 1 }))],
  ["GRE with a routing field (RFC 1701)", "gre-header", outer(gre(inner(), { flags: 0x4000 }), { protocol: GRE })],
  ["GRE of another version", "gre-header", outer(gre(inner(), { flags: 1 }), { protocol: GRE })],
  ["GRE around something else", "gre-header", outer(gre(inner(), { type: 0x86dd }), { protocol: GRE })],
  ["GRE with a wrong checksum", "gre-header", outer(greWithChecksum(inner(), { sum: 1 }), { protocol: GRE })],
  ["GRE that ends within its options", "outer-length", outer(withKey(new Uint8Array(16)), { protocol: GRE })],
  ["GRE with a key and no room for a header", "outer-length", outer(withKey(new Uint8Array(19)), { protocol: GRE })],
  ["a minimal header with a wrong checksum", "minimal-header", outer(minimal(inner(), 1), { protocol: MINIMAL })],
  ["a minimal header that is cut off", "outer-length", outer(new Uint8Array(7), { protocol: MINIMAL })],
  [
    "a minimal header without its source",
    "outer-length",
    outer(minimal(inner()).subarray(0, 11), { protocol: MINIMAL }),
  ],
  ["UDP that is no tunnel", "udp-header", inUdp((bytes) => bytes.writeUInt8(1, 28))],
  ["UDP of another length", "udp-header", inUdp((bytes) => bytes.writeUInt16BE(9, 24))],
  ["UDP with a wrong checksum", "udp-header", inUdp((bytes) => bytes.writeUInt16BE(9, 26))],
  ["UDP with another next header", "encapsulation-mismatch", inUdp((bytes) => bytes.writeUInt8(6, 29))],
])("what comes by a tunnel is refused: %s", (_what, reason, bytes) => {
  expect(decapsulate(bytes)).toBe(reason);
});

describe("scapy", () => {
  const bytes = inner({}, Buffer.from("04d2162e000a0000abcd", "hex"));

  function scapy(expression: string): string {
    const script = `from scapy.all import IP, GRE, UDP, raw\ninner = IP(bytes.fromhex("${hex(bytes)}"))\nprint(${expression})`;
    const { stdout, stderr, status } = spawnSync("/usr/bin/python3", ["-c", script], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }
  const isMissing =
    process.env.CI === undefined && spawnSync("/usr/bin/python3", ["-c", "import scapy.layers.inet"]).status !== 0;

  test.skipIf(isMissing).each([
    ["IP in IP", "IP(src='192.0.2.9', dst='10.64.0.1', proto=4)/inner", { encapsulation: "ip-in-ip" }],
    ["GRE", "IP(src='192.0.2.9', dst='10.64.0.1')/GRE()/inner", { encapsulation: "gre" }],
    [
      "GRE with key, checksum and sequence number",
      "IP(src='192.0.2.9', dst='10.64.0.1')/GRE(chksum_present=1, key_present=1, key=99, seqnum_present=1, sequence_number=5)/inner",
      { encapsulation: "gre", greKey: 99 },
    ],
    [
      "IP in UDP with a checksum",
      "IP(src='192.0.2.9', dst='10.64.0.1')/UDP(sport=4000, dport=434)/bytes.fromhex('04040000')/inner",
      { encapsulation: "ip-in-ip", udpPorts: { source: 4000, destination: 434 } },
    ],
  ] as const)("writes %s that is read here", (_what, expression, expected) => {
    const result = taken(Buffer.from(scapy(`raw(${expression}).hex()`), "hex"));
    expect(result).toMatchObject({ ...expected, ...ends });
    expect(hex(result.packet)).toBe(hex(bytes));
  });

  test.skipIf(isMissing).each([
    [{ encapsulation: "ip-in-ip" }, "o.proto == 4 and raw(o[1])"],
    [{ encapsulation: "gre", greKey: 99 }, "o.proto == 47 and o[GRE].key == 99 and raw(o[GRE].payload)"],
    [
      { encapsulation: "ip-in-ip", udpPorts: { source: 434, destination: 4000 } },
      "o[UDP].dport == 4000 and raw(o[UDP].payload)[4:]",
    ],
  ] as const)("reads %o that is written here", (form, part) => {
    const made = hex(tunnelled(bytes, form));
    const where = 'o.src == "192.0.2.9" and o.dst == "10.64.0.1"';
    expect(scapy(`(lambda o: ${where} and (${part}).hex())(IP(bytes.fromhex("${made}")))`)).toBe(hex(bytes));
  });
});
