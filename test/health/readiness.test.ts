import { describe, expect, it } from "vitest";
import { assess, type Condition } from "../../src/health/readiness.ts";

const fit: Condition = {
  unheardPeers: [],
  listenedMs: 0,
  peerTimeoutMs: 800,
  storeFailure: undefined,
  oldestQueuedMs: 20,
  registrationSocketFailure: undefined,
  catchingUpWith: [],
  draining: false,
  stopping: false,
};

describe("readiness", () => {
  it.each<[string, Partial<Condition>, string, RegExp | undefined]>([
    ["a fit home agent is ready", {}, "ready", undefined],
    ["one that has not heard all peers yet listens first", { unheardPeers: ["ha2", "ha3"] }, "starting", /ha2, ha3/],
    [
      "one that is not listening yet, however long its start takes, can't take anybody for dead",
      { unheardPeers: ["ha2"], listenedMs: Number.NEGATIVE_INFINITY },
      "starting",
      /ha2/,
    ],
    ["one that has listened a while goes on listening", { unheardPeers: ["ha2"], listenedMs: 1600 }, "starting", /ha2/],
    [
      "one that has listened for twice the peer timeout takes the silent for dead",
      { unheardPeers: ["ha2"], listenedMs: 1601 },
      "ready",
      undefined,
    ],
    ["one with a slow disk is ready", { oldestQueuedMs: 3000 }, "ready", undefined],
    ["one whose disk hangs is down, though no write has failed yet", { oldestQueuedMs: 3001 }, "down", /hangs.*3 s/],
    ["one that can't write is down", { storeFailure: "disk full" }, "down", /disk full/],
    ["one that can't receive is down", { registrationSocketFailure: "EADDRNOTAVAIL" }, "down", /EADDRNOTAVAIL/],
    ["one that stops is down, whatever else holds", { stopping: true }, "down", /stopping/],
    ["one that is behind its peers catches up first", { catchingUpWith: ["ha3"] }, "starting", /catching up with ha3/],
    [
      "one that can't catch up serves all the same",
      { catchingUpWith: ["ha3"], listenedMs: 30_001 },
      "ready",
      undefined,
    ],
    ["one that drains attracts nothing new", { draining: true }, "draining", /draining/],
    ["a failure counts for more than listening", { unheardPeers: ["ha2"], storeFailure: "EIO" }, "down", /EIO/],
  ])("%s", (_, change, health, reason) => {
    const readiness = assess({ ...fit, ...change });
    expect(readiness.health).toBe(health);
    expect(readiness.ready).toBe(health === "ready");
    if (reason === undefined) expect(readiness.reasons).toEqual([]);
    else expect(readiness.reasons.join("; ")).toMatch(reason);
  });
});
