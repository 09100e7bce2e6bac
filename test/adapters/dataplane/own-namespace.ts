/** A network namespace of this process alone, which ends with it: vitest gives each file of tests a process of its own. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import koffi from "koffi";

const CLONE_NEWNET = 0x4000_0000;

/** From here on this process is in it, and so is what it starts. */
export function enterOwnNamespace(): void {
  const unshare = koffi.load(null).func("int unshare(int flags)");
  if (unshare(CLONE_NEWNET) < 0) throw new Error(`unshare: error number ${koffi.errno()}`);
  ip("link set lo up");
  // Only what tests send is to be seen.
  for (const which of ["all", "default"]) writeFileSync(`/proc/sys/net/ipv6/conf/${which}/disable_ipv6`, "1");
}

/** An Ethernet interface with a way to everywhere. */
export function addUplink(): void {
  for (const command of [
    "link add uplink type veth peer name far",
    "link set far up",
    "link set uplink up",
    "address add 192.0.2.1/24 dev uplink",
    "route add default via 192.0.2.254",
  ]) {
    ip(command);
  }
}

export function ip(command: string): string {
  return execFileSync("ip", command.split(" "), { encoding: "utf8", stdio: "pipe" });
}

export function tc(command: string): string {
  return execFileSync("tc", command.split(" "), { encoding: "utf8" });
}
