import { readFileSync } from "node:fs";

/** Whether the kernel forwards what arrives on an interface; setting `net.ipv4.ip_forward` sets it for all interfaces. */
export function forwards(interfaceName: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv4/conf/${interfaceName}/forwarding`, "latin1").trim() === "1";
  } catch {
    return false;
  }
}
