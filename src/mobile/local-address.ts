import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { type Endpoint, formatIpv4, type Ipv4Address, ipv4 } from "../core/wire/ipv4.ts";

/**
 * The address that this host sends from to a destination; nothing is sent. Rejects with `ENETUNREACH` if there is no route.
 */
export function localAddressToward(destination: Endpoint): Promise<Ipv4Address> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const settle = (outcome: () => void) => {
      socket.close();
      outcome();
    };
    socket.once("error", (error) => settle(() => reject(error)));
    socket.connect(destination.port, formatIpv4(destination.address), () => {
      const { address } = socket.address();
      settle(() => resolve(ipv4(address)));
    });
  });
}

/** The IPv4 addresses of this host, except those of the loopback interface. */
export function externalAddresses(): Ipv4Address[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => ipv4(address));
}
