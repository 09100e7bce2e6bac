import { readFileSync } from "node:fs";

/** Whether the kernel forwards what comes in by an interface: whoever sets `net.ipv4.ip_forward` sets it for all of them. */
export function forwards(interfaceName: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv4/conf/${interfaceName}/forwarding`, "latin1").trim() === "1";
  } catch {
    return false;
  }
}
