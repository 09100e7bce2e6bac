import { chownSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "../../adapters/kernel/command.ts";
import type { LabPlace, NodePlace } from "../place.ts";
import { frrFiles, type RoutingProtocol } from "../plan/frr-files.ts";
import type { Topology, TopologyNode } from "../plan/topology.ts";
import { doIn, ipJson } from "./namespace.ts";

/** Where Debian's frr keeps its daemons. */
export const FRR_DIRECTORY = "/usr/lib/frr";

/** In the order they start. A node runs those that it has a configuration of. */
export const FRR_DAEMONS = ["zebra", "bfdd", "bgpd", "ospfd"] as const;

/** Starts FRR in a router's namespace. */
export async function startRouter(
  place: LabPlace,
  topology: Topology,
  router: TopologyNode,
  routing: RoutingProtocol = "bgp",
): Promise<void> {
  await configureFrr(place.node(router.name), topology, router, routing);
  await startFrr(place, router.name);
}

/** Writes what a node's FRR is to do. */
export async function configureFrr(
  { frr }: NodePlace,
  topology: Topology,
  node: TopologyNode,
  routing: RoutingProtocol,
): Promise<void> {
  const { uid, gid } = await frrUser();
  mkdirSync(frr, { recursive: true });
  chownSync(frr, uid, gid);
  for (const [name, text] of Object.entries(frrFiles(topology, node, routing))) writeFileSync(join(frr, name), text);
}

/** Starts what is configured and isn't among those that run. */
export async function startFrr(place: LabPlace, name: string, running: readonly string[] = []): Promise<void> {
  const { frr } = place.node(name);
  const file = (name: string) => join(frr, name);
  for (const daemon of FRR_DAEMONS.filter((it) => existsSync(file(`${it}.conf`)) && !running.includes(it))) {
    // `--daemon` comes back when the daemon has read its configuration and listens on its sockets.
    await doIn(place.namespace(name), [
      join(FRR_DIRECTORY, daemon),
      "--daemon",
      `--config_file=${file(`${daemon}.conf`)}`,
      `--pid_file=${file(`${daemon}.pid`)}`,
      `--vty_socket=${frr}`,
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

/** As `ip -json route` prints it. */
export interface KernelRoute {
  readonly gateway?: string;
  readonly nexthops?: readonly { readonly gateway?: string }[];
}

/** The next hops that a node's kernel has for a prefix; none where it has no route. */
export async function nextHops(namespace: string, prefix: string): Promise<string[]> {
  return gatewaysOf(await ipJson<KernelRoute>(["route", "show", "exact", prefix], namespace));
}

export function gatewaysOf(routes: readonly KernelRoute[]): string[] {
  return routes
    .flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)])
    .filter((address) => address !== undefined)
    .sort();
}

async function frrUser(): Promise<{ uid: number; gid: number }> {
  const [, , uid, gid] = (await mustRun(["getent", "passwd", "frr"])).split(":");
  return { uid: Number(uid), gid: Number(gid) };
}
