import { describe, expect, it } from "vitest";
import { assess, type Condition } from "../../../src/core/health/readiness.ts";
import type { CheckStatus } from "../../../src/core/health/settled-check.ts";

const fit: Condition = {
  unheardPeers: [],
  listenedMs: 0,
  peerTimeoutMs: 800,
  storeFailure: undefined,
  oldestQueuedMs: 20,
  registrationSocketFailure: undefined,
  dataPlaneFailure: undefined,
  catchingUpWith: [],
  peersHearingAnother: [],
  checks: [],
  stopping: false,
};

function check(name: string, state: CheckStatus["state"], isAwaited = false): CheckStatus {
  return { name, state, sinceMs: 0, reason: `${name} is so`, isAwaited };
}

describe("readiness", () => {
  it.each<[string, Partial<Condition>, string, RegExp | undefined]>([
    ["a home agent with nothing amiss is fit", {}, "fit", undefined],
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
      "fit",
      undefined,
    ],
    [
      "one that can't forward packets, where it should, has failed",
      { dataPlaneFailure: "there is no uplink (auto)" },
      "failed",
      /can't be forwarded: there is no uplink/,
    ],
    ["one with a slow disk is fit", { oldestQueuedMs: 3000 }, "fit", undefined],
    ["one whose disk hangs has failed, though no write has yet", { oldestQueuedMs: 3001 }, "failed", /hangs.*3 s/],
    ["one that can't write has failed", { storeFailure: "disk full" }, "failed", /disk full/],
    ["one that can't receive has failed", { registrationSocketFailure: "EADDRNOTAVAIL" }, "failed", /EADDRNOTAVAIL/],
    [
      "one that is another daemon to its peers has failed",
      { peersHearingAnother: ["ha2"] },
      "failed",
      /ha2 hears another daemon/,
    ],
    ["one that stops has failed, whatever else holds", { stopping: true }, "failed", /stopping/],
    ["one that is behind its peers catches up first", { catchingUpWith: ["ha3"] }, "starting", /catching up with ha3/],
    ["one that can't catch up serves all the same", { catchingUpWith: ["ha3"], listenedMs: 30_001 }, "fit", undefined],
    ["a failure counts for more than listening", { unheardPeers: ["ha2"], storeFailure: "EIO" }, "failed", /EIO/],
    [
      "one with a failing check is unfit",
      { checks: [check("disk", "fail"), check("clock", "degraded")] },
      "unfit",
      /disk is so; clock: clock is so/,
    ],
    [
      "one with a degraded check is degraded",
      { checks: [check("disk", "pass"), check("clock", "degraded")] },
      "degraded",
      /^clock: clock is so$/,
    ],
    ["a check that nothing is known of is no reason", { checks: [check("route", "unknown")] }, "fit", undefined],
    ["a check that is awaited is waited for", { checks: [check("uplink", "unknown", true)] }, "starting", /uplink/],
    [
      "a failure counts for more than a check",
      { checks: [check("disk", "fail")], storeFailure: "EIO" },
      "failed",
      /EIO/,
    ],
    [
      "a check counts only after the start",
      { checks: [check("disk", "fail")], unheardPeers: ["ha2"] },
      "starting",
      /ha2/,
    ],
  ])("%s", (_, change, level, reason) => {
    const standing = assess({ ...fit, ...change });
    expect(standing.level).toBe(level);
    if (reason === undefined) expect(standing.reasons).toEqual([]);
    else expect(standing.reasons.join("; ")).toMatch(reason);
  });
});
