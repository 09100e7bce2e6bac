/** The kernel's IPv4 neighbor table: which addresses are on a link of ours, and with which MAC address. */
import { readFileSync } from "node:fs";
import { type Ipv4Address, parseIpv4 } from "../../core/wire/ipv4.ts";
import { type MacAddress, parseMac } from "../../core/wire/mac-address.ts";

export interface Neighbor {
  readonly mac: MacAddress;
  /** Name of our interface. */
  readonly device: string;
}

const FILE = "/proc/self/net/arp";
const COLUMNS = /^(\S+)\s+0x1\s+0x([0-9a-f]+)\s+(\S+)\s+\S+\s+(\S+)$/;
/** The kernel would use the entry (ATF_COM of <linux/if_arp.h>); others are being resolved, or were not. */
const COMPLETE = 0x2;

/** Empty where there is no such table. What `ip neigh` shows, without a process. */
export function readNeighborTable(): ReadonlyMap<Ipv4Address, Neighbor> {
  try {
    return parseNeighborTable(readFileSync(FILE, "latin1"));
  } catch {
    return new Map();
  }
}

/** Entries of Ethernet links (hardware type 1) that are complete. */
export function parseNeighborTable(text: string): ReadonlyMap<Ipv4Address, Neighbor> {
  return new Map(
    text.split("\n").flatMap((line): [Ipv4Address, Neighbor][] => {
      const [, addressText = "", flags = "", macText = "", device = ""] = COLUMNS.exec(line) ?? [];
      const address = parseIpv4(addressText);
      const mac = parseMac(macText);
      if (address === undefined || mac === undefined || (Number.parseInt(flags, 16) & COMPLETE) === 0) return [];
      return [[address, { mac, device }]];
    }),
  );
}
