/** Announcing to a real router, and every way to lose the announcement. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { labObstacle } from "../../src/lab/obstacle.ts";
import { AdvertiserRig, HOST, PREFIX, ROUTER, type StandIn } from "./advertiser-rig.ts";

const obstacle = await labObstacle();

describe.skipIf(obstacle !== undefined && !process.env.CI)("an ExaBGP advertiser beside an FRR router", () => {
  const rig = new AdvertiserRig();

  beforeAll(async () => {
    if (obstacle !== undefined) throw new Error(`the lab can't run here: ${obstacle}`);
    await rig.up();
  });
  afterEach(() => rig.clear());
  afterAll(() => rig.down());

  async function announced(options = {}): Promise<StandIn> {
    const standIn = await rig.start(options);
    standIn.set({ prefix: PREFIX });
    await rig.untilRouted();
    return standIn;
  }

  test("announces nothing before it is asked, though the session is up", async () => {
    const standIn = await rig.start();
    await standIn.until("a session", ({ neighbors }) => neighbors[0]?.state === "up");
    expect(standIn.status).toMatchObject({ speaker: "running", desired: [], applied: [] });
    expect(await rig.show(`bgp ipv4 unicast neighbors ${HOST} routes`)).toMatchObject({ routes: {} });
    expect(await rig.isRouted()).toBe(false);
  });

  test("announces what is set, and withdraws what is not any more", async ({ annotate }) => {
    const standIn = await rig.start();
    await standIn.until("a session", ({ neighbors }) => neighbors[0]?.state === "up");
    let since = Date.now();
    standIn.set({ prefix: PREFIX });
    await annotate(`announced → FIB: ${await rig.untilRouted(since)} ms`);
    expect(await rig.show(`ip route ${PREFIX}`)).toMatchObject({
      [PREFIX]: [{ protocol: "bgp", selected: true, installed: true, nexthops: [{ ip: HOST, fib: true }] }],
    });
    await standIn.until("the confirmation", ({ applied }) => applied.length === 1);

    since = Date.now();
    standIn.set();
    await annotate(`withdrawn → FIB: ${await rig.untilGone(since)} ms`);
    await standIn.until("the confirmation", ({ applied }) => applied.length === 0);
    expect(standIn.status?.neighbors).toMatchObject([{ address: ROUTER, state: "up" }]);
  });

  test("sends communities, MED and a prepended path, and replaces them without a withdrawal", async () => {
    const standIn = await announced();
    const changes = rig.changes;
    standIn.set({ prefix: PREFIX, communities: [[65535, 0]], med: 7, asPathPrepend: 2 });
    await standIn.until("the confirmation", ({ applied }) => applied[0]?.med === 7);
    await expect
      .poll(() => rig.show(`bgp ipv4 unicast ${PREFIX}`), { timeout: 5000 })
      .toMatchObject({
        paths: [
          { metric: 7, aspath: { string: "65011 65011 65011" }, community: { string: "graceful-shutdown" }, locPrf: 0 },
        ],
      });
    expect(rig.changes).toBe(changes);
  });

  test("loses the route when ExaBGP is killed, and gets it back", async ({ annotate }) => {
    const standIn = await announced();
    const since = Date.now();
    await rig.signal("exabgp", "SIGKILL");
    await annotate(`ExaBGP killed → FIB: ${await rig.untilGone(since)} ms`);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
    expect(standIn.status).toMatchObject({
      restarts: 1,
      lastError: expect.stringMatching("SIGKILL|closed its connection"),
    });
  });

  test("loses the route when the helper is killed, and gets it back", async ({ annotate }) => {
    const standIn = await announced();
    const since = Date.now();
    await rig.signal("helper", "SIGKILL");
    await annotate(`helper killed → FIB: ${await rig.untilGone(since)} ms`);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
    expect(standIn.status).toMatchObject({ restarts: 1, lastError: "the helper closed its connection" });
  });

  test("loses the route when the daemon is killed; no process is left, and a new daemon gets it back", async ({
    annotate,
  }) => {
    const standIn = await announced();
    const since = Date.now();
    standIn.signal("SIGKILL");
    await annotate(`daemon killed → FIB: ${await rig.untilGone(since)} ms`);
    await expect.poll(() => rig.processes(), { timeout: 5000 }).toEqual([]);

    await announced();
  });

  test("loses the route while the daemon is stopped, and gets it back when it goes on", async ({ annotate }) => {
    const standIn = await announced();
    let since = Date.now();
    standIn.signal("SIGSTOP");
    await annotate(`daemon stopped → FIB: ${await rig.untilGone(since)} ms`);
    const speaker = await rig.pid("exabgp");
    since = Date.now();
    standIn.signal("SIGCONT");
    await annotate(`daemon goes on → FIB: ${await rig.untilRouted(since)} ms`);
    expect(standIn.events.map(({ event }) => event)).toContain("announcement-lapsed");
    expect(await rig.pid("exabgp")).toBe(speaker);
  });

  test("loses the route when the helper is killed while the daemon is stopped", async ({ annotate }) => {
    const standIn = await announced();
    const since = Date.now();
    standIn.signal("SIGSTOP");
    await rig.signal("helper", "SIGKILL");
    await annotate(`daemon stopped, then helper killed → FIB: ${await rig.untilGone(since)} ms`);
    standIn.signal("SIGCONT");
    await rig.untilRouted();
  });

  test("an ExaBGP that hangs is killed and started again", async ({ annotate }) => {
    const standIn = await announced();
    const since = Date.now();
    await rig.signal("exabgp", "SIGSTOP");
    await annotate(`ExaBGP stopped → FIB: ${await rig.untilGone(since, 15_000)} ms`);
    await annotate(`… and back: ${await rig.untilRouted(since)} ms`);
    expect(standIn.status?.restarts).toBe(1);
  });

  test("a helper that hangs is replaced, together with its ExaBGP", async ({ annotate }) => {
    const standIn = await announced();
    const helper = await rig.pid("helper");
    const since = Date.now();
    await rig.signal("helper", "SIGSTOP");
    await standIn.until("another ExaBGP", ({ restarts, speaker }) => restarts === 1 && speaker === "running");
    await annotate(`helper stopped → replaced: ${Date.now() - since} ms`);
    expect(await rig.pid("helper")).not.toBe(helper);
    await rig.untilRouted();
  });

  test("a withdrawal while the session is down holds when it comes back", async () => {
    const standIn = await announced();
    await rig.configure("router bgp 65001", `neighbor ${HOST} shutdown`);
    await rig.untilGone();
    await standIn.until("the end of the session", ({ neighbors }) => neighbors[0]?.state === "down");
    standIn.set();
    await standIn.until("the confirmation", ({ applied }) => applied.length === 0);
    const changes = rig.changes;
    await rig.configure("router bgp 65001", `no neighbor ${HOST} shutdown`);
    await standIn.until("a session", ({ neighbors }) => neighbors[0]?.state === "up");
    expect(await rig.show(`bgp ipv4 unicast neighbors ${HOST} routes`)).toMatchObject({ routes: {} });
    expect(rig.changes).toBe(changes);
  });

  test("what a helper announced is taken back by the next one, also while the session is down", async () => {
    const standIn = await announced();
    await rig.configure("router bgp 65001", `neighbor ${HOST} shutdown`);
    await rig.untilGone();
    const changes = rig.changes;
    // A running daemon would end ExaBGP at once.
    standIn.signal("SIGSTOP");
    const first = await rig.pid("helper");
    await rig.signal("helper", "SIGKILL");
    await expect.poll(() => rig.pid("helper").catch(() => first), { timeout: 5000 }).not.toBe(first);
    await rig.configure("router bgp 65001", `no neighbor ${HOST} shutdown`);
    await expect
      .poll(() => rig.show(`bgp neighbors ${HOST}`), { timeout: 30_000 })
      .toMatchObject({ [HOST]: { bgpState: "Established" } });
    expect(await rig.show(`bgp ipv4 unicast neighbors ${HOST} routes`)).toMatchObject({ routes: {} });
    expect(rig.changes).toBe(changes);
  });

  test("is back soon after a router that was gone without a word", async ({ annotate }) => {
    const standIn = await announced({ sessionPatienceMs: 5000 });
    await rig.crashRouter();
    await standIn.until("a restart for want of a session", ({ lastError = "" }) =>
      lastError.includes("no BGP session"),
    );
    await rig.setLink("up");
    const since = Date.now();
    await rig.startRouter();
    await annotate(`router started → FIB: ${await rig.untilRouted(since, 30_000)} ms`);
  });

  test("stops by withdrawing, and leaves no process", async ({ annotate }) => {
    const standIn = await announced();
    const since = Date.now();
    standIn.stop();
    await annotate(`stopped → FIB: ${await rig.untilGone(since)} ms`);
    expect(await standIn.exited).toBe(0);
    expect(standIn.status).toMatchObject({ speaker: "stopped", applied: [] });
    expect(await rig.processes()).toEqual([]);
  });

  test("speaks with routers that sign with TCP MD5", async () => {
    const key = "s3cret\"with\\odd'bytes";
    await rig.configure("router bgp 65001", `neighbor ${HOST} password ${key}`);
    try {
      await announced({ neighbors: [{ address: ROUTER, as: 65001, md5Key: key }] });
    } finally {
      await rig.clear();
      await rig.configure("router bgp 65001", `no neighbor ${HOST} password`);
    }
  });
});
