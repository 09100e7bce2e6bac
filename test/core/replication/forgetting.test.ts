/** Copies go with their owner's row, whatever time it is where they are, and whatever becomes of the message that says so. */
import { describe, expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { forgottenRow } from "../../../src/core/replication/forgotten-row.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "../home-agent/test-cluster.ts";

const IDS = ["ha1", "ha2", "ha3"];
const LIFETIME_SECONDS = 80;

/** Mobiles at every member, in the course of some seconds. */
function registerSome(cluster: TestCluster): void {
  const mobiles = IDS.flatMap((id) => cluster.homeAddressesRanked(10, id));
  for (const [index, homeAddress] of mobiles.entries()) {
    cluster.register(IDS[index % 3] ?? "", { homeAddress, lifetime: LIFETIME_SECONDS });
    cluster.passTime(150);
  }
}

function rowsLeft(cluster: TestCluster): string[] {
  return IDS.flatMap((id) => [...cluster.agent(id).bindings].map(({ mobile }) => `${mobile} on ${id}`));
}

function expectNoDifference(cluster: TestCluster): void {
  expect(IDS.map((id) => cluster.count(id, "digests-differing"))).toEqual([0, 0, 0]);
}

describe("when bindings have expired, nothing is left of them", () => {
  test("and nothing differs meanwhile, though the clocks of the members do", () => {
    const cluster = new TestCluster(3);
    cluster.clockOffsetsMs.set("ha1", -700).set("ha3", 5000);
    // Longer than they are apart: who has just started accepts nothing from before.
    cluster.passTime(7000);
    registerSome(cluster);
    expect(rowsLeft(cluster)).toHaveLength(90);
    cluster.passTime(LIFETIME_SECONDS * 1000 + 25_000, 200);
    expect(rowsLeft(cluster)).toEqual([]);
    expectNoDifference(cluster);
  });

  test("also where the messages that say so are lost", () => {
    const cluster = new TestCluster(3);
    registerSome(cluster);
    cluster.holds = ({ type }) => type === "forget";
    cluster.passTime(LIFETIME_SECONDS * 1000 - 1000, 200);
    expect(rowsLeft(cluster).length).toBeGreaterThan(30);
    // What is held now never arrives.
    cluster.holds = () => false;
    cluster.passTime(21_000, 200);
    expect(rowsLeft(cluster)).toEqual([]);
  });

  test("also where an owner stops before it could say so, and is back before anybody has missed it", () => {
    const cluster = new TestCluster(3);
    registerSome(cluster);
    cluster.holds = ({ type }) => type === "forget";
    cluster.passTime(LIFETIME_SECONDS * 1000, 200);
    for (const id of IDS) {
      cluster.kill(id);
      cluster.holds = () => false;
      cluster.restart(id);
      cluster.passTime(1000);
    }
    expect(rowsLeft(cluster)).toEqual([]);
  });
});

describe("a copy of which its owner says that it has forgotten it", () => {
  function backedUp() {
    const cluster = new TestCluster(3);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
    const row = (id: string): Binding | undefined =>
      cluster.agent(id).findBinding({ homeAddress: ipv4(homeAddress), nai: undefined });
    cluster.register("ha1", { homeAddress });
    const first = row("ha1");
    if (first === undefined) throw new Error("nothing was registered");
    const forget = (to: string, forgotten: Binding) =>
      cluster.say("ha1", to, { type: "forget", rows: [forgottenRow(forgotten)] });
    return { cluster, homeAddress, row, first, forget };
  }

  test("goes, also if it would have some time yet by the clock that is here", () => {
    const { row, first, forget } = backedUp();
    forget("ha2", first);
    expect(row("ha2")).toBeUndefined();
    expect(row("ha3")).toBeDefined();
  });

  test("stays if it is newer: the owner doesn't know that registration", () => {
    const { cluster, homeAddress, row, first, forget } = backedUp();
    cluster.register("ha2", { homeAddress });
    forget("ha2", first);
    expect(row("ha2")).toBeDefined();
  });

  test("stays if somebody else has become its owner meanwhile", () => {
    const { row, first, forget } = backedUp();
    forget("ha2", { ...first, ownership: { ...first.ownership, generation: 0 } });
    expect(row("ha2")).toBeDefined();
  });
});

test("a binding that an operator has deleted stays deleted when a member returns that was away with a copy", () => {
  const cluster = new TestCluster(3);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  const identity = { homeAddress: ipv4(homeAddress), nai: undefined };
  expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
  cluster.kill("ha3");
  cluster.passTime(2000);
  expect(cluster.deleteBinding("ha1", identity).outcome).toBe("deleted");
  // Until no replay could do harm any more, and the binding would not have ended.
  cluster.passTime(60_000, 200);
  cluster.restart("ha3");
  cluster.passTime(12_000, 200);
  const live = (id: string) => cluster.agent(id).findBinding(identity)?.registration.careOfAddresses ?? [];
  for (const id of IDS) expect(live(id), id).toEqual([]);
});

test("digests don't overtake the rows that they are of: without a fault nothing differs, at any load", () => {
  const cluster = new TestCluster(3);
  const mobiles = cluster.homeAddressesRanked(20, "ha1");
  for (const homeAddress of mobiles) {
    cluster.passTime(1000);
    // The request is the first that ha1 hears of since its comparison was due: both are dealt with in one turn.
    cluster.monotonicMs += 10_000;
    cluster.wallMs += 10_000;
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
  }
  expectNoDifference(cluster);
});
