/** An ExaBGP that somebody else runs beside the daemon: every way to lose the announcement, and to get it back. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { labObstacle } from "../../src/lab/obstacle.ts";
import { AdvertiserRig, HOST, PREFIX, ROUTER, type StandIn } from "./advertiser-rig.ts";

const obstacle = await labObstacle();

describe.skipIf(obstacle !== undefined && !process.env.CI)("an ExaBGP as a sidecar", () => {
  const rig = new AdvertiserRig();

  beforeAll(async () => {
    if (obstacle !== undefined) throw new Error(`the lab can't run here: ${obstacle}`);
    await rig.up();
  });
  afterEach(() => rig.clear());
  afterAll(() => rig.down());

  async function announced(): Promise<StandIn> {
    const standIn = await rig.start({ sidecar: { group: "exabgp" } });
    standIn.set({ prefix: PREFIX });
    await rig.untilRouted();
    return standIn;
  }

  test("announces what is set, whichever of the two is started first, and sees what the router has", async () => {
    rig.startSidecar();
    const standIn = await announced();
    expect(standIn.status).toMatchObject({ speaker: "running", restarts: 0 });
    expect(standIn.status).not.toHaveProperty("pid");
    expect(await rig.show(`ip route ${PREFIX}`)).toMatchObject({
      [PREFIX]: [{ protocol: "bgp", selected: true, installed: true, nexthops: [{ ip: HOST, fib: true }] }],
    });
    await standIn.until("the echo", ({ view }) => view.paths.some(({ isEcho }) => isEcho));
    standIn.set();
    await rig.untilGone();
    expect(standIn.status?.neighbors).toMatchObject([{ address: ROUTER, state: "up" }]);
  });

  test("loses the route when the daemon is killed, stays, and announces for the next daemon", async ({ annotate }) => {
    rig.startSidecar();
    const standIn = await announced();
    const speaker = await rig.pid("exabgp");
    const since = Date.now();
    standIn.signal("SIGKILL");
    await annotate(`daemon killed → FIB: ${await rig.untilGone(since)} ms`);
    const next = await announced();
    expect(await rig.pid("exabgp")).toBe(speaker);
    await next.until("what its helper has kept for it", ({ view, neighbors }) => {
      return neighbors[0]?.state === "up" && view.paths.some(({ isEcho }) => isEcho);
    });
  });

  test("loses the route while the daemon hangs, and gets it back when it goes on", async ({ annotate }) => {
    rig.startSidecar();
    const standIn = await announced();
    const since = Date.now();
    standIn.signal("SIGSTOP");
    await annotate(`daemon stopped → FIB: ${await rig.untilGone(since)} ms`);
    standIn.signal("SIGCONT");
    await rig.untilRouted();
  });

  test("loses the route when ExaBGP is killed, and gets it back from the one that its supervisor starts", async ({
    annotate,
  }) => {
    rig.startSidecar();
    const standIn = await announced();
    const since = Date.now();
    await rig.signal("exabgp", "SIGKILL");
    await annotate(`ExaBGP killed → FIB: ${await rig.untilGone(since)} ms`);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
    expect(standIn.status?.lastError).toBe("the helper closed its connection");
    // On a busy machine the next helper may be late for its lease, and be replaced as well.
    expect(standIn.status?.restarts).toBeGreaterThanOrEqual(1);
  });

  test("loses the route when ExaBGP hangs, as its helper kills it", async ({ annotate }) => {
    rig.startSidecar();
    await announced();
    const since = Date.now();
    await rig.signal("exabgp", "SIGSTOP");
    await annotate(`ExaBGP stopped → FIB: ${await rig.untilGone(since, 15_000)} ms`);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
  });

  test("is replaced when its helper is killed: the next helper doesn't know what routers have said", async ({
    annotate,
  }) => {
    rig.startSidecar();
    const standIn = await announced();
    const speaker = await rig.pid("exabgp");
    const since = Date.now();
    await rig.signal("helper", "SIGKILL");
    await annotate(`helper killed → FIB: ${await rig.untilGone(since)} ms`);
    await expect.poll(() => rig.pid("exabgp").catch(() => speaker), { timeout: 15_000 }).not.toBe(speaker);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
    await standIn.until("the echo", ({ view }) => view.paths.some(({ isEcho }) => isEcho));
  });

  test("is replaced when the next daemon wants another configuration", async () => {
    rig.startSidecar();
    const standIn = await announced();
    const speaker = await rig.pid("exabgp");
    standIn.signal("SIGKILL");
    await rig.untilGone();
    const next = await rig.start({
      sidecar: { group: "exabgp" },
      neighbors: [
        { address: ROUTER, as: 65001, med: 9 },
        { address: "192.0.2.99", as: 65099 },
      ],
    });
    next.set({ prefix: PREFIX });
    await rig.untilRouted();
    expect(await rig.pid("exabgp")).not.toBe(speaker);
    expect(await rig.show(`bgp ipv4 unicast ${PREFIX}`)).toMatchObject({ paths: [{ metric: 9 }] });
  });
});
