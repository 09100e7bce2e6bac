import { readFileSync } from "node:fs";
import { endianness } from "node:os";
import type { Endpoint } from "../../core/wire/ipv4.ts";

/**
 * How many datagrams the kernel has dropped because the buffer of the UDP socket bound to `local` was full, since the
 * socket was opened. 0 if the system doesn't tell; only Linux does.
 */
export function kernelDrops(local: Endpoint): number {
  let table: string;
  try {
    table = readFileSync("/proc/self/net/udp", "utf8");
  } catch {
    return 0;
  }
  // `sl local_address rem_address … drops`; the address is printed as the number that its bytes make in memory.
  const name = `${hexadecimal(inMemory(local.address), 8)}:${hexadecimal(local.port, 4)}`;
  for (const line of table.split("\n")) {
    const columns = line.trim().split(/ +/);
    if (columns[1] === name) return Number(columns.at(-1));
  }
  return 0;
}

function inMemory(address: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return endianness() === "LE" ? bytes.readUInt32LE() : address;
}

function hexadecimal(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
