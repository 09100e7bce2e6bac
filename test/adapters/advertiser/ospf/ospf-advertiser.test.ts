import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Advertisement } from "../../../../src/adapters/advertiser/advertiser.ts";
import type { LeaseHolder } from "../../../../src/adapters/advertiser/ospf/leases.ts";
import { OspfAdvertiser } from "../../../../src/adapters/advertiser/ospf/ospf-advertiser.ts";
import { announcersOf, isAccepted } from "../../../../src/adapters/advertiser/routing-view.ts";
import type { Preference } from "../../../../src/core/health/ladder.ts";
import { formatPrefix, ipv4 } from "../../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../../src/lab/wait.ts";
import { FakeOspfd, FakeZebra } from "./fake-ospfd.ts";

const NETWORK = { address: ipv4("10.64.0.0"), length: 12 };
const MASK = "255.240.0.0";
const COSTS: Record<string, number> = { anyhome: 10, "anyhome-low": 1000, "anyhome-lowest": 10_000 };

/** Kernel and ospfd together: what is leased becomes a stub network of our router, unless told otherwise. */
class Host {
  readonly leased = new Map<string, Set<string>>();
  readonly history: string[] = [];
  error: Error | undefined;
  opened = 0;
  /** Whether ospfd learns of what changes. */
  isZebraAlive = true;
  readonly #ospfd: FakeOspfd;

  constructor(ospfd: FakeOspfd) {
    this.#ospfd = ospfd;
  }

  readonly open = async (name: string): Promise<LeaseHolder> => {
    if (this.error !== undefined) throw this.error;
    this.opened += 1;
    this.leased.set(name, new Set());
    return {
      lease: (prefix) => {
        if (this.error !== undefined) throw this.error;
        this.#changed(name, "+", formatPrefix(prefix), (set) => set.add(formatPrefix(prefix)));
      },
      drop: (prefix) => this.#changed(name, "-", formatPrefix(prefix), (set) => set.delete(formatPrefix(prefix))),
      close: () => {
        this.leased.delete(name);
        this.#originate();
      },
    };
  };

  #changed(name: string, sign: string, prefix: string, change: (set: Set<string>) => void): void {
    const set = this.leased.get(name) ?? new Set();
    const before = set.size;
    change(set);
    if (set.size !== before) this.history.push(`${sign}${name} ${prefix}`);
    this.#originate();
  }

  #originate(): void {
    if (!this.isZebraAlive) return;
    const held = [...this.leased].filter(([, prefixes]) => prefixes.size > 0);
    this.#ospfd.costs = Object.fromEntries(held.map(([name]) => [name, COSTS[name] ?? 0]));
    const stubs = held.map(([name]) => ["10.64.0.0", MASK, COSTS[name] ?? 0] as const);
    this.#ospfd.routers = [
      { id: "10.1.0.11", segment: "10.1.0.1", stubs },
      ...this.#ospfd.routers.filter(({ id }) => id !== "10.1.0.11"),
    ];
  }
}

let ospfd: FakeOspfd;
let zebra: FakeZebra;
let guard: { problem: string | undefined; isReleased: boolean };
let host: Host;
let advertiser: OspfAdvertiser | undefined;
let events: { readonly event: string; readonly fields: unknown }[];

beforeEach(async () => {
  ospfd = new FakeOspfd();
  await ospfd.start();
  zebra = new FakeZebra();
  await zebra.start();
  guard = { problem: undefined, isReleased: false };
  ospfd.routers = [{ id: "10.1.0.1", segment: "10.1.0.1" }];
  host = new Host(ospfd);
  events = [];
});
afterEach(async () => {
  await advertiser?.stop();
  advertiser = undefined;
  await ospfd[Symbol.asyncDispose]();
  await zebra[Symbol.asyncDispose]();
});

