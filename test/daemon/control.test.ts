/** What the control API answers for the daemon. */
import { expect, test } from "vitest";
import type { DeletionOutcome } from "../../src/core/home-agent/io.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";
import { type ControlSources, DaemonControl } from "../../src/daemon/control.ts";
import { TestCluster } from "../core/home-agent/test-cluster.ts";

/** ha1's control API, over a core that says of every deletion what the test wants, or what it does. */
function controlOfOwner(outcome?: DeletionOutcome) {
  const cluster = new TestCluster(3);
  cluster.passTime(8000);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  cluster.register("ha1", { homeAddress });
  const sources: Partial<ControlSources> = {
    agent: cluster.agent("ha1"),
    configuration: {
      current: { node: "ha1", members: [], timers: { relayTimeoutMs: 2000 } },
    } as unknown as ControlSources["configuration"],
    deleteBinding: async ({ identity, forgetReplay }) =>
      outcome ?? cluster.deleteBinding("ha1", identity, { forgetReplay }).outcome ?? expect.fail("nothing came of it"),
  };
  const control = new DaemonControl(sources as ControlSources);
  const mobile = { by: "home-address", homeAddress: ipv4(homeAddress) } as const;
  return { cluster, homeAddress, control, mobile };
}

test.each([
  ["not-owned", "another member"],
  ["store-failed", "the store can't write"],
  ["too-few-backups", "too few backups"],
  ["unconfirmed", "not safe"],
] as const)("an operator is told why a deletion is %s", async (outcome, message) => {
  const { control, mobile } = controlOfOwner(outcome);
  await expect(control.deleteBinding({ mobile, forgetReplay: true })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining(message),
  });
});

test("the replay state of a mobile whose binding is over is forgotten too, though there is nothing else to delete", async () => {
  const { cluster, homeAddress, control, mobile } = controlOfOwner();
  cluster.register("ha1", { homeAddress, lifetime: 0, careOfAddress: homeAddress });
  expect(await control.deleteBinding({ mobile, forgetReplay: false })).toBeUndefined();
  expect(await control.deleteBinding({ mobile, forgetReplay: true })).toMatchObject({ homeAddress, owner: "ha1" });
});
