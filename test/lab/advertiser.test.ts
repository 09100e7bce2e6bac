/** Announcing to a real router, and every way to lose the announcement. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AdvertiserStatus } from "../../src/adapters/advertiser/advertiser.ts";
import { announcersOf, isAccepted, othersAnnouncing } from "../../src/adapters/advertiser/routing-view.ts";
import { type Ipv4Prefix, ipv4, parsePrefix } from "../../src/core/wire/ipv4.ts";
import { labObstacle } from "../../src/lab/obstacle.ts";
import { AdvertiserRig, HOST, OTHER_HOST, PREFIX, ROUTER, type StandIn } from "./advertiser-rig.ts";

const obstacle = await labObstacle();

/** A second home agent, on an address of its own. */
const OTHER = { localAddress: OTHER_HOST, localAs: 65012 };

function prefixOf(text: string): Ipv4Prefix {
  const prefix = parsePrefix(text);
  if (!prefix) throw new TypeError(`no prefix: ${text}`);
  return prefix;
}

function inAddressFamily(command: string): string[] {
  return ["router bgp 65001", "address-family ipv4 unicast", command];
}

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

  test("each neighbor has attributes of its own, and the member's mark; each prefix is announced", async () => {
    const address = "10.64.0.1/32";
    const standIn = await rig.start({
      neighbors: [{ address: ROUTER, as: 65001, communities: [[65011, 7]], med: 4_294_967_295, asPathPrepend: 1 }],
    });
    standIn.set({ prefix: PREFIX, communities: [[65535, 0]], asPathPrepend: 1 }, { prefix: address, med: 3 });
    await rig.untilRouted();
    const shown = (prefix: string) => expect.poll(() => rig.show(`bgp ipv4 unicast ${prefix}`), { timeout: 5000 });
    const largeCommunity = { string: `65011:434:${ipv4(HOST)}` };
    await shown(PREFIX).toMatchObject({
      paths: [
        {
          metric: 4_294_967_295,
          aspath: { string: "65011 65011 65011" },
          community: { list: ["65011:7", "gracefulShutdown"] },
          largeCommunity,
        },
      ],
    });
    await shown(address).toMatchObject({
      paths: [{ metric: 3, aspath: { string: "65011 65011" }, community: { list: ["65011:7"] }, largeCommunity }],
    });
  });

  test("sees its own route come back from the router that has accepted it, and only then", async () => {
    const standIn = await announced();
    const accepted = ({ view }: AdvertiserStatus) => isAccepted(view, ROUTER, prefixOf(PREFIX));
    await standIn.until("the echo", (status) => accepted(status) === true);
    expect(standIn.status?.view.paths).toMatchObject([
      { neighbor: ROUTER, announcer: "ha1", isEcho: true, attributes: { asPath: [65001, 65011] } },
    ]);
    standIn.set();
    await standIn.until("the end of the echo", ({ view }) => view.paths.length === 0);

    await rig.configure("ip prefix-list NONE seq 5 deny any", ...inAddressFamily(`neighbor HA prefix-list NONE in`));
    try {
      standIn.set({ prefix: PREFIX });
      await standIn.until("the confirmation", ({ applied }) => applied.length === 1);
      // Nothing changes any more by which the process would speak: it is asked to.
      await expect.poll(() => standIn.ask().then(accepted), { timeout: 10_000 }).toBe(false);
    } finally {
      await rig.configure(...inAddressFamily(`no neighbor HA prefix-list NONE in`));
    }
  });

  test("sees who else announces, also those that the router doesn't prefer, and that they stop", async () => {
    const standIn = await announced();
    const announcers = ({ view }: AdvertiserStatus) => announcersOf(view, prefixOf(PREFIX))?.toSorted().join();
    const other = await rig.start(OTHER);
    other.set({ prefix: PREFIX, asPathPrepend: 3 });
    await standIn.until("the other member", (status) => announcers(status) === "ha1,ha2");
    await other.until("both members", (status) => announcers(status) === "ha1,ha2");
    other.signal("SIGKILL");
    await standIn.until("the end of the other member", (status) => announcers(status) === "ha1");
  });

  test("knows nothing of others from a router that only sends its best path", async () => {
    await rig.configure(...inAddressFamily("no neighbor HA addpath-tx-all-paths"));
    try {
      const standIn = await announced();
      await standIn.until("a session", ({ neighbors }) => neighbors[0]?.state === "up");
      const sessionAgeMs = () => Date.now() - (standIn.status?.neighbors[0]?.sinceMs ?? Date.now());
      await expect.poll(sessionAgeMs, { timeout: 10_000 }).toBeGreaterThan(4000);
      const { view } = await standIn.ask();
      expect(view).toMatchObject({ complete: [], isComplete: false });
      // The best path is our own.
      expect(announcersOf(view, prefixOf(PREFIX))).toEqual(["ha1"]);
      expect(othersAnnouncing(view, prefixOf(PREFIX), "ha1")).toBeUndefined();
    } finally {
      await rig.configure(...inAddressFamily("neighbor HA addpath-tx-all-paths"));
    }
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
