import { runCommand } from "../../adapters/kernel/command.ts";
import { isInstalled, labObstacle } from "../obstacle.ts";
import { composeCommand, Docker } from "./docker.ts";

const NEEDED = [
  ["dockerd", "docker.io"],
  ["docker", "docker.io"],
  ["debootstrap", "debootstrap"],
] as const;

/** Why no lab of containers can run on this machine, in one line; `undefined` if one can. */
export async function composeObstacle(engine: "auto" | "own" | "system"): Promise<string | undefined> {
  const missing: string[] = [];
  const [compose] = await composeCommand();
  if (!(await isInstalled(compose))) missing.push("docker-compose");
  if (engine !== "own" && missing.length === 0 && (await new Docker().answers())) return undefined;
  if (engine === "system") return missing.length > 0 ? notInstalled(missing) : "no Docker engine answers";
  for (const [command, debianPackage] of NEEDED) if (!(await isInstalled(command))) missing.push(debianPackage);
  if (missing.length > 0) return notInstalled([...new Set(missing)]);
  return (await labObstacle()) ?? (await engineObstacle());
}

/** An engine of our own needs control groups, and images in layers. */
async function engineObstacle(): Promise<string | undefined> {
  const { problem, stderr } = await runCommand(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
  if (problem !== undefined) return `this machine lets nobody make process namespaces: ${stderr || problem}`;
  const groups = await runCommand(["grep", "-q", "cgroup", "/proc/self/mounts"]);
  return groups.problem === undefined ? undefined : "no control groups are mounted, which containers need";
}

function notInstalled(packages: readonly string[]): string {
  const names = packages.join(" ");
  return `not installed: ${names} (apt-get install --no-install-recommends ${names})`;
}
