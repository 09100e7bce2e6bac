/** What somebody does to a system's clock, and takes back, leaves no trace. */
import { describe, expect, test } from "vitest";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import { ReplyCode } from "../../../src/core/wire/reply-code.ts";
import { TestCluster } from "./test-cluster.ts";

const IDS = ["ha1", "ha2", "ha3"];
const HOUR_MS = 3_600_000;

function clusterWithMobile() {
  const cluster = new TestCluster(3);
  // Longer than the window of timestamps: who has just started accepts less.
  cluster.passTime(8000);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
  const row = (id: string) => cluster.agent(id).findBinding({ homeAddress: ipv4(homeAddress), nai: undefined });
  return { cluster, homeAddress, row };
}

function setClocks(cluster: TestCluster, ids: readonly string[], offsetMs: number): void {
  for (const id of ids) cluster.clockOffsetsMs.set(id, offsetMs);
}

describe.each([
  ["one member's clock", ["ha1"]],
  ["all members' clocks", IDS],
])("%s, set wrong for some seconds", (_, ids) => {
  test.each([HOUR_MS, -HOUR_MS])(
    "by %i ms: nothing is accepted by it, nothing written, nobody locked out",
    (offsetMs) => {
      const { cluster, homeAddress, row } = clusterWithMobile();
      setClocks(cluster, ids, offsetMs);
      cluster.passTime(2000);
      const wrong = cluster.register("ha1", { homeAddress, identification: ntpFromEpochMs(cluster.wallMs + offsetMs) });
      expect(wrong?.reply.code).toBe(ReplyCode.IdentificationMismatch);
      expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
      for (const id of IDS)
        expect(Math.abs((row(id)?.registration.acceptedAtMs ?? 0) - cluster.wallMs)).toBeLessThan(1000);
      cluster.passTime(2000);
      setClocks(cluster, ids, 0);
      cluster.passTime(2000);
      expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
    },
  );

  test("an hour ahead: no binding expires", () => {
    const { cluster, row } = clusterWithMobile();
    setClocks(cluster, ids, HOUR_MS);
    cluster.passTime(4000);
    setClocks(cluster, ids, 0);
    cluster.passTime(4000);
    for (const id of IDS) expect(row(id)?.registration.careOfAddresses).toHaveLength(1);
    expect(cluster.events.filter(({ event }) => event === "clock-step-held")).toHaveLength(ids.length);
  });
});

test("whoever asks a member for its time moves none of its clocks, and isn't told of one that inputs haven't moved", () => {
  const { cluster } = clusterWithMobile();
  const agent = cluster.agent("ha1");
  const system = { wallMs: cluster.wallMs + HOUR_MS + 1, monotonicMs: cluster.monotonicMs + 1 };
  expect(Math.abs(agent.time(system).wallMs - cluster.wallMs)).toBeLessThan(1000);
  agent.nextWakeMs(system);
  expect(cluster.events.filter(({ event }) => event === "clock-step-held")).toEqual([]);
  expect(agent.heldClockStepMs).toBeUndefined();
  agent.handle({ type: "tick" }, system);
  expect(agent.heldClockStepMs).toBe(HOUR_MS);
});

describe("a member that starts with its clock an hour ahead", () => {
  test("ends no binding by it, and goes by the time of the others", () => {
    const { cluster, homeAddress, row } = clusterWithMobile();
    cluster.kill("ha1");
    setClocks(cluster, ["ha1"], HOUR_MS);
    cluster.restart("ha1");
    cluster.passTime(2000);
    expect(row("ha1")?.registration.careOfAddresses).toHaveLength(1);
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(ReplyCode.Accepted);
    expect(cluster.agent("ha1").heldClockStepMs).toBe(HOUR_MS);
  });

  test("and hears nobody ends no binding for a minute", () => {
    const { cluster, row } = clusterWithMobile();
    cluster.kill("ha1");
    cluster.loses = () => true;
    setClocks(cluster, ["ha1"], HOUR_MS);
    cluster.restart("ha1");
    cluster.passTime(50_000, 200);
    expect(row("ha1")?.registration.careOfAddresses).toHaveLength(1);
    cluster.passTime(15_000, 200);
    expect(row("ha1")?.registration.careOfAddresses ?? []).toHaveLength(0);
  });
});

test("a member whose machine has slept asks the others what is still its own before it serves", () => {
  const { cluster, homeAddress } = clusterWithMobile();
  cluster.holds = ({ type }) => type === "owned-checked";
  setClocks(cluster, ["ha1"], 5000);
  cluster.passTime(50);
  expect(cluster.register("ha1", { homeAddress })).toBeUndefined();
  expect(cluster.count("ha1", "datagrams-dropped unconfirmed")).toBe(1);
});