function make(): OspfAdvertiser {
  advertiser = new OspfAdvertiser(
    {
      interfaceName: "anyhome",
      leaseSeconds: 1,
      vtyPath: ospfd.path,
      zebraVtyPath: zebra.path,
      self: "ha1",
      members: [
        { id: "ha1", address: ipv4("10.1.0.11") },
        { id: "ha2", address: ipv4("10.1.0.12") },
      ],
      prefixes: [NETWORK],
      log: { event: (event: string, fields: unknown) => events.push({ event, fields }) } as never,
      openInterface: host.open,
      keepGuard: () => ({
        get problem() {
          return guard.problem;
        },
        release: () => {
          guard.isReleased = true;
        },
      }),
    },
    { changed: () => undefined },
  );
  return advertiser;
}

function announcement(preference: Preference = "normal"): Advertisement {
  return { prefix: NETWORK, preference, communities: [], asPathPrepend: 0 };
}

function until(what: string, condition: () => boolean): Promise<unknown> {
  return waitFor(async () => condition(), { deadlineMs: 10_000, what });
}

describe("an OSPF advertiser", () => {
  it("announces a prefix by a lease that it renews, and withdraws what is not desired any more", async () => {
    const it = make();
    await it.start();
    expect(it.status()).toMatchObject({ type: "ospf", speaker: "running", applied: [] });
    it.set([announcement()]);
    expect(host.history).toEqual(["+anyhome 10.64.0.0/12"]);
    await until("the announcement", () => it.status().applied.length === 1);
    it.set([]);
    await until("the withdrawal", () => it.status().applied.length === 0);
    expect(host.history).toEqual(["+anyhome 10.64.0.0/12", "-anyhome 10.64.0.0/12"]);
    expect(events.map(({ event }) => event)).toEqual(["neighbor-up", "route-announced", "route-withdrawn"]);
  });

  it("changes the preference without a moment in which the prefix is gone", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    it.set([announcement("low")]);
    await until("the lower preference", () => it.status().applied[0]?.preference === "low");
    it.set([announcement("lowest")]);
    expect(host.history).toEqual([
      "+anyhome 10.64.0.0/12",
      "+anyhome-low 10.64.0.0/12",
      "-anyhome 10.64.0.0/12",
      "+anyhome-lowest 10.64.0.0/12",
      "-anyhome-low 10.64.0.0/12",
    ]);
  });

  it("takes nothing for announced that ospfd doesn't have, or has with another metric", async () => {
    const it = make();
    await it.start();
    it.set([announcement("low")]);
    ospfd.routers = [{ id: "10.1.0.11", segment: "10.1.0.1", stubs: [["10.64.0.0", MASK, 10]] }];
    await until("a look at the other metric", () => it.status().view.paths.length === 1);
    expect(it.status().applied).toEqual([]);
  });

  it("sees who announces, and that a neighbor has what it announces itself", async () => {
    const it = make();
    ospfd.routers.push({ id: "10.1.0.12", segment: "10.1.0.1", stubs: [["10.64.0.0", MASK, 10]] });
    await it.start();
    it.set([announcement()]);
    await until("both announcers", () => announcersOf(it.status().view, NETWORK)?.length === 2);
    expect(announcersOf(it.status().view, NETWORK)?.toSorted()).toEqual(["ha1", "ha2"]);
    expect(isAccepted(it.status().view, "10.1.0.1", NETWORK)).toBe(true);
    ospfd.neighbors = [{ address: "10.1.0.1", state: "Full/DR", unacknowledged: 1 }];
    await until("the neighbor to lag", () => isAccepted(it.status().view, "10.1.0.1", NETWORK) === false);
  });

  it("does not take for an announcer whose links are old, or which can't be reached", async () => {
    const it = make();
    ospfd.routers.push({ id: "10.1.0.12", stubs: [["10.64.0.0", MASK, 10]] });
    await it.start();
    expect(announcersOf(it.status().view, NETWORK)).toEqual([]);
    ospfd.routers = [
      ...ospfd.routers.filter(({ id }) => id !== "10.1.0.12"),
      { id: "10.1.0.12", segment: "10.1.0.1", ageSeconds: 3600, stubs: [["10.64.0.0", MASK, 10]] },
    ];
    await until("another look", () => it.status().speaker === "running");
    expect(announcersOf(it.status().view, NETWORK)).toEqual([]);
  });

  it("knows nothing of others without an adjacency, and is announced to nobody", async () => {
    ospfd.neighbors = [{ address: "10.1.0.1", state: "ExStart/DR" }];
    const it = make();
    await it.start();
    it.set([announcement()]);
    ospfd.neighbors = [];
    await until("the neighbor to go", () => it.status().neighbors[0]?.state === "down");
    expect(it.status().applied).toEqual([]);
    expect(announcersOf(it.status().view, NETWORK)).toBeUndefined();
  });

  it.each([
    ["is not there", async () => await ospfd.stop(), /can't be reached/],
    ["does not answer", () => Object.assign(ospfd, { hangs: true }), /does not answer within 1000 ms/],
    ["answers nonsense", () => Object.assign(ospfd, { answer: "nonsense" }), /JSON/],
    ["refuses the question", () => Object.assign(ospfd, { result: 2 }), /refused "show ip ospf neighbor json"/],
    [
      "has another router id",
      () => Object.assign(ospfd, { routerId: "10.64.0.1" }),
      /router id 10\.64\.0\.1: set it to/,
    ],
  ])("an ospfd that %s is told of once, and as soon as it is back all goes on", async (_, fail, problem) => {
    await fail();
    const it = make();
    await it.start();
    it.set([announcement()]);
    expect(it.status().speaker).toBe("failed");
    expect(it.status().lastError).toMatch(problem);
    expect(events.filter(({ event }) => event === "speaker-problem")).toHaveLength(1);
    ospfd.hangs = false;
    ospfd.answer = undefined;
    ospfd.result = 0;
    ospfd.routerId = "10.1.0.11";
    await ospfd.stop();
    await ospfd.start();
    await until("ospfd to be back", () => it.status().speaker === "running" && it.status().applied.length === 1);
  });

  it.each([
    ["is not there", async () => await zebra.stop(), /can't be reached/],
    ["does not answer", () => Object.assign(zebra, { hangs: true }), /does not answer within 1000 ms/],
    ["has lost ospfd", () => Object.assign(zebra, { clients: ["bgp"] }), /no connection to ospfd/],
  ])(
    "a zebra that %s is told of, though ospfd looks as healthy as ever, until it is back",
    async (_, fail, problem) => {
      const it = make();
      await it.start();
      it.set([announcement()]);
      await until("the announcement", () => it.status().applied.length === 1);
      await fail();
      await until("the problem", () => it.status().speaker === "failed");
      expect(it.status().lastError).toMatch(/zebra/);
      expect(it.status().lastError).toMatch(problem);
      expect(it.status().applied).toHaveLength(1);
      zebra.hangs = false;
      zebra.clients = ["bgp", "ospf"];
      await zebra.stop();
      await zebra.start();
      await until("zebra to be back", () => it.status().speaker === "running");
    },
  );

  it("tells that its ospfd is unguarded", async () => {
    const it = make();
    await it.start();
    guard.problem = "the guard of ospfd ended: killed by SIGKILL";
    await until("the problem", () => it.status().lastError === guard.problem);
    expect(it.status().speaker).toBe("failed");
  });

  it("takes a withdrawal for done when all neighbors have acknowledged it, and not before", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("the announcement", () => it.status().applied.length === 1);
    ospfd.neighbors = [
      { address: "10.1.0.1", state: "Full/DR" },
      { address: "10.1.0.2", state: "Full/Backup", unacknowledged: 1 },
    ];
    await until("a look at the neighbors", () => it.status().neighbors.length === 2);
    it.set([]);
    await until("a look at the withdrawal", () => it.status().view.paths.length === 0);
    expect(it.status().applied).toHaveLength(1);
    ospfd.neighbors = [{ address: "10.1.0.1", state: "Full/DR" }];
    await until("the withdrawal", () => it.status().applied.length === 0);
    expect(events.map(({ event }) => event)).toContain("route-withdrawn");
  });

  it.each([
    ["that can't be asked any more", async () => await ospfd.stop()],
    ["that has lost its neighbors", () => Object.assign(ospfd, { neighbors: [] })],
  ])("does not say that a route is withdrawn by an ospfd %s", async (_, fail) => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("the announcement", () => it.status().applied.length === 1);
    await fail();
    await until("a look", () => it.status().applied.length === 0);
    expect(events).toContainEqual({
      event: "route-unconfirmed",
      fields: { prefix: "10.64.0.0/12", reason: expect.any(String) },
    });
    expect(events.map(({ event }) => event)).not.toContain("route-withdrawn");
  });

  it("does not say, when it stops, that a route is withdrawn which ospfd still has, and leaves its guard to end it", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("the announcement", () => it.status().applied.length === 1);
    host.isZebraAlive = false;
    const stopped = it.stop();
    await until("a look at what ospfd has", () => host.history.at(-1) === "-anyhome 10.64.0.0/12");
    expect(guard.isReleased).toBe(false);
    // As the guard does.
    await ospfd.stop();
    await stopped;
    expect(guard.isReleased).toBe(true);
    expect(events.map(({ event }) => event)).toContain("route-unconfirmed");
    expect(events.map(({ event }) => event)).not.toContain("route-withdrawn");
  });

  it("in an area too large to be looked through announces all the same, and says that who else does isn't known", async () => {
    ospfd.areaBytes = 17 << 20;
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("the announcement", () => it.status().applied.length === 1);
    expect(it.status().speaker).toBe("running");
    expect(announcersOf(it.status().view, NETWORK)).toBeUndefined();
    expect(events).toContainEqual({
      event: "speaker-problem",
      fields: { problem: expect.stringMatching(/who else announces isn't known.*more than can be looked through/) },
    });
  });

  it("looks through an answer of several MiB, which comes in many pieces", async () => {
    ospfd.areaBytes = 8 << 20;
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("itself to be seen", () => announcersOf(it.status().view, NETWORK)?.length === 1);
    expect(events.filter(({ event }) => event === "speaker-problem")).toEqual([]);
  });

  it("that runs on none of our interfaces is told of", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    ospfd.costs = {};
    ospfd.routers = [{ id: "10.1.0.11", segment: "10.1.0.1" }];
    const watch = setInterval(() => {
      ospfd.costs = {};
      ospfd.routers = [{ id: "10.1.0.11", segment: "10.1.0.1" }];
    }, 5);
    await until("the problem", () => it.status().lastError?.includes("doesn't run on anyhome") ?? false);
    clearInterval(watch);
  });

  it("makes its interfaces anew where they fail, with all that is desired", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    host.error = new Error("netlink: ENODEV");
    await until("the failure", () => it.status().speaker === "failed" && host.leased.size === 0);
    host.error = undefined;
    await until("the repair", () => it.status().speaker === "running" && it.status().restarts === 1);
    expect(host.leased.get("anyhome")).toEqual(new Set(["10.64.0.0/12"]));
    expect(host.opened).toBe(6);
  });

  it("does not start where the interfaces can't be made", async () => {
    host.error = new Error("ioctl: EPERM");
    const it = make();
    await expect(it.start()).rejects.toThrow("EPERM");
    expect(it.status()).toMatchObject({ speaker: "failed", lastError: "ioctl: EPERM" });
  });

  it("withdraws before it stops, and leaves no interface", async () => {
    const it = make();
    await it.start();
    it.set([announcement()]);
    await until("the announcement", () => it.status().applied.length === 1);
    await it.stop();
    expect(host.history.at(-1)).toBe("-anyhome 10.64.0.0/12");
    expect(host.leased.size).toBe(0);
    expect(it.status()).toMatchObject({ speaker: "stopped", applied: [] });
  });

  it("tells when a neighbor goes; one that is no partner by the protocol is none", async () => {
    ospfd.neighbors.push({ address: "10.1.0.12", state: "2-Way/DROther" });
    const it = make();
    await it.start();
    expect(it.status().neighbors).toMatchObject([{ address: "10.1.0.1", state: "up" }]);
    ospfd.neighbors = [];
    await until("the neighbor to go", () => it.status().neighbors[0]?.state === "down");
    expect(events.map(({ event }) => event)).toEqual(["neighbor-up", "neighbor-down"]);
  });
});
