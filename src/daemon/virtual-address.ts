import { mustRun } from "../adapters/kernel/command.ts";

const INTERFACE = "lo";
/** `ip` waits for a lock of the kernel at most. */
const TIMEOUT_MS = 5000;

/** Adds the virtual home agent address to the loopback interface, so that the kernel delivers registrations to this host. */
export async function addVirtualAddress(address: string): Promise<void> {
  // "replace" succeeds where a daemon that was killed has left the address behind.
  await ipAddress("replace", address);
}

export async function removeVirtualAddress(address: string): Promise<void> {
  await ipAddress("delete", address);
}

async function ipAddress(verb: string, address: string): Promise<void> {
  await mustRun(["ip", "address", verb, `${address}/32`, "dev", INTERFACE], { timeoutMs: TIMEOUT_MS });
}
