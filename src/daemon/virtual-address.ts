import { mustRun } from "../adapters/kernel/command.ts";

const INTERFACE = "lo";
/** `ip` waits at most for a lock of the kernel. */
const TIMEOUT_MS = 5000;

/**
 * Adds the virtual home agent address to the loopback interface, so that the kernel delivers registrations to this host.
 */
export async function addVirtualAddress(address: string): Promise<void> {
  // "replace" succeeds even if a killed daemon has left the address behind.
  await ipAddress("replace", address);
}

export async function removeVirtualAddress(address: string): Promise<void> {
  await ipAddress("delete", address);
}

async function ipAddress(verb: string, address: string): Promise<void> {
  await mustRun(["ip", "address", verb, `${address}/32`, "dev", INTERFACE], { timeoutMs: TIMEOUT_MS });
}
