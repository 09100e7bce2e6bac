import { describe, expect, it } from "vitest";
import type { AdvertiserStatus } from "../../src/adapters/advertiser/advertiser.ts";
import { UNKNOWN_VIEW } from "../../src/adapters/advertiser/routing-view.ts";
import type { PeerStatus } from "../../src/core/members/membership.ts";
import { NO_INCARNATION } from "../../src/core/protocol/acquaintance.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";
import { type AlarmSources, Alarms } from "../../src/daemon/alarms.ts";

const advertiser: AdvertiserStatus = {
  type: "exabgp",
  speaker: "running",
  restarts: 0,
  desired: [],
  applied: [],
  neighbors: [{ address: "10.1.0.1", state: "up", sinceMs: 0 }],
  view: UNKNOWN_VIEW,
};

const peer: PeerStatus = {
  id: "ha2",
  state: "alive",
  health: "ready",
  announced: true,
  unfitCount: 0,
  heardUnfitCount: 0,
  differsSinceMs: Number.POSITIVE_INFINITY,
  hasOtherMembers: false,
  load: { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 },
  incarnation: NO_INCARNATION,
  isUnproven: false,
  hearsLaterStart: false,
  clockSkewMs: 3,
  lastHeardMs: 0,
  takesLinkRelay: false,
  canStore: true,
  silent: [],
};

const quiet: AlarmSources = {
  peers: [peer],
  advertiser,
  dataPlaneFailure: undefined,
  bfdNeighbors: [{ address: "10.1.0.1", state: "up", sinceMs: 0, transmitIntervalMs: 300 }],
  checks: [{ name: "free-disk", state: "pass", sinceMs: 0, reason: "2.0 GiB are free", isAwaited: false }],
  isLastAnnouncer: false,
  storeFailure: undefined,
  damagedStores: [],
  registrationSocketFailure: undefined,
  configurationProblem: undefined,
  missingStreams: new Map(),
  maximumClockSkewMs: 30_000,
  heldClockStepMs: undefined,
  twins: [],
  logFailure: undefined,
};

function ringing(sources: AlarmSources) {
  const alarms = new Alarms();
  alarms.update(sources, 1);
  return alarms.active;
}

describe("alarms", () => {
  it("are silent while all is well", () => {
    expect(ringing(quiet)).toEqual([]);
  });

  it.each<[string, Partial<AlarmSources>]>([
    ["last-announcer", { isLastAnnouncer: true }],
    ["check disk", { checks: [{ name: "disk", state: "fail", sinceMs: 0, reason: "full", isAwaited: false }] }],
    ["check clock", { checks: [{ name: "clock", state: "degraded", sinceMs: 0, reason: "off", isAwaited: false }] }],
    ["store", { storeFailure: "disk full" }],
    ["store-damaged", { damagedStores: ["/var/lib/anyhome/data.damaged-1790000000"] }],
    ["log", { logFailure: "ENOSPC: no space left on device, write" }],
    ["registrations", { registrationSocketFailure: "EADDRINUSE" }],
    ["configuration", { configurationProblem: "only a restart can change cluster" }],
    ["member ha2", { peers: [{ ...peer, state: "dead" }] }],
    ["member ha2", { peers: [{ ...peer, state: "one-way" }] }],
    ["clock ha2", { peers: [{ ...peer, clockSkewMs: -1500 }] }],
    ["clock ha2", { peers: [{ ...peer, state: "skewed", clockSkewMs: 31_000 }] }],
    ["store ha2", { peers: [{ ...peer, canStore: false }] }],
    ["members ha2", { peers: [{ ...peer, hasOtherMembers: true }] }],
    ["stream ha2", { missingStreams: new Map([["ha2", "TCP port 4340 of 10.1.0.12 refuses connections"]]) }],
    ["clock", { heldClockStepMs: 3_600_000 }],
    ["twins ha2", { twins: [{ member: "ha2", believed: "10.1.0.12:4340", refused: "10.1.0.22:4340" }] }],
    ["data-plane", { dataPlaneFailure: "EPERM" }],
    ["speaker", { advertiser: { ...advertiser, speaker: "failed", lastError: "exit 1" } }],
    [
      "neighbor 10.1.0.1",
      { advertiser: { ...advertiser, neighbors: [{ address: "10.1.0.1", state: "down", sinceMs: 0 }] } },
    ],
    ["bfd 10.1.0.1", { bfdNeighbors: [{ address: "10.1.0.1", state: "init", sinceMs: 0, transmitIntervalMs: 300 }] }],
  ])("%s rings: %#", (id, change) => {
    expect(ringing({ ...quiet, ...change }).map((alarm) => alarm.id)).toEqual([id]);
  });

  it("tell of a dead member whether routers still send requests there", () => {
    const dead = { ...quiet, peers: [{ ...peer, state: "dead" as const }] };
    const attributes = { asPath: [], communities: [], largeCommunities: [] };
    const prefix = { address: ipv4("10.64.0.0"), length: 12 };
    const path = { prefix, neighbor: "10.1.0.1", nextHop: "10.1.0.12", attributes, announcer: "ha2", isEcho: false };
    const view = { paths: [path], complete: ["10.1.0.1"], isComplete: true };
    expect(ringing({ ...dead, advertiser: { ...advertiser, view } })).toMatchObject([
      { id: "member ha2", message: expect.stringContaining("routers still have its announcement") },
    ]);
    expect(ringing(dead)[0]?.message).not.toContain("routers still");
  });

  it("keep the time they began while they last, and begin anew after a pause", () => {
    const alarms = new Alarms();
    const failing = { ...quiet, storeFailure: "EIO" };
    alarms.update(failing, 1000);
    alarms.update(failing, 2000);
    expect(alarms.active[0]?.sinceMs).toBe(1000);
    alarms.update(quiet, 3000);
    expect(alarms.active).toEqual([]);
    alarms.update(failing, 4000);
    expect(alarms.active[0]?.sinceMs).toBe(4000);
  });
});
