import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { frrConfig } from "./frr-config.ts";
import { doIn, ipJson } from "./namespace.ts";
import type { LabPlace } from "./place.ts";
import type { Topology, TopologyNode } from "./topology.ts";

/** Where Debian's frr keeps its daemons. */
export const FRR_DIRECTORY = "/usr/lib/frr";

/** In the order they start. */
export const FRR_DAEMONS = ["zebra", "bgpd"] as const;

/** Starts FRR in a router's namespace and gives it its configuration; back when it has taken it. */
export async function startRouter(place: LabPlace, topology: Topology, router: TopologyNode): Promise<void> {
  const namespace = place.namespace(router.name);
  const node = place.node(router.name);
  const { uid, gid } = await frrUser();
  mkdirSync(node.frr, { recursive: true });
  chownSync(node.frr, uid, gid);
  for (const daemon of FRR_DAEMONS) {
    // `--daemon` comes back when the daemon listens on its sockets.
    await doIn(namespace, [
      join(FRR_DIRECTORY, daemon),
      "--daemon",
      "--profile=datacenter",
      "--config_file=/dev/null",
      `--pid_file=${join(node.frr, `${daemon}.pid`)}`,
      `--vty_socket=${node.frr}`,
      "--vty_port=0",
      `--socket=${join(node.frr, "zserv.api")}`,
      `--log=file:${join(node.frr, `${daemon}.log`)}`,
      "--log-level=warnings",
      "--limit-fds=1024",
    ]);
  }
  writeFileSync(join(node.frr, "vtysh.conf"), "service integrated-vtysh-config\n");
  writeFileSync(join(node.frr, "frr.conf"), frrConfig(topology, router));
  await doIn(namespace, [...vtysh(node.frr), "--boot"]);
}

/** `vtysh` on the daemons of one router. */
export function vtysh(frrDirectory: string): string[] {
  return ["/usr/bin/vtysh", "--vty_socket", frrDirectory, "--config_dir", frrDirectory];
}

/** The next hops that a node's kernel has for a prefix; none where it has no route. */
export async function nextHops(namespace: string, prefix: string): Promise<string[]> {
  interface Route {
    gateway?: string;
    nexthops?: { gateway?: string }[];
  }
  const routes = await ipJson<Route>(["route", "show", "exact", prefix], namespace);
  return routes
    .flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)])
    .filter((address) => address !== undefined)
    .sort();
}

async function frrUser(): Promise<{ uid: number; gid: number }> {
  const { stdout } = await execa("getent", ["passwd", "frr"]);
  const [, , uid, gid] = stdout.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}
