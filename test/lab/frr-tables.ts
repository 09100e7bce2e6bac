/** What a router of the lab says of itself: the tables of FRR, not what we believe to have sent. */
import type { Lab } from "../../src/lab/lab.ts";

/** An FRR `show` command with JSON output. */
export async function show<T>(lab: Lab, router: string, command: string): Promise<T> {
  const { stdout } = await lab.run(router, ["vtysh", "-c", `show ${command} json`]);
  return JSON.parse(stdout);
}

/** The next hops of a prefix that zebra has selected, and put into the kernel. */
export async function installedNextHops(lab: Lab, router: string, prefix: string): Promise<string[]> {
  interface Route {
    readonly selected?: boolean;
    readonly nexthops: readonly { readonly ip: string; readonly fib?: boolean }[];
  }
  const routes = (await show<Record<string, Route[]>>(lab, router, `ip route ${prefix}`))[prefix] ?? [];
  return routes
    .filter(({ selected }) => selected)
    .flatMap(({ nexthops }) => nexthops.flatMap(({ ip, fib }) => (fib ? [ip] : [])))
    .sort();
}
