/** How long a mobile that has gone is remembered: no longer than is needed, and long enough for whatever may come back. */
import { describe, expect, test } from "vitest";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "../home-agent/test-cluster.ts";

const IDS = ["ha1", "ha2", "ha3", "ha4", "ha5"];
const LIFETIME_SECONDS = 1800;
/** Twice the window of timestamps, and as much as clocks may differ: a request of that age is refused by its timestamp. */
const REPLAYABLE_MS = 44_000;
/** Rows are looked at once a second. */
const SLACK_MS = 2000;
/** Long after all that a replay needs, long before the binding would have ended. */
const AWAY_MS = 200_000;

/** A mobile that has been registered by ha1, its owner, with copies on ha2 and ha3. */
function registered() {
  const cluster = new TestCluster(IDS.length);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  const register = (ingress: string) =>
    expect(cluster.register(ingress, { homeAddress, lifetime: LIFETIME_SECONDS })?.reply.code).toBe(0);
  const deregister = (ingress: string) =>
    expect(cluster.register(ingress, { homeAddress, lifetime: 0, careOfAddress: homeAddress })?.reply.code).toBe(0);
  const expectGone = () => {
    for (const id of IDS)
      expect(cluster.agent(id).findBinding(identity)?.registration.careOfAddresses ?? [], id).toEqual([]);
  };
  const remembering = () =>
    IDS.filter((id) => cluster.agent(id).findBinding(identity) ?? cluster.agent(id).findLocation(identity));
  return { cluster, register, deregister, expectGone, remembering };
}

describe("where all who had a copy know that a mobile has gone", () => {
  test("it is remembered for as long as a replay of its last request could be accepted, by whoever relayed it as well", () => {
    const { cluster, register, deregister, remembering } = registered();
    register("ha5");
    deregister("ha5");
    cluster.passTime(REPLAYABLE_MS - SLACK_MS, 200);
    expect(remembering()).toEqual(["ha1", "ha2", "ha3", "ha5"]);
    cluster.passTime(2 * SLACK_MS, 200);
    expect(remembering()).toEqual([]);
    expect([...cluster.diskRows("ha1").keys()]).toEqual([]);
  });

  test("its home, which has no copy and counts on the tombstone, is told", () => {
    const cluster = new TestCluster(IDS.length);
    const mobile = {
      nai: cluster.naiRanked("ha1", "ha2"),
      homeAddress: cluster.homeAddressRanked("ha4", "ha5", "ha2"),
    };
    const known = (id: string) =>
      cluster.agent(id).findLocation({ nai: mobile.nai, homeAddress: ipv4(mobile.homeAddress) })?.owner;
    expect(cluster.register("ha3", { ...mobile, lifetime: LIFETIME_SECONDS })?.reply.code).toBe(0);
    const gone = { ...mobile, lifetime: 0, careOfAddress: mobile.homeAddress };
    expect(cluster.register("ha3", gone)?.reply.code).toBe(0);
    cluster.passTime(REPLAYABLE_MS - SLACK_MS, 200);
    expect(known("ha1")).toBe("ha4");
    cluster.passTime(2 * SLACK_MS, 200);
    expect(IDS.map(known)).toEqual(IDS.map(() => undefined));
  });

  test("so is one that has registered since a member was away that might have had a copy", () => {
    const { cluster, register, deregister, remembering } = registered();
    cluster.kill("ha3");
    cluster.restart("ha3");
    cluster.passTime(12_000, 200);
    register("ha1");
    deregister("ha1");
    cluster.passTime(REPLAYABLE_MS + SLACK_MS, 200);
    expect(remembering()).toEqual([]);
  });

  test("a backup that has not acknowledged it is waited for", () => {
    const { cluster, register, deregister, remembering } = registered();
    register("ha1");
    cluster.hangDisk("ha3");
    deregister("ha1");
    cluster.passTime(REPLAYABLE_MS + 10_000, 200);
    expect(remembering()).toContain("ha1");
    cluster.mendDisk("ha3");
    cluster.passTime(10_000, 200);
    expect(remembering()).toEqual([]);
  });
});

describe("a mobile that has gone stays gone", () => {
  test.each(["ha2", "ha3", "ha4"])("when %s comes back, which was away when it went", (away) => {
    const { cluster, register, deregister, expectGone } = registered();
    register("ha4");
    cluster.kill(away);
    deregister("ha1");
    cluster.passTime(AWAY_MS, 200);
    cluster.restart(away);
    cluster.passTime(15_000, 200);
    expectGone();
  });

  test("when a member comes back that has been a backup, and was replaced before it went", () => {
    const { cluster, register, deregister, expectGone } = registered();
    register("ha1");
    cluster.kill("ha3");
    cluster.passTime(5000, 200);
    register("ha1");
    deregister("ha1");
    cluster.passTime(AWAY_MS, 200);
    cluster.restart("ha3");
    cluster.passTime(15_000, 200);
    expectGone();
  });

  test("when its owner comes back, which had no longer been one", () => {
    const { cluster, register, deregister, expectGone } = registered();
    register("ha1");
    cluster.kill("ha1");
    cluster.passTime(5000, 200);
    deregister("ha5");
    cluster.passTime(AWAY_MS, 200);
    cluster.restart("ha1");
    cluster.passTime(15_000, 200);
    expectGone();
  });

  test("when a partition ends, on whose other side it had come to this one from", () => {
    const { cluster, register, deregister, expectGone } = registered();
    for (const one of ["ha1", "ha2"]) for (const other of ["ha3", "ha4", "ha5"]) cluster.separate(one, other);
    cluster.passTime(3000, 200);
    register("ha4");
    register("ha1");
    deregister("ha1");
    cluster.passTime(AWAY_MS, 200);
    cluster.heal();
    cluster.passTime(15_000, 200);
    expectGone();
  });

  test("when a path is mended at whose end its owner had left copies, before it gave the mobile away", () => {
    const { cluster, register, deregister, expectGone } = registered();
    register("ha1");
    for (const backup of ["ha2", "ha3"]) cluster.separate("ha1", backup);
    cluster.passTime(3000, 200);
    // Which gives it other backups.
    register("ha1");
    cluster.input("ha1", { type: "drain", draining: true });
    cluster.passTime(5000, 200);
    deregister("ha4");
    cluster.passTime(AWAY_MS, 200);
    cluster.heal();
    cluster.passTime(15_000, 200);
    expectGone();
  });

  test("when a member is made one again that had left with a copy", () => {
    const { cluster, register, deregister, expectGone } = registered();
    register("ha1");
    cluster.kill("ha3");
    const others = IDS.filter((id) => id !== "ha3");
    for (const id of others) cluster.reload(id, others);
    cluster.passTime(5000, 200);
    deregister("ha1");
    cluster.passTime(AWAY_MS, 200);
    for (const id of others) cluster.reload(id, IDS);
    cluster.restart("ha3");
    cluster.passTime(15_000, 200);
    expectGone();
  });
});
