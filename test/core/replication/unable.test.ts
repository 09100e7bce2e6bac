/** A member whose disk has failed or hangs is alive, and unable: what it owns is served by those who hold copies of it. */
import { describe, expect, it, test } from "vitest";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "../home-agent/test-cluster.ts";

/** Longer than a write is waited for, and than a heartbeat takes. */
const NOTICED_MS = 1300;

const DISKS = [
  { what: "fails", strike: (cluster: TestCluster, id: string) => cluster.breakDisk(id) },
  { what: "hangs", strike: (cluster: TestCluster, id: string) => cluster.hangDisk(id) },
] as const;

describe.each(DISKS)("while the owner's disk $what", ({ strike }) => {
  it("its mobiles are served by their backups, whichever member their requests come in at", () => {
    const cluster = new TestCluster(3);
    const homeAddresses = cluster.homeAddressesRanked(6, "ha1");
    for (const homeAddress of homeAddresses) cluster.register("ha1", { homeAddress });
    strike(cluster, "ha1");
    for (const [index, homeAddress] of homeAddresses.entries()) {
      const before = cluster.replies.length;
      cluster.datagram(["ha1", "ha2", "ha3"][index % 3] ?? "", cluster.request({ homeAddress }));
      cluster.passTime(NOTICED_MS);
      expect(cluster.replies.slice(before).map(({ reply }) => reply.code)).toEqual([0]);
      expect(cluster.replies.at(-1)?.reply.lifetimeSeconds).toBe(600);
    }
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it("mobiles that nobody asks for are handed over as well, to the backups in equal parts", () => {
    const cluster = new TestCluster(3);
    const homeAddresses = cluster.homeAddressesRanked(40, "ha1");
    for (const homeAddress of homeAddresses) cluster.register("ha2", { homeAddress });
    const owned = cluster.agent("ha1").counts.owned;
    strike(cluster, "ha1");
    cluster.datagram("ha1", cluster.request({ homeAddress: homeAddresses[0] ?? "" }));
    cluster.passTime(NOTICED_MS + 500);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
    const [two, three] = ["ha2", "ha3"].map((id) => cluster.agent(id).counts.owned);
    expect((two ?? 0) + (three ?? 0)).toBe(40);
    expect(Math.abs((two ?? 0) - (three ?? 0))).toBeLessThanOrEqual(40 - owned + 1);
  });

  it("a request that had been accepted and not been answered is answered by who takes the mobile over", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1");
    cluster.hangDisk("ha1");
    cluster.datagram("ha2", cluster.request({ homeAddress }));
    expect(cluster.replies).toEqual([]);
    strike(cluster, "ha1");
    cluster.passTime(NOTICED_MS);
    expect(cluster.replies).toMatchObject([{ from: "ha2", reply: { code: 0, lifetimeSeconds: 600 } }]);
  });

  it("it gets no new mobiles, and no takeover is decided by it", () => {
    const cluster = new TestCluster(4);
    strike(cluster, "ha1");
    const rankedFirst = cluster.homeAddressesRanked(10, "ha1");
    cluster.register("ha1", { homeAddress: rankedFirst[0] ?? "" });
    cluster.passTime(NOTICED_MS);
    for (const homeAddress of rankedFirst) expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
    const rankedSecond = cluster.homeAddressesRanked(10, "ha2", "ha1");
    for (const homeAddress of rankedSecond) cluster.register("ha3", { homeAddress });
    cluster.kill("ha2");
    cluster.passTime(3000);
    for (const homeAddress of [...rankedFirst, ...rankedSecond])
      expect(cluster.register("ha3", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(0);
  });

  it("and nobody else can store, it is asked as ever", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1");
    cluster.register("ha1", { homeAddress });
    for (const id of ["ha2", "ha3", "ha1"]) cluster.breakDisk(id);
    cluster.passTime(NOTICED_MS);
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(130);
    for (const id of ["ha1", "ha2", "ha3"]) cluster.mendDisk(id);
    cluster.passTime(400);
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.agent("ha1").counts.owned).toBe(1);
  });

  it("what it held is on its disk once that works again, and all copies are equal", () => {
    const cluster = new TestCluster(3);
    const homeAddresses = cluster.homeAddressesRanked(5, "ha1");
    for (const homeAddress of homeAddresses) cluster.register("ha1", { homeAddress });
    strike(cluster, "ha1");
    for (const homeAddress of homeAddresses) cluster.datagram("ha3", cluster.request({ homeAddress }));
    cluster.passTime(NOTICED_MS);
    cluster.mendDisk("ha1");
    cluster.passTime(1000);
    for (const homeAddress of homeAddresses) {
      const [one, ...others] = ["ha1", "ha2", "ha3"].map((id) =>
        cluster.agent(id).findBinding({ homeAddress: ipv4(homeAddress), nai: undefined }),
      );
      expect(one).toBeDefined();
      for (const other of others) expect(other).toEqual(one);
      expect([...cluster.diskRows("ha1").keys()]).toContain(`binding ip:${homeAddress}`);
    }
  });
});

test("a disk that works again is able, also where what it has lost is not written again", () => {
  const cluster = new TestCluster(5);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3", "ha4", "ha5");
  cluster.hangDisk("ha5");
  // As the ingress it notes where the mobile is, which is not promised to anybody.
  cluster.register("ha5", { homeAddress });
  cluster.breakDisk("ha5");
  cluster.mendDisk("ha5");
  cluster.passTime(200);
  cluster.mendDisk("ha5");
  cluster.passTime(NOTICED_MS + 500);
  expect(cluster.count("ha1", "event member-unable")).toBe(1);
  expect(cluster.count("ha1", "event member-stores")).toBe(1);
});

describe("a disk that is only slow", () => {
  it("keeps its mobiles", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1");
    cluster.hangDisk("ha1");
    cluster.datagram("ha1", cluster.request({ homeAddress }));
    cluster.passTime(900);
    cluster.mendDisk("ha1");
    expect(cluster.replies).toMatchObject([{ from: "ha1", reply: { code: 0 } }]);
    cluster.passTime(NOTICED_MS);
    expect(cluster.agent("ha1").counts.owned).toBe(1);
  });

  it("and has much to write is not taken for one that hangs, as long as it gets on", () => {
    const cluster = new TestCluster(3);
    const homeAddresses = cluster.homeAddressesRanked(20, "ha1");
    cluster.hangDisk("ha1");
    for (const homeAddress of homeAddresses) cluster.datagram("ha1", cluster.request({ homeAddress }));
    for (let passed = 0; passed < 3000; passed += 500) {
      cluster.commit("ha1", 1);
      cluster.passTime(500);
    }
    expect(cluster.agent("ha1").counts.owned).toBeGreaterThan(0);
    expect(cluster.count("ha2", "event member-unable")).toBe(0);
  });

  it("is not taken for one that hangs by a member that stood still itself", () => {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1");
    cluster.hangDisk("ha1");
    cluster.datagram("ha1", cluster.request({ homeAddress }));
    cluster.passTime(100);
    cluster.wallMs += 1500;
    cluster.monotonicMs += 1500;
    cluster.input("ha1", { type: "stalled" });
    cluster.mendDisk("ha1");
    cluster.passTime(NOTICED_MS);
    expect(cluster.agent("ha1").counts.owned).toBe(1);
  });
});
