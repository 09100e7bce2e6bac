/** Members come and go by configuration while the cluster runs, and learn of it one after the other. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "./test-cluster.ts";

const THREE = ["ha1", "ha2", "ha3"];
const FOUR = [...THREE, "ha4"];

const identityOf = (homeAddress: string) => ({ homeAddress: ipv4(homeAddress), nai: undefined });

/** A new member, which all others have been told of, has caught up. */
function grown(cluster: TestCluster): void {
  cluster.add("ha4", FOUR);
  for (const id of THREE) cluster.reload(id, FOUR);
  cluster.passTime(2000);
}

/** Who says that it owns the mobile, and with which registration. */
function owners(cluster: TestCluster, ids: readonly string[], homeAddress: string) {
  return ids.flatMap((id) => {
    const row = cluster.agent(id).findBinding(identityOf(homeAddress));
    return row?.ownership.owner === id ? [{ id, identification: row.registration.identification }] : [];
  });
}

describe("an added member", () => {
  test("is heard, backs others up, and is home of its share", () => {
    const cluster = new TestCluster(3);
    grown(cluster);
    for (const id of THREE) expect(cluster.count(id, "event member-alive")).toBe(3);
    expect([...cluster.agent("ha4").peers].map(({ state }) => state)).toEqual(["alive", "alive", "alive"]);

    const homeAddress = cluster.homeAddressRanked("ha4", "ha1");
    expect(cluster.register("ha2", { homeAddress })?.reply.code).toBe(0);
    expect(owners(cluster, FOUR, homeAddress).map(({ id }) => id)).toEqual(["ha4"]);
    const backedUp = cluster.homeAddressRanked("ha1", "ha4");
    expect(cluster.register("ha2", { homeAddress: backedUp })?.reply.code).toBe(0);
    expect(cluster.agent("ha4").findBinding(identityOf(backedUp))?.ownership.owner).toBe("ha1");
  });

  test("is the backup of the ingress that it is the next of", () => {
    const cluster = new TestCluster(3);
    grown(cluster);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2");
    expect(cluster.register("ha3", { homeAddress })?.reply.code).toBe(0);
    expect(cluster.count("ha3", "temporaries-copied ha4")).toBe(1);
  });

  test("learns where the mobiles are that it is home of now: none gets a second owner", () => {
    const cluster = new TestCluster(3, { copies: 1 });
    const mobiles = cluster.homeAddressesRanked(20, "ha1");
    for (const homeAddress of mobiles) cluster.register("ha2", { homeAddress });
    grown(cluster);
    for (const homeAddress of mobiles) {
      expect(cluster.register("ha4", { homeAddress })?.reply.code).toBe(0);
      expect(owners(cluster, FOUR, homeAddress)).toHaveLength(1);
    }
    expect(cluster.agent("ha4").counts.owned).toBe(0);
  });

  test("that some have not been told of yet costs nothing that was accepted", () => {
    const cluster = new TestCluster(3);
    const homeAddress = "10.64.1.7";
    cluster.add("ha4", FOUR);
    cluster.reload("ha1", FOUR);
    cluster.passTime(1000);
    // Either side may take the mobile for one of its own.
    cluster.register("ha4", { homeAddress });
    cluster.register("ha3", { homeAddress });
    const last = cluster.register("ha4", { homeAddress });
    expect(last?.reply.code).toBe(0);
    cluster.reload("ha2", FOUR);
    cluster.reload("ha3", FOUR);
    cluster.passTime(2000);
    expect(owners(cluster, FOUR, homeAddress).map(({ identification }) => identification)).toEqual([
      last?.reply.identification,
    ]);
  });
});

