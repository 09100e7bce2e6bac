/** What drills make of what they have seen. It needs no lab. */
import { describe, expect, test } from "vitest";
import type { LoggedRegistration } from "../../src/lab/chaos/accepted-log.ts";
import { type DrillRun, haveAllPassed, median, relax, summarize } from "../../src/lab/drill/drill-report.ts";
import { RouteMonitorReader } from "../../src/lab/drill/route-watch.ts";
import { experienced } from "../../src/lab/drill/run-drills.ts";

const run = (changes: Partial<DrillRun> = {}): DrillRun => ({
  drill: "kill",
  homeAgent: "ha1",
  fibMs: 100,
  servedMs: 1100,
  slowestMs: 1200,
  sent: 1000,
  accepted: 1000,
  denied: 0,
  repeated: 3,
  mostRepeated: 1,
  unanswered: 0,
  lost: [],
  ...changes,
});

test.each([
  [[], null],
  [[null, null], null],
  [[7], 7],
  [[9, null, 1, 2], 2],
  [[4, 1, 2, 100], 3],
])("the median of %j is %j", (values, expected) => {
  expect(median(values)).toBe(expected);
});

describe("a summary", () => {
  test("has medians of times, and sums of counts, of its own drill", () => {
    const runs = [
      run(),
      run({ fibMs: 300, unanswered: 2 }),
      run({ fibMs: 120, servedMs: null }),
      run({ drill: "hang" }),
    ];
    expect(summarize("kill", runs, { fibMs: 300, lost: 0 }, true)).toEqual({
      drill: "kill",
      runs: 3,
      fibMs: 120,
      servedMs: 1100,
      slowestMs: 1200,
      mostRepeated: 1,
      repeated: 9,
      denied: 0,
      unanswered: 2,
      lost: 0,
      limits: { fibMs: 300, lost: 0 },
      exceeded: [],
    });
  });

  test.each<[string, Partial<DrillRun>, string[]]>([
    ["is in time to the millisecond", { fibMs: 300 }, []],
    ["is late", { fibMs: 301 }, ["fibMs"]],
    ["kept its route", { fibMs: null }, ["fibMs"]],
    ["left somebody unanswered", { unanswered: 1 }, ["unanswered"]],
    ["served nobody any more", { slowestMs: null }, ["unanswered"]],
    ["denied somebody", { denied: 1 }, ["denied"]],
    ["made somebody wait", { slowestMs: 2000 }, ["slowestMs"]],
    ["lost a registration", { lost: [{ mobile: "ip:10.64.1.1", problem: "nobody holds it" }] }, ["lost"]],
  ])("of one that %s says which limits were exceeded", (_, changes, exceeded) => {
    const limits = { fibMs: 300, slowestMs: 1500, denied: 0, unanswered: 0, lost: 0 };
    const summary = summarize("kill", [run(changes)], limits, true);
    expect(summary.exceeded).toEqual(exceeded);
    expect(haveAllPassed({ summaries: [summary], runs: [] })).toBe(exceeded.length === 0);
  });

  test("counts the slowest registration of all runs, whatever the median", () => {
    const runs = [run({ slowestMs: 50 }), run({ slowestMs: null }), run({ slowestMs: 4900 }), run({ slowestMs: 50 })];
    expect(summarize("kill", runs, { slowestMs: 100 }, true)).toMatchObject({
      slowestMs: 4900,
      exceeded: ["slowestMs"],
    });
  });

  test("has not passed where a failure ended the drills", () => {
    const summary = summarize("kill", [run()], {}, true);
    expect(haveAllPassed({ summaries: [summary], runs: [] })).toBe(true);
    expect(haveAllPassed({ summaries: [summary], runs: [], failure: "the lab is not whole" })).toBe(false);
  });

  test("counts a route that stays in one of several runs as too late, whatever the median", () => {
    const runs = [run(), run(), run({ fibMs: null })];
    expect(summarize("kill", runs, { fibMs: 300 }, true).exceeded).toEqual(["fibMs"]);
  });

  test("lets the route stay where it shall", () => {
    expect(summarize("partition", [run({ drill: "partition", fibMs: null })], { fibMs: 300 }, false).exceeded).toEqual(
      [],
    );
  });
});

