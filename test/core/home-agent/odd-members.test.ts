/** Members that hold the right key, and must not be believed all the same. */
import { describe, expect, test } from "vitest";
import type { Heartbeat } from "../../../src/core/protocol/datagrams.ts";
import type { FrameCodec } from "../../../src/core/protocol/frame.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { TestCluster } from "./test-cluster.ts";

const stateOf = (cluster: TestCluster, on: string, peer: string) =>
  [...cluster.agent(on).peers].find(({ id }) => id === peer)?.state;
const identityOf = (homeAddress: string) => ({ homeAddress: ipv4(homeAddress), nai: undefined });

/** Its clock is set while nobody is there to contradict it, for longer than a slip would last. */
function setUnseen(cluster: TestCluster, id: string, offsetMs: number): void {
  cluster.loses = (from, to) => from === id || to === id;
  cluster.passTime(2000);
  cluster.clockOffsetsMs.set(id, offsetMs);
  cluster.passTime(65_000, 200);
}

describe("a member whose clock is too far off", () => {
  test("is left out by all others, who serve its mobiles, and comes back by itself when the clocks agree", () => {
    const cluster = new TestCluster(4);
    const homeAddress = cluster.homeAddressRanked("ha1", "ha2");
    const accepted = cluster.register("ha3", { homeAddress });
    expect(accepted?.reply.code).toBe(0);

    setUnseen(cluster, "ha1", 31_000);
    cluster.heal();
    for (const id of ["ha2", "ha3", "ha4"]) expect(stateOf(cluster, id, "ha1")).toBe("skewed");
    expect(stateOf(cluster, "ha1", "ha2")).toBe("skewed");
    expect(cluster.agent("ha2").linkTo("ha1").state).toBe("down");
    expect(cluster.events.filter(({ event }) => event === "member-skewed")).toContainEqual(
      expect.objectContaining({ on: "ha2", member: "ha1", skewMs: 31_000 }),
    );
    const renewed = cluster.register("ha3", { homeAddress });
    expect(renewed).toMatchObject({ reply: { code: 0, lifetimeSeconds: 600 } });
    const { owner, backups } = cluster.agent("ha2").findBinding(identityOf(homeAddress))?.ownership ?? {};
    expect([owner, ...(backups ?? [])]).not.toContain("ha1");

    cluster.clockOffsetsMs.set("ha1", 0);
    cluster.passTime(600);
    cluster.heal();
    for (const id of ["ha2", "ha3", "ha4"]) expect(stateOf(cluster, id, "ha1")).toBe("alive");
    cluster.passTime(1000);
    const owners = ["ha1", "ha2", "ha3", "ha4"].flatMap(
      (id) => cluster.agent(id).findBinding(identityOf(homeAddress))?.ownership.owner ?? [],
    );
    expect(new Set(owners).size).toBe(1);
  });

  test("misses nothing of what is said on a stream that opens before a heartbeat has told that the clocks agree", () => {
    const cluster = new TestCluster(3);
    setUnseen(cluster, "ha1", 31_000);
    cluster.heal();
    cluster.clockOffsetsMs.set("ha1", 0);
    cluster.heal();
    // Members dial again where a stream has ended.
    cluster.heal();
    for (const id of ["ha2", "ha3"]) {
      expect(cluster.agent("ha1").linkTo(id).state).toBe("streaming");
      expect(cluster.agent(id).linkTo("ha1").state).toBe("streaming");
    }
  });

  test("within the bound takes part", () => {
    const cluster = new TestCluster(3);
    setUnseen(cluster, "ha1", -29_000);
    cluster.heal();
    expect(stateOf(cluster, "ha2", "ha1")).toBe("alive");
  });

  test("is not whom this member has heard too late, because it stood still itself", () => {
    const cluster = new TestCluster(3);
    setUnseen(cluster, "ha1", -31_000);
    // What ha1 said before is read only now.
    cluster.input("ha2", { type: "stalled" });
    cluster.loses = () => false;
    cluster.passTime(400);
    expect(stateOf(cluster, "ha2", "ha1")).toBe("alive");
    cluster.passTime(1000);
    expect(stateOf(cluster, "ha2", "ha1")).toBe("skewed");
  });
});

