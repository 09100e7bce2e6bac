import { describe, expect, it } from "vitest";
import { Heartbeats } from "../../../src/core/members/heartbeats.ts";
import { Membership } from "../../../src/core/members/membership.ts";
import { TrustedClock } from "../../../src/core/members/trusted-clock.ts";
import type { HealthState, Heartbeat } from "../../../src/core/protocol/datagrams.ts";

const NO_LOAD = { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 };
const NOW = { wallMs: 0, monotonicMs: 0 };

function heartbeats(): Heartbeats {
  const membership = new Membership({
    self: "ha1",
    peers: ["ha2", "ha3"],
    peerTimeoutMs: 800,
    maximumClockSkewMs: Number.POSITIVE_INFINITY,
    heartbeatIntervalMs: 200,
    membersDigest: 1,
  });
  return new Heartbeats({
    self: "ha1",
    members: ["ha1", "ha2", "ha3"].map((id) => ({ id, weight: 100, pool: [] })),
    membership,
    clock: new TrustedClock(
      { memberCount: 3, maximumSkewMs: 30_000, witnessMs: 1600 },
      { count: () => undefined, countBy: () => undefined, event: () => undefined },
    ),
    observer: { count: () => undefined, countBy: () => undefined, event: () => undefined },
    intervalMs: 200,
    send: () => undefined,
    load: () => NO_LOAD,
  });
}

function heard(member: Heartbeats, from: string, said: Partial<Heartbeat>): void {
  const heartbeat: Heartbeat = {
    type: "heartbeat",
    sentAtMs: 0,
    systemTimeMs: 0,
    isTimeCertain: true,
    health: "ready",
    announced: true,
    unfitCount: 0,
    heardUnfitCount: 1,
    membersDigest: 1,
    load: NO_LOAD,
    takesLinkRelay: false,
    canStore: true,
    silent: [],
    ...said,
  };
  member.received(from, 1n, heartbeat, NOW);
}

function unfitMember(): Heartbeats {
  const member = heartbeats();
  member.setHealth("ready", true);
  member.setHealth("guarding", true);
  return member;
}

describe("an unfit member may leave routing to another", () => {
  it.each<[string, Partial<Heartbeat>, boolean]>([
    ["that is ready, announced, and knows", {}, true],
    ["that is degraded", { health: "degraded" }, true],
    ["that drains, as it stays announced", { health: "draining" }, true],
    ["that doesn't know yet: it may be about to leave as well", { heardUnfitCount: 0 }, false],
    ["that guards, as unfit as we are", { health: "guarding" }, false],
    ["that is down", { health: "down", announced: false }, false],
    ["that starts", { health: "starting", announced: false }, false],
    ["that no router hears", { announced: false }, false],
    ["that doesn't hear us", { silent: ["ha1"] }, false],
  ])("%s: %j", (_, said, isStandIn) => {
    const member = unfitMember();
    heard(member, "ha2", said);
    expect(member.standIns).toEqual(isStandIn ? ["ha2"] : []);
  });

  it("only as long as it is: going from `guarding` to `down` and back changes nothing, a new fall does", () => {
    const member = unfitMember();
    heard(member, "ha2", {});
    member.setHealth("down", false);
    expect(member.standIns).toEqual(["ha2"]);
    member.setHealth("ready", true);
    member.setHealth("down", false);
    expect(member.standIns).toEqual([]);
  });
});

describe("new mobiles go to", () => {
  it.each<[string, Record<string, HealthState>, string[]]>([
    ["all that are ready", { ha1: "ready", ha2: "ready", ha3: "ready" }, ["ha1", "ha2", "ha3"]],
    ["who is ready before who is degraded", { ha1: "degraded", ha2: "ready", ha3: "draining" }, ["ha2"]],
    ["who is degraded before who guards", { ha1: "guarding", ha2: "degraded", ha3: "down" }, ["ha2"]],
    ["those who guard, where nobody is fit", { ha1: "guarding", ha2: "guarding", ha3: "down" }, ["ha1", "ha2"]],
    ["nobody in particular, where all are down", { ha1: "down", ha2: "draining", ha3: "starting" }, []],
  ])("%s", (_, { ha1 = "ready", ...others }, takers) => {
    const member = heartbeats();
    member.setHealth(ha1, true);
    for (const [id, health] of Object.entries(others)) heard(member, id, { health });
    const candidates = [...member.candidates(NOW).values()];
    expect(candidates.filter(({ acceptsNewMobiles }) => acceptsNewMobiles).map(({ id }) => id)).toEqual(takers);
  });
});
