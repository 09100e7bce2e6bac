/** Home agents that announce by OSPF, judged by what the routers' FRR has in its tables. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import type { RoutesView } from "../../src/adapters/api/routes.ts";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { waitFor, withLab } from "./harness.ts";

const HOME_AGENTS = { ha1: "10.1.0.11", ha2: "10.1.0.12", ha3: "10.1.0.13" } as const;
const ALL = Object.values(HOME_AGENTS);
/** A whole second of silence, and the time that a loaded machine takes. */
const SOON_MS = 15_000;

withLab(
  "home agents that announce by OSPF",
  (lab) => {
    test("are in the routers' tables, each with its own network in the link-state database (D3)", async () => {
      for (const router of ["r1", "r2"]) {
        expect(await route(lab, router)).toMatchObject({ protocol: "ospf", installed: true });
        for (const id of ALL) expect(await metrics(lab, router, id)).toEqual([10]);
      }
      expect(await nextHops(lab)).toEqual(ALL);
    });

    test("register a mobile", async () => {
      const { stdout } = await lab.run("fa1", [
        "anyhome",
        "mn",
        "register",
        "--home-address",
        "10.64.1.1",
        "-o",
        "json",
      ]);
      expect(JSON.parse(stdout)).toMatchObject({ code: 0, homeAddress: "10.64.1.1" });
    });

    test("see who announces, and that the router has what they announce themselves", async () => {
      for (const node of Object.keys(HOME_AGENTS)) {
        const seen = async () => (await ask<RoutesView>(lab, node, "routes")).view[0]?.announcers?.length === 3;
        await waitFor(seen, { deadlineMs: 20_000, what: `${node} to see who announces` });
        const routes = await ask<RoutesView>(lab, node, "routes");
        expect(routes).toMatchObject({ type: "ospf", speaker: "running", applied: [{ prefix: "10.64.0.0/12" }] });
        expect(routes.neighbors).toMatchObject([
          { address: "10.1.0.1", state: "up", accepted: { "10.64.0.0/12": true } },
        ]);
        expect(routes.view[0]?.announcers?.toSorted()).toEqual(Object.keys(HOME_AGENTS));
      }
    });

    test("are gone from the tables when the daemon is killed, and come back with it", async () => {
      await lab.kill("ha2", "daemon", "SIGKILL");
      await untilNextHops(lab, ["10.1.0.11", "10.1.0.13"]);
      expect(await metrics(lab, "r1", HOME_AGENTS.ha2)).toEqual([]);
      await lab.start("ha2");
      await untilNextHops(lab, ALL);
    });

    test("are gone when the daemon hangs, though nothing has ended, and are announced again when it goes on", async () => {
      await lab.kill("ha3", "daemon", "SIGSTOP");
      await untilNextHops(lab, ["10.1.0.11", "10.1.0.12"]);
      expect(await metrics(lab, "r1", HOME_AGENTS.ha3)).toEqual([]);
      await lab.kill("ha3", "daemon", "SIGCONT");
      await untilNextHops(lab, ALL);
      const log = readFileSync(lab.place.node("ha3").daemonLog, "utf8");
      expect(log).toContain('"event":"announcement-lapsed"');
    });

    test("have a higher metric while they are drained, so that the others are taken", async () => {
      await anyhome(lab, "ha1", "drain");
      await untilNextHops(lab, ["10.1.0.12", "10.1.0.13"]);
      expect(await metrics(lab, "r1", HOME_AGENTS.ha1)).toEqual([1000]);
      await anyhome(lab, "ha1", "undrain");
      await untilNextHops(lab, ALL);
      expect(await metrics(lab, "r1", HOME_AGENTS.ha1)).toEqual([10]);
    });

    test("are missed when their ospfd is killed, which they tell, and come back with it", async () => {
      await lab.kill("ha1", "ospfd", "SIGKILL");
      await untilNextHops(lab, ["10.1.0.12", "10.1.0.13"]);
      await waitFor(async () => (await ask<RoutesView>(lab, "ha1", "routes")).speaker === "failed", {
        deadlineMs: SOON_MS,
        what: "the daemon to notice",
      });
      expect((await ask<StatusView>(lab, "ha1", "status")).alarms.map(({ id }) => id)).toContain("speaker");
      await lab.start("ha1");
      await untilNextHops(lab, ALL);
    });

    test("leave nothing behind when they are stopped", async () => {
      await lab.stop("ha2");
      await untilNextHops(lab, ["10.1.0.11", "10.1.0.13"]);
      const { stdout } = await lab.run("ha2", ["ip", "-json", "link"]);
      expect(JSON.parse(stdout).map(({ ifname }: { ifname: string }) => ifname)).toEqual(["lo", "r1"]);
      await lab.start("ha2");
      await untilNextHops(lab, ALL);
    });
  },
  { routing: "ospf" },
);

interface Route {
  readonly protocol: string;
  readonly installed: boolean;
  readonly nexthops: readonly { readonly ip?: string; readonly fib?: boolean }[];
}

/** The selected route to the virtual network, in zebra's words. */
async function route(lab: Lab, router: string): Promise<Route | undefined> {
  const routes = await vtysh<Record<string, Route[]>>(lab, router, "show ip route 10.64.0.0/12 json");
  return routes["10.64.0.0/12"]?.[0];
}

async function nextHops(lab: Lab): Promise<string[]> {
  const hops = (await route(lab, "r1"))?.nexthops ?? [];
  return hops.flatMap(({ ip, fib }) => (ip !== undefined && fib ? [ip] : [])).toSorted();
}

async function untilNextHops(lab: Lab, expected: readonly string[]): Promise<void> {
  await waitFor(async () => (await nextHops(lab)).join() === expected.join(), {
    deadlineMs: SOON_MS,
    what: `r1 to route to ${expected.join(", ")}`,
  });
}

interface RouterLinks {
  readonly routerLinkStates: {
    readonly areas: Record<string, { routerLinks: Record<string, { networkAddress?: string; tos0Metric: number }> }[]>;
  };
}

/** With which metrics a home agent has the virtual network, in a router's link-state database. */
async function metrics(lab: Lab, router: string, id: string): Promise<number[]> {
  const { routerLinkStates } = await vtysh<RouterLinks>(lab, router, `show ip ospf database router ${id} json`);
  return Object.values(routerLinkStates.areas)
    .flat()
    .flatMap(({ routerLinks }) => Object.values(routerLinks))
    .filter(({ networkAddress }) => networkAddress === "10.64.0.0")
    .map(({ tos0Metric }) => tos0Metric);
}

async function vtysh<T>(lab: Lab, node: string, command: string): Promise<T> {
  const { stdout, stderr } = await lab.run(node, ["vtysh", "-c", command]);
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

async function ask<T>(lab: Lab, node: string, command: string): Promise<T> {
  return JSON.parse(await anyhome(lab, node, command, "-o", "json")) as T;
}

async function anyhome(lab: Lab, node: string, ...command: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await lab.run(node, ["anyhome", ...command]);
  // A status of 5 says that the member isn't ready, and is printed nevertheless.
  if (exitCode !== 0 && exitCode !== 5) throw new Error(`anyhome ${command.join(" ")} on ${node}: ${stderr}`);
  return stdout;
}
