/** What members note of mobiles that others own is bounded by the rows that it speaks of. */
import { expect, test } from "vitest";
import { TestCluster } from "../home-agent/test-cluster.ts";

const DYNAMIC = "0.0.0.0";
const IDS = ["ha1", "ha2", "ha3", "ha4", "ha5", "ha6"];
/** Replays, superseded bindings and differences of clocks are over by then; the reservation lasts for an hour. */
const RETENTION_MS = 120_000;

/** A cluster in which mobiles with new names come and go by one member, while the owner of them all has one home address. */
function comeAndGo(ingress: string, mobiles: number) {
  const cluster = new TestCluster(IDS.length, { sliceSize: 1, copies: 1 });
  for (const nai of cluster.naisRanked(mobiles, "ha2")) {
    expect(cluster.register(ingress, { nai, homeAddress: DYNAMIC, lifetime: 30 })?.reply.code).toBe(0);
    const gone = { nai, homeAddress: DYNAMIC, careOfAddress: DYNAMIC, lifetime: 0 };
    expect(cluster.register(ingress, gone)?.reply.code).toBe(0);
  }
  return cluster;
}

function known(cluster: TestCluster, id: string) {
  const agent = cluster.agent(id);
  const onDisk = [...cluster.diskRows(id).keys()];
  return {
    rows: [...agent.bindings].length,
    locations: [...agent.locations].length,
    rowsOnDisk: onDisk.filter((name) => name.startsWith("binding ")).length,
    locationsOnDisk: onDisk.filter((name) => name.startsWith("location ")).length,
  };
}

test.each(IDS)(
  "no location outlives its row by a reservation that was taken back, with %s as the ingress",
  (ingress) => {
    const cluster = comeAndGo(ingress, 30);
    cluster.passTime(RETENTION_MS, 500);
    for (const id of IDS) {
      const { rows, locations, rowsOnDisk, locationsOnDisk } = known(cluster, id);
      // Of the one that the address is still reserved for.
      expect(Math.max(rows, locations, rowsOnDisk, locationsOnDisk), id).toBeLessThanOrEqual(1);
    }
  },
);

test("whom an address is reserved for gets it back by its home, which doesn't own it, long after all but the reservation is over", () => {
  const cluster = new TestCluster(IDS.length, { copies: 1 });
  const nai = cluster.naiRanked("ha2");
  cluster.kill("ha2");
  cluster.passTime(2000);
  const granted = cluster.register("ha1", { nai, homeAddress: DYNAMIC, lifetime: 30 })?.reply.homeAddress;
  cluster.restart("ha2");
  cluster.passTime(2000);
  cluster.register("ha1", { nai, homeAddress: DYNAMIC, careOfAddress: DYNAMIC, lifetime: 0 });
  cluster.passTime(RETENTION_MS, 500);
  expect([...cluster.agent("ha2").bindings]).toEqual([]);
  expect(cluster.register("ha3", { nai, homeAddress: DYNAMIC })?.reply.homeAddress).toBe(granted);
});
