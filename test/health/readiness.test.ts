import { describe, expect, it } from "vitest";
import { assess, type Condition } from "../../src/health/readiness.ts";

const fit: Condition = {
  unheardPeers: [],
  peersHadTheirTime: false,
  storeFailure: undefined,
  registrationSocketFailure: undefined,
  stopping: false,
};

describe("readiness", () => {
  it.each<[string, Partial<Condition>, string, RegExp | undefined]>([
    ["a fit home agent is ready", {}, "ready", undefined],
    ["one that has not heard all peers yet listens first", { unheardPeers: ["ha2", "ha3"] }, "starting", /ha2, ha3/],
    [
      "one whose peers had their time takes them for dead",
      { unheardPeers: ["ha2"], peersHadTheirTime: true },
      "ready",
      undefined,
    ],
    ["one that can't write is down", { storeFailure: "disk full" }, "down", /disk full/],
    ["one that can't receive is down", { registrationSocketFailure: "EADDRNOTAVAIL" }, "down", /EADDRNOTAVAIL/],
    ["one that stops is down, whatever else holds", { stopping: true }, "down", /stopping/],
    ["a failure counts for more than listening", { unheardPeers: ["ha2"], storeFailure: "EIO" }, "down", /EIO/],
  ])("%s", (_, change, health, reason) => {
    const readiness = assess({ ...fit, ...change });
    expect(readiness.health).toBe(health);
    expect(readiness.ready).toBe(health === "ready");
    if (reason === undefined) expect(readiness.reasons).toEqual([]);
    else expect(readiness.reasons.join("; ")).toMatch(reason);
  });
});
