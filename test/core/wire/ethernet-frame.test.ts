import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EthernetUdpDatagram, encodeEthernetUdp } from "../../../src/core/wire/ethernet-frame.ts";
import { internetChecksum } from "../../../src/core/wire/internet-checksum.ts";
import { type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { formatMac, type MacAddress, parseMac } from "../../../src/core/wire/mac-address.ts";

function mac(text: string): MacAddress {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

const datagram: EthernetUdpDatagram = {
  sourceMac: mac("02:00:00:00:00:11"),
  destinationMac: mac("02:00:00:00:00:12"),
  source: { address: ipv4("10.1.0.11"), port: 4340 },
  destination: { address: ipv4("10.64.0.1"), port: 4340 },
  payload: Uint8Array.of(0x41, 0x48, 0x01),
};

function encoded(changes: Partial<EthernetUdpDatagram> = {}): Buffer {
  return Buffer.from(encodeEthernetUdp({ ...datagram, ...changes }) ?? expect.fail("not encoded"));
}

const port = fc.integer({ min: 0, max: 0xffff });
const address = fc.integer({ min: 0, max: 0xffffffff }).map((value) => value as Ipv4Address);
const endpoint = fc.record({ address, port });
const station = fc.integer({ min: 1, max: 0xfe_ffff_ffff }).map((value) => value as MacAddress);

describe("a UDP datagram in an Ethernet frame", () => {
  it("is to the byte what scapy makes of it", () => {
    expect(encoded().toString("hex")).toBe(
      "020000000012" +
        "020000000011" +
        "0800" +
        "4500001f00004000" +
        "01116582" +
        "0a01000b" +
        "0a400001" +
        "10f410f4000b875b" +
        "414801",
    );
  });

  it("has two right checksums, whatever is in it", () => {
    fc.assert(
      fc.property(
        station,
        station,
        endpoint,
        endpoint,
        fc.uint8Array({ maxLength: 1500 }),
        (sourceMac, destinationMac, source, destination, payload) => {
          const frame = encoded({ sourceMac, destinationMac, source, destination, payload });
          expect(frame.subarray(0, 12).toString("hex")).toBe(
            (formatMac(destinationMac) + formatMac(sourceMac)).replaceAll(":", ""),
          );
          const ip = frame.subarray(14);
          expect(ip.readUInt16BE(2)).toBe(ip.length);
          expect(internetChecksum(ip.subarray(0, 20))).toBe(0);
          const udp = ip.subarray(20);
          expect(udp.readUInt16BE(4)).toBe(udp.length);
          expect(udp.readUInt16BE(6)).not.toBe(0);
          expect(
            internetChecksum(Buffer.concat([ip.subarray(12, 20), Buffer.of(0, 17), udp.subarray(4, 6), udp])),
          ).toBe(0);
          expect([...udp.subarray(8)]).toEqual([...payload]);
        },
      ),
    );
  });

  it("says by its checksum that it has one, also where the sum is 0", () => {
    // What sums up to all ones with the addresses and ports above: the payload takes up what is left.
    const zero = encoded({ payload: Uint8Array.of(0, 0) });
    const rest = zero.readUInt16BE(40);
    const frame = encoded({ payload: Uint8Array.of(rest >> 8, rest & 0xff) });
    expect(frame.readUInt16BE(40)).toBe(0xffff);
  });

  it("is not passed on by a router that got it by mistake, nor cut into fragments", () => {
    const frame = encoded();
    expect(frame.readUInt8(14 + 8)).toBe(1);
    expect(frame.readUInt16BE(14 + 6)).toBe(0x4000);
  });

  it("has room for the largest payload of UDP, and not for more", () => {
    expect(encodeEthernetUdp({ ...datagram, payload: new Uint8Array(65_507) })?.length).toBe(14 + 65_535);
    expect(encodeEthernetUdp({ ...datagram, payload: new Uint8Array(65_508) })).toBeUndefined();
  });
});

it("the checksum of the example in RFC 1071 is what it says", () => {
  expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff);
});