test("slow machines get more time, but may lose nothing", () => {
  expect(relax({ fibMs: 150, slowestMs: 100, unanswered: 0, lost: 3 }, 2)).toEqual({
    fibMs: 300,
    slowestMs: 200,
    unanswered: 0,
    lost: 3,
  });
});

describe("what mobiles experienced", () => {
  const BLOW = Date.parse("2030-01-01T00:00:10.000Z");
  const END = BLOW + 3500;
  const registration = (afterMs: number, latencyMs: number, tries: number): LoggedRegistration => ({
    time: new Date(BLOW + afterMs).toISOString(),
    homeAddress: "10.64.1.1",
    nai: null,
    identification: "0xeeae6a5562e00001",
    lifetime: 1800,
    latencyMs,
    tries,
  });
  const givenUp = (afterMs: number, latencyMs: number, tries: number): LoggedRegistration => ({
    ...registration(afterMs, latencyMs, tries),
    identification: null,
    lifetime: null,
  });

  test("is who was served first of those that had to ask again, who waited longest, and who got no answer", () => {
    const all = [
      registration(10, 12, 1),
      registration(1500, 1400, 2),
      registration(1200, 1150, 2),
      registration(2300, 2200, 3),
      givenUp(5100, 5000, 5),
    ];
    expect(experienced(all, BLOW, END)).toEqual({
      servedMs: 1200,
      slowestMs: 2200,
      repeated: 8,
      mostRepeated: 4,
      unanswered: 1,
    });
  });

  test("has nothing of what began when the observation was nearly over", () => {
    const all = [
      registration(2600, 150, 1),
      registration(2700, 199, 1),
      registration(9000, 6501, 2),
      givenUp(9000, 5000, 5),
    ];
    expect(experienced(all, BLOW, END)).toEqual({
      servedMs: 9000,
      slowestMs: 6501,
      repeated: 1,
      mostRepeated: 1,
      unanswered: 0,
    });
  });

  test("has nothing of what went wrong before", () => {
    const before = [registration(-500, 100, 1), registration(50, 1100, 2), givenUp(-10, 5000, 5), givenUp(10, 5000, 5)];
    expect(experienced([...before, registration(10, 12, 1)], BLOW, END)).toEqual({
      servedMs: null,
      slowestMs: 12,
      repeated: 0,
      mostRepeated: 0,
      unanswered: 0,
    });
    expect(experienced([], BLOW, END)).toEqual({
      servedMs: null,
      slowestMs: null,
      repeated: 0,
      mostRepeated: 0,
      unanswered: 0,
    });
  });
});

describe("the route monitor", () => {
  const read = (...lines: string[]) => {
    const reader = new RouteMonitorReader("10.64.0.0/12");
    for (const line of lines) reader.read(line);
    return reader.changes;
  };
  const atMs = Date.parse("2026-11-26T08:11:12.498614Z");

  test("understands several next hops, one, and none", () => {
    expect(
      read(
        "[2026-11-26T08:11:12.498614] 10.64.0.0/12 nhid 27 proto bgp metric 20 ",
        "\tnexthop via 10.1.0.11 dev ha-lan weight 1 ",
        "\tnexthop via 10.1.0.12 dev ha-lan weight 1 ",
        "[2026-11-26T08:11:12.598614] 10.64.0.0/12 nhid 30 via 10.1.0.11 dev ha-lan proto bgp metric 20 ",
        "[2026-11-26T08:11:12.698614] Deleted 10.64.0.0/12 nhid 30 via 10.1.0.11 dev ha-lan proto bgp metric 20 ",
      ),
    ).toEqual([
      { atMs, nextHops: ["10.1.0.11", "10.1.0.12"] },
      { atMs: atMs + 100, nextHops: ["10.1.0.11"] },
      { atMs: atMs + 200, nextHops: [] },
    ]);
  });

  test("looks at no other prefix, nor at the lines that belong to one", () => {
    expect(
      read(
        "[2026-11-26T08:11:12.498614] 10.64.0.0/12 nhid 27 via 10.1.0.11 dev ha-lan proto bgp metric 20 ",
        "[2026-11-26T08:11:12.498614] 10.64.0.0/13 nhid 27 proto bgp metric 20 ",
        "\tnexthop via 10.1.0.13 dev ha-lan weight 1 ",
        "Deleted or garbled",
      ),
    ).toEqual([{ atMs, nextHops: ["10.1.0.11"] }]);
  });
});
