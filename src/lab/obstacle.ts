import { runCommand } from "../adapters/kernel/command.ts";
import { FRR_DIRECTORY } from "./namespaces/router.ts";

const NEEDED = [
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["sysctl", "procps"],
  ["vtysh", "frr"],
  [`${FRR_DIRECTORY}/bgpd`, "frr"],
  ["exabgp", "exabgp"],
] as const;

/** Why a lab can't run on this machine, in one line; `undefined` if it can. */
export async function labObstacle(): Promise<string | undefined> {
  if (process.platform !== "linux") return `network namespaces need Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const missing = new Set<string>();
  for (const [command, debianPackage] of NEEDED) {
    if (!(await isInstalled(command))) missing.add(debianPackage);
  }
  if (missing.size > 0)
    return `not installed: ${[...missing].join(", ")} (apt-get install --no-install-recommends ${[...missing].join(" ")})`;
  // Root in a container may not be allowed to.
  const { problem, stderr } = await runCommand(["unshare", "--net", "--mount", "true"]);
  return problem === undefined ? undefined : `this machine lets nobody make network namespaces: ${stderr || problem}`;
}

export async function isInstalled(command: string): Promise<boolean> {
  return (await runCommand(["sh", "-c", 'command -v "$0"', command])).problem === undefined;
}
