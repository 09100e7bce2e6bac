import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { bfddConfig, bgpdConfig, zebraConfig } from "./frr-config.ts";
import { doIn, ipJson } from "./namespace.ts";
import type { LabPlace } from "./place.ts";
import type { Topology, TopologyNode } from "./topology.ts";

/** Where Debian's frr keeps its daemons. */
export const FRR_DIRECTORY = "/usr/lib/frr";

/** In the order they start. */
export const FRR_DAEMONS = ["zebra", "bfdd", "bgpd"] as const;

/** Starts FRR in a router's namespace. */
export async function startRouter(place: LabPlace, topology: Topology, router: TopologyNode): Promise<void> {
  const namespace = place.namespace(router.name);
  const node = place.node(router.name);
  const { uid, gid } = await frrUser();
  mkdirSync(node.frr, { recursive: true });
  chownSync(node.frr, uid, gid);
  const file = (name: string) => join(node.frr, name);
  writeFileSync(file("vtysh.conf"), "no service integrated-vtysh-config\n");
  writeFileSync(file("zebra.conf"), zebraConfig(router));
  writeFileSync(file("bfdd.conf"), bfddConfig(router));
  writeFileSync(file("bgpd.conf"), bgpdConfig(topology, router));
  for (const daemon of FRR_DAEMONS) {
    // `--daemon` comes back when the daemon has read its configuration and listens on its sockets.
    await doIn(namespace, [
      join(FRR_DIRECTORY, daemon),
      "--daemon",
      `--config_file=${file(`${daemon}.conf`)}`,
      `--pid_file=${file(`${daemon}.pid`)}`,
      `--vty_socket=${node.frr}`,
      "--vty_port=0",
      `--socket=${file("zserv.api")}`,
      `--log=file:${file(`${daemon}.log`)}`,
      "--log-level=warnings",
      "--limit-fds=1024",
      // Its own control socket, where another bfdd of this machine has the usual one.
      ...(daemon === "bfdd" ? [`--bfdctl=${file("bfdd.sock")}`] : []),
    ]);
  }
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
