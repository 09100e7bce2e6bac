import { describe, expect, it } from "vitest";
import { Membership } from "../../../src/core/members/membership.ts";

const PEER_TIMEOUT_MS = 800;

function membership(): Membership {
  return new Membership({
    self: "ha1",
    peers: ["ha2", "ha3"],
    peerTimeoutMs: PEER_TIMEOUT_MS,
    maximumClockSkewMs: Number.POSITIVE_INFINITY,
    heartbeatIntervalMs: 200,
    membersDigest: 1,
  });
}

function hear(
  members: Membership,
  id: string,
  monotonicMs: number,
  silent: readonly string[] = [],
  announced = true,
  membersDigest = 1,
): void {
  const load = { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 };
  const heartbeat = {
    type: "heartbeat",
    sentAtMs: 0,
    systemTimeMs: 0,
    isTimeCertain: true,
    health: "ready",
    announced,
    unfitCount: 0,
    heardUnfitCount: 0,
    membersDigest,
    load,
    takesLinkRelay: false,
    canStore: true,
    silent,
  } as const;
  members.heard(id, 1n, heartbeat, { wallMs: 0, monotonicMs });
}

/** The names of those who are found dead between two times, looked at every 200 ms. */
function deadBetween(members: Membership, fromMs: number, throughMs: number): string[] {
  const dead: string[] = [];
  for (let nowMs = fromMs; nowMs <= throughMs; nowMs += 200) {
    dead.push(...members.expire(nowMs).flatMap(({ id }) => (members.get(id)?.state === "dead" ? [id] : [])));
  }
  return dead;
}

describe("a peer that was never heard", () => {
  it("is told to be silent long before it is dead here, so that those who have heard it need not wait for us", () => {
    const members = membership();
    expect(deadBetween(members, 0, 800)).toEqual([]);
    expect(members.silent).toEqual([]);
    expect(deadBetween(members, 1000, 1000)).toEqual([]);
    expect(members.silent).toContain("ha2");
  });
});

describe("a silent peer", () => {
  it("is dead once it has been silent for longer than the peer timeout", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    expect(deadBetween(members, 1000, 1800)).toEqual([]);
    expect(deadBetween(members, 2000, 2000)).toEqual(["ha2"]);
    expect(members.isAlive("ha2")).toBe(false);
  });

  it("is not silent while it says anything at all, which its heartbeats may wait behind", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    for (let nowMs = 1200; nowMs <= 5000; nowMs += 200) {
      members.lives("ha2", nowMs);
      expect(deadBetween(members, nowMs, nowMs)).toEqual([]);
    }
    expect(deadBetween(members, 5200, 5800)).toEqual([]);
    expect(deadBetween(members, 6000, 6000)).toEqual(["ha2"]);
  });

  it("that is dead comes back by a heartbeat alone, which shows that it hears us", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    expect(deadBetween(members, 1000, 2000)).toEqual(["ha2"]);
    members.lives("ha2", 2100);
    expect(members.isAlive("ha2")).toBe(false);
    hear(members, "ha2", 2200);
    expect(members.isAlive("ha2")).toBe(true);
  });

  it("that was never heard is dead after ten times the timeout, as it may be starting, too", () => {
    const members = membership();
    expect(deadBetween(members, 0, 8000)).toEqual([]);
    expect(deadBetween(members, 8200, 8200)).toEqual(["ha2", "ha3"]);
  });

  it("is only suspect while somebody alive hears it: the path to it is broken", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    for (let nowMs = 1000; nowMs <= 3000; nowMs += 200) {
      hear(members, "ha3", nowMs);
      members.expire(nowMs);
    }
    expect(members.get("ha2")?.state).toBe("suspect");
  });
});

describe("what routers tell of a silent peer", () => {
  type Seen = readonly string[] | undefined;

  /** ha3 says that ha2 is silent, at every look; ha2 was last heard at 1000 ms. */
  function deadAfterMs(views: readonly Seen[], { announced = true } = {}): number {
    const members = membership();
    hear(members, "ha2", 1000, [], announced);
    for (const view of views) members.routed(view);
    for (let nowMs = 1000; nowMs <= 3000; nowMs += 100) {
      hear(members, "ha3", nowMs, ["ha2"]);
      members.expire(nowMs);
      if (members.get("ha2")?.state === "dead") return nowMs - 1000;
    }
    return Number.POSITIVE_INFINITY;
  }

  const NORMALLY_MS = 900;

  it.each<[string, readonly Seen[], number]>([
    ["nothing: it is waited for as without a view", [], NORMALLY_MS],
    ["that its route has gone: it is waited for less long", [["ha2", "ha3"], ["ha3"]], 700],
    ["that its route has gone, and nobody else's is there: the same", [["ha2"], []], 700],
    ["that its route is there: a host that has vanished has one for long", [["ha2"]], NORMALLY_MS],
    ["that its route has come back", [["ha2"], [], ["ha2"]], NORMALLY_MS],
    ["that it has no route, and never had one", [["ha3"]], NORMALLY_MS],
    ["that it had a route, and then nothing any more", [["ha2"], undefined], NORMALLY_MS],
    ["nothing at first, and then that it has no route", [["ha2"], undefined, []], NORMALLY_MS],
  ])("%s", (_, views, expectedMs) => {
    expect(deadAfterMs(views)).toBe(expectedMs);
  });

  it("that its route has gone says nothing of a peer that has withdrawn it", () => {
    expect(deadAfterMs([["ha2"], []], { announced: false })).toBe(NORMALLY_MS);
  });

  it("that its route has gone doesn't matter while somebody hears it", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    members.routed(["ha2"]);
    members.routed([]);
    for (let nowMs = 1000; nowMs <= 3000; nowMs += 200) {
      hear(members, "ha3", nowMs);
      members.expire(nowMs);
    }
    expect(members.get("ha2")?.state).toBe("suspect");
  });
});

describe("a member that was itself stopped or starved for a while", () => {
  it("does not take for dead whose heartbeats it has not read yet", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    hear(members, "ha3", 1000);
    expect(deadBetween(members, 1000, 1200)).toEqual([]);
    expect(members.expire(9000)).toEqual([]);
    hear(members, "ha2", 9010);
    expect(members.isAlive("ha2")).toBe(true);
  });

  it("takes for dead whoever stays silent from then on", () => {
    const members = membership();
    hear(members, "ha2", 1000, ["ha3"]);
    hear(members, "ha3", 1000);
    expect(deadBetween(members, 1000, 1200)).toEqual([]);
    expect(members.expire(9000)).toEqual([]);
    hear(members, "ha2", 9010, ["ha3"]);
    expect(deadBetween(members, 9200, 9600)).toEqual([]);
    hear(members, "ha2", 9610, ["ha3"]);
    expect(deadBetween(members, 9800, 10_000)).toEqual(["ha3"]);
  });
});

describe("a peer that has other members in its configuration", () => {
  const hasOthers = (members: Membership, nowMs: number, membersDigest: number) => {
    hear(members, "ha2", nowMs, [], true, membersDigest);
    return members.get("ha2")?.hasOtherMembers;
  };

  it("is told only when there was time to give all of them the same", () => {
    const members = membership();
    expect(hasOthers(members, 0, 2)).toBe(false);
    expect(hasOthers(members, 5000, 2)).toBe(false);
    expect(hasOthers(members, 5200, 2)).toBe(true);
    expect(hasOthers(members, 5400, 1)).toBe(false);
    expect(hasOthers(members, 5600, 3)).toBe(false);
  });
});
