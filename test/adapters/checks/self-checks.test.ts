import { describe, expect, it } from "vitest";
import type { RoutingView } from "../../../src/adapters/advertiser/routing-view.ts";
import { UNKNOWN_VIEW } from "../../../src/adapters/advertiser/routing-view.ts";
import { type SelfCheck, SelfChecks, type Vitals } from "../../../src/adapters/checks/self-checks.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const prefix = { address: ipv4("10.64.0.0"), length: 12 };
const settings = {
  prefix,
  eventLoop: { degraded: 500, fail: 5000 },
  storeLatency: { degraded: 500, fail: 2000 },
  freeDisk: { degraded: 256, fail: 32 },
  receiveOverflows: { degraded: 1000, fail: 100_000 },
  clock: { degraded: 1000, fail: 5000 },
  unheardAfterMs: 10_000,
};

const announcement = { prefix, communities: [], asPathPrepend: 0 };
const router = (state: "up" | "down") => ({ address: "10.1.0.1", state, sinceMs: 0 });
const well: Vitals = {
  eventLoopDelayMs: 2,
  store: { commits: 1, lastCommitMs: 3, oldestQueuedMs: 0, freeBytes: 1000 },
  hasTooFewBackups: false,
  receiveOverflows: 7,
  receiveErrors: 0,
  replyRoutes: { known: 2, missing: 0, problem: "" },
  replies: { tried: 0, failed: 0, problem: "" },
  requests: { tried: 0, failed: 0, problem: "" },
  inputsFailed: { tick: 0, others: 0 },
  peers: [],
  advertiser: { applied: [announcement], neighbors: [router("up")], view: UNKNOWN_VIEW },
};

/** What is found of a check at times and vitals, each a change of what is well. */
function states(check: SelfCheck, ...looks: readonly (readonly [number, Partial<Vitals>])[]): string {
  const checks = new SelfChecks(settings);
  return looks.map(([atMs, change]) => checks.look({ ...well, ...change }, atMs)[check]?.state ?? "unknown").join(" ");
}

const peer = (clockSkewMs: number, state: "alive" | "skewed" | "dead" = "alive") => ({ state, clockSkewMs });
/** What the router tells, all it has or only its best path. */
const seen = (all: "all" | "best", ...announcers: readonly string[]): RoutingView => ({
  complete: all === "all" ? ["10.1.0.1"] : [],
  isComplete: all === "all",
  paths: announcers.map((announcer) => ({
    prefix,
    neighbor: "10.1.0.1",
    nextHop: "10.1.0.11",
    attributes: { asPath: [], communities: [], largeCommunities: [] },
    announcer,
    isEcho: announcer === "ha1",
  })),
});
const routing = (view: RoutingView, applied = [announcement]) => ({
  advertiser: { ...well.advertiser, applied, view },
});

