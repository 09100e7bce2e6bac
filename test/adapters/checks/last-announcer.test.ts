/** Promise 3 of the design: a cluster in which nobody is fit does not withdraw itself, whatever the order of events. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ladder, type Rung } from "../../../src/core/health/ladder.ts";
import { Heartbeats } from "../../../src/core/members/heartbeats.ts";
import { Membership } from "../../../src/core/members/membership.ts";
import { TrustedClock } from "../../../src/core/members/trusted-clock.ts";
import type { Message } from "../../../src/core/protocol/datagrams.ts";

const IDS = ["ha1", "ha2", "ha3"] as const;
type Id = (typeof IDS)[number];

const LADDER = {
  startDelayMs: 1000,
  // Without any delay, only what members know of each other keeps them announced.
  holdDownMs: 0,
  damping: { halfLifeMs: 60_000, suppress: 1000, reuse: 1, maximumMs: 240_000 },
};

type Knowledge = "of peers that know" | "of peers";

/** Three members' heartbeats and ladders, on a network that keeps, reorders and loses what it likes. */
class Cluster {
  nowMs = 0;
  readonly #members = new Map<Id, ReturnType<Cluster["make"]>>();
  readonly #inFlight: { readonly from: Id; readonly to: string; readonly message: Message }[] = [];
  readonly #knowledge: Knowledge;

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
    for (const id of IDS) this.#members.set(id, this.make(id));
    for (let round = 0; round < 3; round++) {
      this.pass(200);
      this.deliverAll();
    }
  }

  make(id: Id) {
    const membership = new Membership({
      self: id,
      peers: IDS.filter((other) => other !== id),
      peerTimeoutMs: 800,
      maximumClockSkewMs: 30_000,
      heartbeatIntervalMs: 200,
      membersDigest: 1,
    });
    const heartbeats = new Heartbeats({
      self: id,
      members: [],
      membership,
      clock: new TrustedClock(
        { memberCount: 3, maximumSkewMs: 30_000, witnessMs: 1600 },
        { count: () => undefined, countBy: () => undefined, event: () => undefined },
      ),
      observer: { count: () => undefined, countBy: () => undefined, event: () => undefined },
      intervalMs: 200,
      send: (to, message) => this.#inFlight.push({ from: id, to, message }),
      load: () => ({ ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 }),
    });
    return { membership, heartbeats, ladder: new Ladder(LADDER), isFit: true, rung: undefined as Rung | undefined };
  }

  get announced(): Id[] {
    return IDS.filter((id) => this.#member(id).rung?.preference !== undefined);
  }

  set(id: Id, isFit: boolean): void {
    this.#member(id).isFit = isFit;
    this.assess(id);
  }

  /** As the daemon does. */
  assess(id: Id): void {
    const member = this.#member(id);
    const { heartbeats, membership, ladder } = member;
    const standIns =
      this.#knowledge === "of peers"
        ? [...membership.values()].filter(
            ({ state, health, announced }) => state === "alive" && health === "ready" && announced,
          )
        : heartbeats.standIns;
    const standing = { level: member.isFit ? "fit" : "unfit", reasons: [] } as const;
    member.rung = ladder.climb(standing, { draining: false, othersServe: standIns.length > 0 }, this.nowMs);
    heartbeats.setHealth(member.rung.health, member.rung.preference !== undefined);
    heartbeats.passTime({ wallMs: this.nowMs, monotonicMs: this.nowMs });
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const id of IDS) this.assess(id);
  }

  deliver(index: number): void {
    const [frame] = this.#inFlight.splice(index % Math.max(this.#inFlight.length, 1), 1);
    if (frame?.message.type !== "heartbeat") return;
    const now = { wallMs: this.nowMs, monotonicMs: this.nowMs };
    this.#member(frame.to as Id).heartbeats.received(frame.from, 1n, frame.message, now);
  }

  deliverAll(): void {
    while (this.#inFlight.length > 0) this.deliver(0);
  }

  lose(index: number): void {
    this.#inFlight.splice(index % Math.max(this.#inFlight.length, 1), 1);
  }

  #member(id: Id) {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }
}

type Step = (cluster: Cluster) => void;

const member = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(member, fc.boolean()).map(
      ([id, fit]) =>
        (it: Cluster) =>
          it.set(id, fit),
    ),
  },
  { weight: 3, arbitrary: member.map((id) => (it: Cluster) => it.assess(id)) },
  { weight: 4, arbitrary: fc.nat(100).map((index) => (it: Cluster) => it.deliver(index)) },
  { weight: 1, arbitrary: fc.nat(100).map((index) => (it: Cluster) => it.lose(index)) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 300 }).map((ms) => (it: Cluster) => it.pass(ms)) },
);

/** At every moment somebody is announced. */
function neverEmpty(knowledge: Knowledge) {
  return fc.property(fc.array(step, { minLength: 30, maxLength: 200, size: "max" }), (steps) => {
    const cluster = new Cluster(knowledge);
    expect(cluster.announced).toEqual(IDS);
    for (const next of steps) {
      next(cluster);
      if (cluster.announced.length === 0) return false;
    }
    return true;
  });
}

describe("three members that become unfit and fit in any order, with heartbeats late, lost and reordered", () => {
  it("are never all withdrawn, not for a moment", () => {
    fc.assert(neverEmpty("of peers that know"), { numRuns: 1000 });
  });

  it("would be, if they relied on peers that don't know of it yet", () => {
    expect(fc.check(neverEmpty("of peers"), { numRuns: 2000, seed: 1 }).failed).toBe(true);
  });
});

describe("three members that are all told to be unfit at the same moment", () => {
  it("all guard, and none of them leaves as long as that lasts", () => {
    const cluster = new Cluster("of peers that know");
    for (const id of IDS) cluster.set(id, false);
    for (let round = 0; round < 50; round++) {
      expect(cluster.announced).toEqual(IDS);
      cluster.deliverAll();
      cluster.pass(200);
    }
  });

  it("leave routing to the first that is fit again, and only to that one", () => {
    const cluster = new Cluster("of peers that know");
    for (const id of IDS) cluster.set(id, false);
    cluster.deliverAll();
    cluster.set("ha2", true);
    for (let round = 0; round < 5; round++) {
      cluster.deliverAll();
      cluster.pass(200);
    }
    expect(cluster.announced).toEqual(["ha2"]);
  });
});