describe("a removed member's bindings", () => {
  test("are taken over at once, without waiting for its silence", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha4", "ha1");
    const accepted = cluster.register("ha2", { homeAddress });
    cluster.kill("ha4");
    for (const id of THREE) cluster.reload(id, THREE);
    cluster.passTime(100, 10);
    const [owner] = owners(cluster, THREE, homeAddress);
    expect(owner?.identification).toBe(accepted?.reply.identification);
    expect(cluster.register("ha3", { homeAddress })?.reply.code).toBe(0);
  });

  test("and requests that it had relayed are dealt with alike: its backup answers these", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2");
    cluster.commitAtOnce = false;
    cluster.register("ha3", { homeAddress });
    cluster.kill("ha3");
    cluster.commitAtOnce = true;
    for (const id of ["ha1", "ha2", "ha4"]) cluster.commit(id);
    for (const id of ["ha1", "ha2", "ha4"]) cluster.reload(id, ["ha1", "ha2", "ha4"]);
    cluster.passTime(100, 10);
    expect(cluster.replies).toMatchObject([{ from: "ha4", reply: { code: 0 } }]);
  });

  test("stay with the others when it still runs: nothing of it is believed", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha4", "ha1");
    cluster.register("ha2", { homeAddress });
    for (const id of THREE) cluster.reload(id, THREE);
    cluster.passTime(1500);
    expect(cluster.count("ha1", "frames-rejected unknown-sender")).toBeGreaterThan(0);
    const last = cluster.register("ha1", { homeAddress });
    expect(last?.reply.code).toBe(0);
    expect(owners(cluster, THREE, homeAddress).map(({ identification }) => identification)).toEqual([
      last?.reply.identification,
    ]);
    for (const id of THREE) expect([...cluster.agent(id).peers].map((peer) => peer.id)).not.toContain("ha4");
  });

  test("are as safe as all others afterwards", () => {
    const cluster = new TestCluster(4);
    const mobiles = Array.from({ length: 30 }, (_, index) => `10.64.1.${index + 1}`);
    for (const homeAddress of mobiles) cluster.register("ha1", { homeAddress });
    cluster.kill("ha4");
    for (const id of THREE) cluster.reload(id, THREE);
    cluster.passTime(2000);
    cluster.kill("ha1");
    cluster.passTime(2500);
    for (const homeAddress of mobiles) expect(owners(cluster, ["ha2", "ha3"], homeAddress)).toHaveLength(1);
  });

  test("that are found in the store of a member that starts without it are taken over, too", () => {
    const cluster = new TestCluster(4, { copies: 1 });
    const homeAddress = cluster.homeAddressRanked("ha4", "ha1");
    cluster.register("ha4", { homeAddress });
    cluster.kill("ha4");
    cluster.kill("ha1");
    for (const id of ["ha2", "ha3"]) cluster.reload(id, THREE);
    cluster.forget("ha1", "ha4");
    cluster.restart("ha1");
    cluster.passTime(2500);
    expect(owners(cluster, THREE, homeAddress)).toHaveLength(1);
  });
});

test("a member that was removed by mistake is believed again when it is added again, without a restart", () => {
  const cluster = new TestCluster(3);
  cluster.reload("ha1", ["ha1", "ha2"]);
  cluster.passTime(2000);
  cluster.reload("ha1", THREE);
  cluster.passTime(1000);
  for (const id of THREE) expect([...cluster.agent(id).peers].map(({ state }) => state)).toEqual(["alive", "alive"]);
});

test("whatever the order in which members learn of a change, each mobile ends with one owner and its last registration", () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant("register" as const),
      ingress: fc.constantFrom(...FOUR),
      mobile: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({ type: fc.constant("reload" as const), id: fc.constantFrom(...FOUR), to: fc.constantFrom(THREE, FOUR) }),
    fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(100, 400, 1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.constantFrom(1, 2), (steps, copies) => {
      const cluster = new TestCluster(4, { copies });
      const last = new Map<string, bigint>();
      for (const action of steps) {
        if (action.type === "pass") cluster.passTime(action.ms);
        else if (action.type === "reload") {
          // Nobody runs with a configuration that it isn't in.
          if (action.id !== "ha4") cluster.reload(action.id, action.to);
        } else {
          const homeAddress = `10.64.1.${action.mobile}`;
          const reply = cluster.register(action.ingress, { homeAddress })?.reply;
          // A degraded one is promised to nobody; its lifetime says so.
          if (reply?.code === 0 && reply.lifetimeSeconds === 600) last.set(homeAddress, reply.identification);
        }
      }
      for (const id of THREE) cluster.reload(id, FOUR);
      cluster.passTime(12_000, 200);
      for (const [homeAddress, identification] of last) {
        const found = owners(cluster, FOUR, homeAddress);
        expect(found).toHaveLength(1);
        expect(found[0]?.identification).toBeGreaterThanOrEqual(identification);
      }
    }),
    { numRuns: 100 },
  );
});

describe("members that have different members in mind", () => {
  test("tell of it after some seconds, and no longer once they have read the same", () => {
    const cluster = new TestCluster(3);
    cluster.reload("ha1", ["ha1", "ha2"]);
    cluster.passTime(4000);
    expect(cluster.agent("ha1").peer("ha2")?.hasOtherMembers).toBe(false);
    cluster.passTime(2000);
    expect(cluster.agent("ha1").peer("ha2")?.hasOtherMembers).toBe(true);
    expect(cluster.agent("ha2").peer("ha1")?.hasOtherMembers).toBe(true);
    expect(cluster.agent("ha2").peer("ha3")?.hasOtherMembers).toBe(false);
    expect(cluster.count("ha1", "members-differing ha2")).toBe(1);
    expect(cluster.events).toContainEqual({ on: "ha2", event: "members-differ", member: "ha1" });
    cluster.reload("ha2", ["ha1", "ha2"]);
    cluster.passTime(400);
    expect(cluster.agent("ha1").peer("ha2")?.hasOtherMembers).toBe(false);
  });
});
