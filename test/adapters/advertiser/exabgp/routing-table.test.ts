import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { PathReport } from "../../../../src/adapters/advertiser/exabgp/helper-protocol.ts";
import { RoutingTable } from "../../../../src/adapters/advertiser/exabgp/routing-table.ts";
import { announcersOf, isAccepted, othersAnnouncing } from "../../../../src/adapters/advertiser/routing-view.ts";
import { type Ipv4Prefix, ipv4, parsePrefix } from "../../../../src/core/wire/ipv4.ts";

const R1 = "10.1.0.1";
const R2 = "10.1.0.2";
const LATER_MS = 60_000;
const NETWORK: Ipv4Prefix = parsePrefix("10.64.0.0/12") ?? { address: ipv4("0.0.0.0"), length: 0 };

const MEMBERS = [
  { id: "ha1", as: 65011, address: ipv4("10.1.0.11") },
  { id: "ha2", as: 65012, address: ipv4("10.1.0.12") },
  { id: "ha3", as: 65013, address: ipv4("10.1.0.13") },
];
/** The mark of the member with this address. */
const marked = (as: number, address: string) => [[as, 434, ipv4(address)]];

let table: RoutingTable;

beforeEach(() => {
  table = create(MEMBERS);
  session(R1);
});

function create(members: typeof MEMBERS): RoutingTable {
  const neighbors = [
    { address: R1, as: 65001 },
    { address: R2, as: 65002 },
  ];
  return new RoutingTable({ neighbors, members, self: "ha1" });
}

function session(neighbor: string, { addPath = true, atMs = 0 } = {}): void {
  table.sessionChanged(neighbor, "connected", atMs);
  table.negotiated(neighbor, addPath);
  table.sessionChanged(neighbor, "up", atMs);
}

function path(
  pathId: string,
  asPath: readonly number[],
  more: Partial<PathReport> & { marks?: unknown } = {},
): PathReport {
  const { marks = [], ...rest } = more;
  const attributes = { "as-path": asPath, "large-community": marks };
  return { neighbor: R1, prefix: "10.64.0.0/12", pathId, nextHop: "10.1.0.9", attributes, ...rest };
}

const withdrawn = (pathId: string): PathReport => ({ neighbor: R1, prefix: "10.64.0.0/12", pathId });

function announcers(): readonly string[] | undefined {
  return announcersOf(table.view(LATER_MS), NETWORK);
}

describe("who announces", () => {
  test("is known by the AS that the path begins in", () => {
    table.told(path("0.0.0.1", [65001, 65012]));
    table.told(path("0.0.0.2", [65001, 65013, 65013]));
    expect(announcers()).toEqual(["ha2", "ha3"]);
  });

  test("is known by the member's own large community, where members share an AS", () => {
    table = create(MEMBERS.map((member) => ({ ...member, as: 65010 })));
    session(R1);
    table.told(path("0.0.0.1", [65001, 65010], { marks: marked(65010, "10.1.0.12") }));
    table.told(path("0.0.0.2", [65001, 65010]));
    expect(announcers()).toEqual(["ha2"]);
    expect(table.view(LATER_MS).paths.map(({ announcer }) => announcer)).toEqual(["ha2", undefined]);
  });

  test("is told anew of what routers have said already, when members come or go", () => {
    table.told(path("0.0.0.1", [65001, 65014]));
    expect(announcers()).toEqual([]);
    table.setMembers([...MEMBERS, { id: "ha4", as: 65014, address: ipv4("10.1.0.14") }]);
    expect(announcers()).toEqual(["ha4"]);
    table.setMembers(MEMBERS);
    expect(announcers()).toEqual([]);
  });

  test("is nobody of the cluster, where neither fits", () => {
    table.told(path("0.0.0.1", [65001, 64999], { marks: marked(64999, "10.1.0.12") }));
    expect(announcers()).toEqual([]);
    expect(table.view(LATER_MS).paths).toHaveLength(1);
  });

  test("is as the router said last: a path that is told again replaces, a withdrawn one is gone", () => {
    table.told(path("0.0.0.1", [65001, 65012]));
    table.told(path("0.0.0.1", [65001, 65013]));
    expect(announcers()).toEqual(["ha3"]);
    table.told(withdrawn("0.0.0.1"));
    expect(announcers()).toEqual([]);
  });

  test("is not known any more when the session ends, and isn't what it was when it is back", () => {
    table.told(path("0.0.0.1", [65001, 65012]));
    table.sessionChanged(R1, "down", 100);
    expect(announcers()).toBeUndefined();
    session(R1, { atMs: 200 });
    expect(announcers()).toEqual([]);
  });
});

