import { execa } from "execa";

const INTERFACE = "lo";

/** Adds the virtual home agent address to the loopback interface, so that the kernel delivers registrations to this host. */
export async function addVirtualAddress(address: string): Promise<void> {
  // "replace" succeeds where a daemon that was killed has left the address behind.
  await execa("ip", ["address", "replace", `${address}/32`, "dev", INTERFACE]);
}

export async function removeVirtualAddress(address: string): Promise<void> {
  await execa("ip", ["address", "delete", `${address}/32`, "dev", INTERFACE]);
}
