import { describe, expect, it } from "vitest";
import { Membership } from "../../src/cluster/membership.ts";

const PEER_TIMEOUT_MS = 800;

function membership(): Membership {
  return new Membership({ peers: ["ha2", "ha3"], ownBootCount: 5, peerTimeoutMs: PEER_TIMEOUT_MS });
}

function hear(members: Membership, id: string, monotonicMs: number): void {
  const load = { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 };
  const heartbeat = { type: "heartbeat", sentAtMs: 0, heardBootCount: 5, health: "ready", load } as const;
  members.heard(id, 1, heartbeat, { wallMs: 0, monotonicMs });
}

/** The names of those who are found dead between two times, looked at every 200 ms. */
function deadBetween(members: Membership, fromMs: number, throughMs: number): string[] {
  const dead: string[] = [];
  for (let nowMs = fromMs; nowMs <= throughMs; nowMs += 200) dead.push(...members.expire(nowMs).map(({ id }) => id));
  return dead;
}

describe("a silent peer", () => {
  it("is dead once it has been silent for longer than the peer timeout", () => {
    const members = membership();
    hear(members, "ha2", 1000);
    expect(deadBetween(members, 1000, 1800)).toEqual([]);
    expect(deadBetween(members, 2000, 2000)).toEqual(["ha2"]);
    expect(members.isAlive("ha2")).toBe(false);
  });

  it("that was never heard is not found dead", () => {
    expect(deadBetween(membership(), 0, 10_000)).toEqual([]);
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
    hear(members, "ha2", 1000);
    hear(members, "ha3", 1000);
    expect(deadBetween(members, 1000, 1200)).toEqual([]);
    expect(members.expire(9000)).toEqual([]);
    hear(members, "ha2", 9010);
    expect(deadBetween(members, 9200, 9600)).toEqual([]);
    hear(members, "ha2", 9610);
    expect(deadBetween(members, 9800, 10_000)).toEqual(["ha3"]);
  });
});
