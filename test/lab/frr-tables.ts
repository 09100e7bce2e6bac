/** What a router of the lab says of itself: the tables of FRR, not what we believe to have sent. */
import type { Lab } from "../../src/lab/namespaces/lab.ts";

/** An FRR `show` command with JSON output. */
export async function show<T>(lab: Lab, router: string, command: string): Promise<T> {
  const { stdout } = await lab.run(router, ["vtysh", "-c", `show ${command} json`]);
  return JSON.parse(stdout);
}

/** What `show ip route PREFIX json` answers, by prefix. */
export type ZebraRoutes = Record<
  string,
  readonly {
    readonly selected?: boolean;
    readonly nexthops: readonly { readonly ip: string; readonly fib?: boolean }[];
  }[]
>;

/** The next hops of a prefix that zebra has selected, and put into the kernel; of the virtual network, if none is named. */
export async function installedNextHops(
  lab: Lab,
  router: string,
  prefix: string = lab.topology.virtualNetwork,
): Promise<string[]> {
  return installedIn(await show<ZebraRoutes>(lab, router, `ip route ${prefix}`), prefix);
}

export function installedIn(routes: ZebraRoutes, prefix: string): string[] {
  return (routes[prefix] ?? [])
    .filter(({ selected }) => selected)
    .flatMap(({ nexthops }) => nexthops.flatMap(({ ip, fib }) => (fib ? [ip] : [])))
    .sort();
}
