import { endianness } from "node:os";
import { describe, expect, test } from "vitest";
import {
  blackhole,
  deleteLink,
  dropAddress,
  dropBlackhole,
  errnoOf,
  leaseAddress,
  linkUp,
  routeToInterface,
  setMtu,
} from "../../../src/adapters/kernel/netlink.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const network = { address: ipv4("10.64.0.0"), length: 12 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

// As strace shows those of `ip link set up` and `ip address replace … valid_lft 1 preferred_lft 1`.
describe.runIf(endianness() === "LE")("a message of rtnetlink", () => {
  test("sets an interface up", () => {
    expect(hex(linkUp(5))).toBe(
      "20000000" + "1000" + "0500" + "0000000000000000" + "00000000" + "05000000" + "0100000001000000",
    );
  });

  test("leases an address for its lifetime, or renews it", () => {
    expect(hex(leaseAddress(5, network, 1))).toBe(
      "3c000000" +
        "1400" +
        "0505" +
        "0000000000000000" +
        "020c0000" +
        "05000000" +
        "080002000a400000" +
        "080001000a400000" +
        "14000600" +
        "01000000" +
        "01000000" +
        "0000000000000000",
    );
  });

  test("drops it", () => {
    expect(hex(dropAddress(5, network))).toBe(
      "28000000" +
        "1500" +
        "0500" +
        "0000000000000000" +
        "020c0000" +
        "05000000" +
        "080002000a400000" +
        "080001000a400000",
    );
  });

  // As strace shows those of `ip link set mtu`, `ip link delete`, `ip route add … dev … mtu …` and `ip route add blackhole …`.
  test("sets an MTU, and deletes an interface", () => {
    const interfaceFive = "0000000000000000" + "00000000" + "05000000" + "0000000000000000";
    expect(hex(setMtu(5, 1400))).toBe(`2800000010000500${interfaceFive}0800040078050000`);
    expect(hex(deleteLink(5))).toBe(`2000000011000500${interfaceFive}`);
  });

  test("routes a network to an interface, anew or in the place of what is there", () => {
    const route = `${"0000000000000000"}020c0000fe04fd0100000000080001000a400000${"0800040005000000"}0c000800${"08000200bc050000"}`;
    expect(hex(routeToInterface(5, network, 1468, { replaces: false }))).toBe(`3800000018000506${route}`);
    expect(hex(routeToInterface(5, network, 1468, { replaces: true }))).toBe(`3800000018000505${route}`);
  });

  test("drops what is for a network, and ends that", () => {
    const route = `${"0000000000000000"}020c0000fe04000600000000080001000a40000008000600f0ffffff`;
    expect(hex(blackhole(network, 0xffff_fff0))).toBe(`2c00000018000506${route}`);
    expect(hex(dropBlackhole(network, 0xffff_fff0))).toBe(`2c00000019000500${route}`);
  });

  test("is answered by an error number, 0 for success", () => {
    const answer = (errno: string) => Buffer.from(`24000000020000010000000000000000${errno}`, "hex");
    expect(errnoOf(answer("00000000"))).toBe(0);
    expect(errnoOf(answer("efffffff"))).toBe(17);
    expect(errnoOf(Buffer.from("1000000003000000", "hex"))).toBeUndefined();
    expect(errnoOf(Buffer.from("1400000010000000000000000000000000000000", "hex"))).toBeUndefined();
  });
});