describe("a member that looks at itself", () => {
  it.each<[SelfCheck, string, Partial<Vitals>, string]>([
    ["event-loop", "runs", { eventLoopDelayMs: 499 }, "pass"],
    ["event-loop", "hardly gets to run", { eventLoopDelayMs: 500 }, "degraded"],
    ["event-loop", "doesn't get to run", { eventLoopDelayMs: 5000 }, "fail"],
    ["store-latency", "has a slow disk", { store: { ...well.store, lastCommitMs: 600 } }, "degraded"],
    ["store-latency", "has a disk that is about to hang", { store: { ...well.store, oldestQueuedMs: 2500 } }, "fail"],
    ["free-disk", "has room", { store: { ...well.store, freeBytes: 256 } }, "pass"],
    ["free-disk", "has little room", { store: { ...well.store, freeBytes: 255 } }, "degraded"],
    ["free-disk", "has no room", { store: { ...well.store, freeBytes: 31 } }, "fail"],
    ["free-disk", "has not a byte", { store: { ...well.store, freeBytes: 0 } }, "fail"],
    ["free-disk", "can't tell how much room it has", { store: { ...well.store, freeBytes: undefined } }, "unknown"],
    ["replication", "has no backups", { hasTooFewBackups: true }, "degraded"],
    ["clock", "can't know which of two clocks is wrong", { peers: [peer(9000)] }, "unknown"],
    ["clock", "knows that one of three is wrong, but not its own", { peers: [peer(9000), peer(2)] }, "pass"],
    ["clock", "differs from most", { peers: [peer(-1200), peer(-3000)] }, "degraded"],
    ["clock", "differs much from most", { peers: [peer(7000), peer(7000), peer(7000), peer(0)] }, "fail"],
    [
      "clock",
      "asks those that are left out for it",
      { peers: [peer(40_000, "skewed"), peer(40_000, "skewed")] },
      "fail",
    ],
    ["clock", "doesn't ask the dead", { peers: [peer(9000, "dead"), peer(9000, "dead")] }, "unknown"],
    ["acceptance", "is told back", routing(seen("best", "ha2", "ha1")), "pass"],
    ["acceptance", "knows nothing of what routers have", routing(UNKNOWN_VIEW), "unknown"],
    ["acceptance", "isn't the best of those that are told", routing(seen("best", "ha2")), "unknown"],
    ["routes", "has routes", {}, "pass"],
    ["routes", "has answered nobody", { replyRoutes: { known: 0, missing: 0, problem: "" } }, "pass"],
    ["routes", "has lost one of many", { replyRoutes: { known: 5, missing: 2, problem: "ENETUNREACH" } }, "pass"],
    ["routes", "has lost half", { replyRoutes: { known: 4, missing: 2, problem: "ENETUNREACH" } }, "degraded"],
    ["routes", "has lost all", { replyRoutes: { known: 4, missing: 4, problem: "ENETUNREACH" } }, "fail"],
    ["session", "has no router to be heard by", { advertiser: { ...well.advertiser, neighbors: [] } }, "unknown"],
  ])("%s: %s", (check, _, change, state) => {
    expect(states(check, [0, change])).toBe(state);
  });

  it("counts a slow commit once, not as long as none follows", () => {
    const slow = { store: { ...well.store, lastCommitMs: 900 } };
    expect(states("store-latency", [0, slow], [500, slow])).toBe("degraded pass");
  });

  it("counts drops by the second, and what was dropped before its first look not at all", () => {
    expect(
      states(
        "receive-overflows",
        [0, { receiveOverflows: 900_000 }],
        [500, { receiveOverflows: 900_499 }],
        [1000, { receiveOverflows: 900_999 }],
        [1500, { receiveOverflows: 999_999 }],
      ),
    ).toBe("unknown pass degraded fail");
  });

  const outcomes = (tried: number, failed: number) => ({ tried, failed, problem: "EPERM" });

  it("fails when half of the replies of the last 10 s could not be sent, and passes once that is over", () => {
    expect(
      states(
        "replies",
        [0, { replies: outcomes(100, 0) }],
        [500, { replies: outcomes(110, 1) }],
        [1000, { replies: outcomes(120, 5) }],
        [1500, { replies: outcomes(130, 15) }],
        [9000, { replies: outcomes(130, 15) }],
        [12_000, { replies: outcomes(130, 15) }],
      ),
    ).toBe("pass degraded degraded fail fail pass");
  });

  it("can't tell from a reply or two", () => {
    expect(states("replies", [0, {}], [500, { replies: outcomes(2, 2) }], [1000, { replies: outcomes(3, 3) }])).toBe(
      "pass unknown fail",
    );
  });

  it("is degraded when it has no room for requests, and fails by no flood", () => {
    expect(
      states("overload", [0, {}], [500, { requests: outcomes(1000, 99) }], [1000, { requests: outcomes(1e6, 9e5) }]),
    ).toBe("pass pass degraded");
  });

  it("is degraded while its sockets report errors, or the core fails at inputs; and fails if time doesn't pass for it", () => {
    expect(states("receive-errors", [0, {}], [500, { receiveErrors: 2 }], [1000, { receiveErrors: 2 }])).toBe(
      "pass degraded pass",
    );
    expect(
      states(
        "inputs",
        [0, {}],
        [500, { inputsFailed: { tick: 0, others: 4 } }],
        [1000, { inputsFailed: { tick: 1, others: 4 } }],
        [1500, { inputsFailed: { tick: 1, others: 4 } }],
      ),
    ).toBe("pass degraded fail pass");
  });

  it("is degraded when no router has been connected for long, and well with any that is", () => {
    const neighbors = (...states: readonly ("up" | "down")[]) => ({
      advertiser: { ...well.advertiser, neighbors: states.map(router) },
    });
    expect(
      states(
        "session",
        [0, neighbors("down", "down")],
        [9999, neighbors("down", "down")],
        [10_000, neighbors("down", "down")],
        [10_500, neighbors("down", "up")],
        [11_000, neighbors("down", "down")],
      ),
    ).toBe("pass pass degraded pass pass");
  });

  it("is degraded when routers have told others' announcements and not ours for long", () => {
    const filtered = routing(seen("all", "ha2"));
    expect(
      states(
        "acceptance",
        [0, routing(seen("all", "ha1"))],
        [500, filtered],
        [9999, filtered],
        [10_000, filtered],
        [10_500, routing(seen("all"), [])],
        [11_000, filtered],
      ),
    ).toBe("pass pass pass degraded unknown pass");
  });
});
