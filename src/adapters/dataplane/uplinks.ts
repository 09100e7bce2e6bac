/** The interfaces by which tunnels come and go. */
import { networkInterfaces } from "node:os";
import type { Libc } from "../kernel/libc.ts";

export interface Uplink {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
}

/** Those of these names that are there. @param names `auto`: all with an IPv4 address and a MAC address */
export function findUplinks(libc: Libc, names: readonly string[] | "auto"): Uplink[] {
  return (names === "auto" ? ethernetInterfaces() : names).flatMap((name) => {
    try {
      return [{ name, index: libc.interfaceIndex(name), mtu: libc.interfaceMtu(name) }];
    } catch {
      return [];
    }
  });
}

function ethernetInterfaces(): string[] {
  const hasNoMac = (mac: string) => mac === "00:00:00:00:00:00";
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.some(({ family, mac }) => family === "IPv4" && !hasNoMac(mac)) ? [name] : [],
  );
}
