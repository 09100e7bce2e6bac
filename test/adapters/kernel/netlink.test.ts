import { endianness } from "node:os";
import { describe, expect, test } from "vitest";
import { dropAddress, errnoOf, leaseAddress, linkUp } from "../../../src/adapters/kernel/netlink.ts";
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

  test("is answered by an error number, 0 for success", () => {
    const answer = (errno: string) => Buffer.from(`24000000020000010000000000000000${errno}`, "hex");
    expect(errnoOf(answer("00000000"))).toBe(0);
    expect(errnoOf(answer("efffffff"))).toBe(17);
    expect(errnoOf(Buffer.from("1000000003000000", "hex"))).toBeUndefined();
    expect(errnoOf(Buffer.from("1400000010000000000000000000000000000000", "hex"))).toBeUndefined();
  });
});
