/**
 * A home agent that can't serve attracts no traffic: whatever dies, r1 stops routing to it, and routes again when it is back. It
 * is FRR that says so, of what zebra has put into the kernel.
 */
import { expect, onTestFinished, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import type { RoutesView } from "../../src/adapters/api/routes.ts";
import { RouteWatch } from "../../src/lab/drill/route-watch.ts";
import { enter } from "../../src/lab/namespaces/namespace.ts";
import type { ProcessKind } from "../../src/lab/operations.ts";
import { installedNextHops } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";

const VICTIM = "ha2";
const VICTIM_ADDRESS = "10.1.0.12";

withLab("the route of a home agent", (lab) => {
  const nextHops = () => installedNextHops(lab, "r1");
  const routed = async () => (await nextHops()).includes(VICTIM_ADDRESS);
  const untilGone = () =>
    waitFor(async () => !(await routed()), { deadlineMs: 5_000, intervalMs: 10, what: "the route to leave r1's FIB" });
  const untilBack = () => waitFor(routed, { deadlineMs: 30_000, what: "the route to be in r1's FIB again" });

  test.for<[ProcessKind, NodeJS.Signals]>([
    ["daemon", "SIGKILL"],
    ["exabgp", "SIGKILL"],
    ["helper", "SIGKILL"],
    ["daemon", "SIGTERM"],
  ])("leaves r1's FIB when its %s gets %s, and comes back with it", async ([kind, signal], { annotate }) => {
    expect(await routed()).toBe(true);
    const since = performance.now();
    await lab.kill(VICTIM, kind, signal);
    await untilGone();
    await annotate(`${kind} ${signal} → seen to be out of the FIB: ${Math.round(performance.now() - since)} ms`);
    // ExaBGP and its helper are the daemon's to restart; the daemon is the operator's.
    if (kind === "daemon") {
      await waitFor(async () => !(await lab.processes(VICTIM)).some((running) => running.kind === "daemon"), {
        deadlineMs: 10_000,
        what: "the daemon to end",
      });
      await lab.start(VICTIM);
    }
    await untilBack();
  });

  test("leaves r1's FIB while the daemon hangs, and comes back when it goes on", async () => {
    await lab.kill(VICTIM, "daemon", "SIGSTOP");
    await untilGone();
    await lab.kill(VICTIM, "daemon", "SIGCONT");
    await untilBack();
  });

  /** Every change of r1's route from now on, however short. */
  async function watchRoutes(): Promise<RouteWatch> {
    const watch = await RouteWatch.start(enter(lab.place.namespace("r1"), []), lab.topology.virtualNetwork);
    onTestFinished(() => watch.stop());
    return watch;
  }

  test("stays when somebody takes the virtual address away, as the daemon brings it back", async () => {
    const [watch, since] = [await watchRoutes(), Date.now()];
    await lab.run(VICTIM, ["ip", "address", "delete", "10.64.0.1/32", "dev", "lo"]);
    await waitFor(
      async () => (await lab.run(VICTIM, ["ip", "address", "show", "dev", "lo"])).stdout.includes("10.64.0.1/32"),
      { deadlineMs: 10_000, what: "the virtual address to be back" },
    );
    expect(await routed()).toBe(true);
    expect(watch.goneAt(VICTIM_ADDRESS, since)).toBeUndefined();
  });

  test("stays with the others all along", async () => {
    const others = ["10.1.0.11", "10.1.0.13"];
    const [watch, since] = [await watchRoutes(), Date.now()];
    await lab.kill(VICTIM, "exabgp", "SIGKILL");
    await untilGone();
    expect(await nextHops()).toEqual(others);
    await untilBack();
    expect(watch.goneAt(VICTIM_ADDRESS, since)).toBeGreaterThan(since);
    for (const other of others) expect(watch.goneAt(other, since)).toBeUndefined();
  });

  test("is what `anyhome routes` says, with the session it goes by, and who else has one", async () => {
    const read = async (): Promise<RoutesView> =>
      JSON.parse((await lab.run(VICTIM, ["anyhome", "routes", "-o", "json"])).stdout);
    const routes = await waitFor(
      async () => {
        const view = await read();
        return view.neighbors[0]?.complete && view.view[0]?.announcers?.length === 3 && view;
      },
      { deadlineMs: 30_000, what: "the neighbor to be up, and to tell of all announcers" },
    );
    expect(routes).toMatchObject({
      type: "exabgp",
      speaker: "running",
      desired: [{ prefix: "10.64.0.0/12" }],
      applied: [{ prefix: "10.64.0.0/12" }],
      neighbors: [{ address: "10.1.0.1", state: "up", complete: true, accepted: { "10.64.0.0/12": true } }],
      view: [{ prefix: "10.64.0.0/12", announcers: ["ha1", "ha2", "ha3"] }],
    });
    const status: StatusView = JSON.parse((await lab.run(VICTIM, ["anyhome", "status", "-o", "json"])).stdout);
    expect(status).toMatchObject({ node: VICTIM, ready: true, alarms: [] });
  });
});
