/** What the control API answers for the daemon. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ipv4 } from "../../src/core/wire/ipv4.ts";
import { type ControlSources, DaemonControl } from "../../src/daemon/control.ts";
import { TestCluster } from "../core/home-agent/test-cluster.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** ha1's control API, and how to have backups get what it sends. */
function controlOfOwner() {
  const cluster = new TestCluster(3);
  cluster.passTime(8000);
  const homeAddress = cluster.homeAddressRanked("ha1", "ha2", "ha3");
  cluster.register("ha1", { homeAddress });
  cluster.holds = ({ type }) => type === "rows";
  const agent = cluster.agent("ha1");
  const deleteBinding = agent.deleteBinding.bind(agent);
  agent.deleteBinding = (identity, options) => deleteBinding(identity, options, cluster);
  const sources: Partial<ControlSources> = {
    agent,
    configuration: {
      current: { node: "ha1", members: [], timers: { relayTimeoutMs: 2000 } },
    } as unknown as ControlSources["configuration"],
    perform: (outputs) => cluster.perform("ha1", outputs),
    durable: () => Promise.resolve(),
  };
  const control = new DaemonControl(sources as ControlSources);
  const mobile = { by: "home-address", homeAddress: ipv4(homeAddress) } as const;
  return { cluster, homeAddress, control, mobile, forget: () => control.deleteBinding(mobile, { forgetReplay: true }) };
}

test("replay state is said to be forgotten only once a backup has acknowledged it", async () => {
  const { cluster, forget } = controlOfOwner();
  let isAnswered = false;
  const answer = forget().then((view) => {
    isAnswered = true;
    return view;
  });
  await vi.advanceTimersByTimeAsync(1000);
  expect(isAnswered).toBe(false);
  cluster.release();
  await vi.advanceTimersByTimeAsync(100);
  expect(isAnswered).toBe(true);
  expect(await answer).toMatchObject({ owner: "ha1" });
});

test("an operator is told that forgetting replay state is not safe if no backup acknowledges it", async () => {
  const { forget } = controlOfOwner();
  const answer = expect(forget()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("not safe"),
  });
  await vi.advanceTimersByTimeAsync(5000);
  await answer;
});

test("the replay state of a mobile whose binding is over is forgotten too, though there is nothing else to delete", async () => {
  const { cluster, homeAddress, control, mobile, forget } = controlOfOwner();
  cluster.release();
  cluster.register("ha1", { homeAddress, lifetime: 0, careOfAddress: homeAddress });
  expect(await control.deleteBinding(mobile, { forgetReplay: false })).toBeUndefined();
  const answer = forget();
  await vi.advanceTimersByTimeAsync(100);
  expect(await answer).toMatchObject({ homeAddress, owner: "ha1" });
});