describe("a view is complete", () => {
  const isComplete = (nowMs = LATER_MS) => table.view(nowMs).isComplete;

  test("some time after a session is up on which the router sends all its paths", () => {
    expect(isComplete(2999)).toBe(false);
    expect(isComplete(3000)).toBe(true);
  });

  test("not without any session", () => {
    table.sessionChanged(R1, "down", 1);
    expect(isComplete()).toBe(false);
  });

  test("not while a router with a session sends its best path only", () => {
    session(R2, { addPath: false });
    expect(isComplete()).toBe(false);
    expect(table.view(LATER_MS).complete).toEqual([R1]);
    table.sessionChanged(R2, "down", 1);
    expect(isComplete()).toBe(true);
  });

  test("not where something that a router said was lost, until its next session", () => {
    table.lost(R1);
    expect(isComplete()).toBe(false);
    session(R1);
    expect(isComplete()).toBe(true);
  });

  test.each<[string, Partial<PathReport>]>([
    ["attributes that are none", { attributes: "none" }],
    ["no next hop", { nextHop: undefined } as unknown as Partial<PathReport>],
    ["a next hop that would write to a terminal", { nextHop: "10.1.0.9\u001b[2J" }],
    ["a next hop of another family", { nextHop: "2001:db8::1" }],
    ["a path id that would write to a terminal", { pathId: "\u001b[2J" }],
    ["a path id beyond what has 32 bits", { pathId: "12345678901" }],
  ])("not where it said what makes no sense: %s", (_, more) => {
    expect(table.told(path("0.0.0.1", [65001, 65012], more))).toBe(false);
    expect(isComplete()).toBe(false);
    expect(table.view(LATER_MS).paths).toEqual([]);
  });

  test("whether it says its path ids as addresses or as numbers", () => {
    expect(table.told(path("0.0.0.1", [65001, 65012]))).toBe(true);
    expect(table.told(path("4294967295", [65001, 65012]))).toBe(true);
    expect(table.told({ ...path("", [65001, 65012]), pathId: null })).toBe(true);
    expect(isComplete()).toBe(true);
  });
});

describe("our own route", () => {
  const accepted = () => isAccepted(table.view(LATER_MS), R1, NETWORK);

  test("is accepted where the router tells it back", () => {
    table.told(path("0.0.0.1", [65001, 65011]));
    expect(accepted()).toBe(true);
    expect(isAccepted(table.view(LATER_MS), R2, NETWORK)).toBeUndefined();
    expect(othersAnnouncing(table.view(LATER_MS), NETWORK, "ha1")).toEqual([]);
  });

  test("is accepted also if it is prepended", () => {
    table.told(path("0.0.0.1", [65001, 65011, 65011, 65011]));
    expect(accepted()).toBe(true);
  });

  test("isn't, where the router has it by another one only", () => {
    table.told(path("0.0.0.1", [65001, 65002, 65011]));
    expect(accepted()).toBe(false);
    expect(announcers()).toEqual(["ha1"]);
  });

  test("may be or not, where the router doesn't tell all it has", () => {
    session(R1, { addPath: false });
    expect(accepted()).toBeUndefined();
  });
});

test("however much a router tells, no more than 512 paths are kept, and the view says that it isn't complete", () => {
  const told = Array.from({ length: 600 }, (_, index) => table.told(path(String(index), [65001, 65012])));
  expect(told.filter((isKept) => isKept)).toHaveLength(512);
  expect(table.view(LATER_MS)).toMatchObject({ complete: [], isComplete: false });
  expect(table.view(LATER_MS).paths).toHaveLength(512);
});

test("strangers are not listened to", () => {
  expect(table.told(path("0.0.0.1", [65001], { neighbor: "192.0.2.9" }))).toBe(false);
  expect(table.told(path("0.0.0.1", [65001], { prefix: "nonsense" }))).toBe(false);
  expect(table.view(LATER_MS).paths).toEqual([]);
});

test("after any sequence, the view is what a plain map of the last words would be", () => {
  const step = fc.record({ id: fc.constantFrom("1", "2", "3"), as: fc.option(fc.constantFrom(65011, 65012, 64999)) });
  fc.assert(
    fc.property(fc.array(fc.option(step, { freq: 8 })), (steps) => {
      table = create(MEMBERS);
      session(R1);
      const expected = new Map<string, number>();
      for (const it of steps) {
        if (it === null) {
          session(R1);
          expected.clear();
        } else if (it.as === null) {
          table.told(withdrawn(it.id));
          expected.delete(it.id);
        } else {
          table.told(path(it.id, [65001, it.as]));
          expected.set(it.id, it.as);
        }
      }
      const seen = table.view(LATER_MS).paths.map(({ pathId, attributes }) => [pathId, attributes.asPath.at(-1)]);
      expect(new Map(seen as [string, number][])).toEqual(expected);
    }),
  );
});
