import { expect, test } from "vitest";
import { parseNeighborTable, readNeighborTable } from "../../../src/adapters/kernel/neighbor-table.ts";
import { formatIpv4 } from "../../../src/core/wire/ipv4.ts";
import { formatMac } from "../../../src/core/wire/mac-address.ts";

const HEAD = "IP address       HW type     Flags       HW address            Mask     Device\n";

function neighbors(lines: string): string[] {
  return [...parseNeighborTable(HEAD + lines)].map(
    ([address, { mac, device }]) => `${formatIpv4(address)} ${formatMac(mac)} ${device}`,
  );
}

test("an entry that the kernel uses is a neighbor, permanent or not", () => {
  expect(
    neighbors(
      "10.1.0.12        0x1         0x2         0a:58:0a:01:00:0c     *        ha-lan\n" +
        "10.1.0.13        0x1         0x6         0a:58:0a:01:00:0d     *        eth0.10\n",
    ),
  ).toEqual(["10.1.0.12 0a:58:0a:01:00:0c ha-lan", "10.1.0.13 0a:58:0a:01:00:0d eth0.10"]);
});

test.each([
  ["is not resolved", "10.1.0.12        0x1         0x0         00:00:00:00:00:00     *        eth0"],
  [
    "was not resolved, with the MAC address it had",
    "10.1.0.12        0x1         0x0         0a:58:0a:01:00:0c     *        eth0",
  ],
  ["is only answered for (proxy ARP)", "10.1.0.12        0x1         0xc         00:00:00:00:00:00     *        eth0"],
  ["is not on an Ethernet link", "10.1.0.12        0x20        0x2         80:00:00:48:fe:80     *        ib0"],
  ["is no line of the table", "nonsense"],
])("an entry that %s is none", (_, line) => {
  expect(neighbors(`${line}\n`)).toEqual([]);
});

test("the table of this host can be read, or is empty where there is none", () => {
  for (const { device } of readNeighborTable().values()) expect(device).not.toBe("");
});