describe("two daemons of the same member", () => {
  const heartbeat = (sentAtMs: number): Heartbeat => ({
    type: "heartbeat",
    sentAtMs,
    systemTimeMs: sentAtMs,
    isTimeCertain: true,
    health: "ready",
    announced: true,
    unfitCount: 0,
    heardUnfitCount: 0,
    membersDigest: 0,
    takesLinkRelay: false,
    canStore: true,
    load: { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 },
    silent: [],
  });
  const say = (cluster: TestCluster, daemon: FrameCodec, to: string, sentAtMs = cluster.wallMs + 50) =>
    cluster.input(to, {
      type: "frame",
      payload: daemon.seal(to, heartbeat(sentAtMs)) ?? new Uint8Array(),
      source: { address: ipv4("192.0.2.9"), port: 4340 },
    });

  test("are found out by the others, who believe the one that was started later, and name both addresses", () => {
    const cluster = new TestCluster(3);
    const earlier = cluster.standIn("ha1", 0);
    for (let times = 0; times < 3; times++) {
      say(cluster, earlier, "ha2");
      cluster.passTime(200);
    }
    expect(stateOf(cluster, "ha2", "ha1")).toBe("alive");
    // After the first it might have been the other that was over.
    expect(cluster.count("ha2", "frames-rejected replayed")).toBe(1);
    expect(cluster.count("ha2", "frames-rejected member-twice")).toBe(2);
    expect(cluster.events.filter(({ event }) => event === "member-twice")).toEqual([
      { on: "ha2", event: "member-twice", member: "ha1", believed: "0.0.0.0:4340", refused: "192.0.2.9:4340" },
    ]);
    expect(cluster.agent("ha2").twins(cluster)).toHaveLength(1);
    cluster.passTime(11_000, 200);
    expect(cluster.agent("ha2").twins(cluster)).toEqual([]);
  });

  test("are found out, too, where the one that was started later hears nobody, and is not believed", () => {
    const cluster = new TestCluster(3);
    const { onFrame } = cluster;
    const later = cluster.standIn("ha1", 7);
    cluster.onFrame = onFrame;
    cluster.restart("ha2");
    for (let times = 0; times < 3; times++) {
      say(cluster, later, "ha2");
      cluster.passTime(200);
    }
    expect(cluster.agent("ha2").twins(cluster)).toHaveLength(1);
    expect(stateOf(cluster, "ha2", "ha1")).toBe("alive");
    expect(cluster.agent("ha1").hearingAnother).toEqual([]);
  });

  test("are known to the one that was started earlier, as the others don't hear it any more", () => {
    const cluster = new TestCluster(3);
    expect(cluster.agent("ha1").hearingAnother).toEqual([]);
    const later = cluster.standIn("ha1", 7);
    for (let times = 0; times < 8; times++) {
      say(cluster, later, "ha2");
      cluster.passTime(200);
    }
    expect(cluster.agent("ha1").hearingAnother).toEqual(["ha2"]);
    expect(cluster.agent("ha3").hearingAnother).toEqual([]);
  });

  test("are not what a recorded heartbeat is", () => {
    const cluster = new TestCluster(3);
    say(cluster, cluster.standIn("ha1", 0), "ha2", cluster.wallMs - 60_000);
    expect(cluster.count("ha2", "frames-rejected replayed")).toBe(1);
    expect(cluster.count("ha2", "event member-twice")).toBe(0);
  });

  test("are not what a restart is, however often", () => {
    const cluster = new TestCluster(3);
    for (let times = 0; times < 5; times++) {
      cluster.kill("ha1");
      cluster.restart("ha1");
      cluster.passTime(times * 300);
    }
    expect(cluster.events.filter(({ event }) => event === "member-twice")).toEqual([]);
    expect(stateOf(cluster, "ha2", "ha1")).toBe("alive");
  });
});

test("a frame that is refused is explained once for each source and reason, and counted each time", () => {
  const cluster = new TestCluster(2);
  const frame = (payload: Uint8Array, port: number) =>
    cluster.input("ha1", { type: "frame", payload, source: { address: ipv4("192.0.2.9"), port } });
  for (let times = 0; times < 5; times++) {
    frame(new Uint8Array(3), 1);
    frame(new Uint8Array(40), 1);
    frame(Uint8Array.of(0x41, 0x48, 9, ...new Uint8Array(60)), 1);
    frame(new Uint8Array(3), 2);
  }
  const explained = cluster.events.filter(({ event }) => event === "frame-rejected");
  expect(explained.map(({ source, reason }) => `${source} ${reason}`)).toEqual([
    "192.0.2.9:1 not-a-frame",
    "192.0.2.9:1 newer-version",
    "192.0.2.9:2 not-a-frame",
  ]);
  expect(cluster.count("ha1", "frames-rejected not-a-frame")).toBe(15);
  expect(cluster.count("ha1", "frames-rejected newer-version")).toBe(5);
});
