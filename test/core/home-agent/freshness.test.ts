/** What was recorded on the way between two members, and is sent again by somebody who has no key. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Acquaintance, type FrameNumber, incarnationOf } from "../../../src/core/protocol/acquaintance.ts";
import { type Endpoint, formatIpv4, ipv4 } from "../../../src/core/wire/ipv4.ts";
import { foreignAgent, type SentFrame, TestCluster } from "./test-cluster.ts";

const STRANGER = { address: ipv4("198.51.100.66"), port: 6666 };

/** A cluster, whose frames are recorded from now on. */
function recording(cluster: TestCluster): SentFrame[] {
  const recorded: SentFrame[] = [];
  cluster.onFrame = (frame) => recorded.push(frame);
  return recorded;
}

function replay(cluster: TestCluster, frames: readonly SentFrame[], to: string): void {
  for (const { payload } of frames) cluster.input(to, { type: "frame", payload, source: STRANGER });
}

function peersOf(cluster: TestCluster, id: string) {
  return [...cluster.agent(id).peers].map(({ lastHeardMs, clockSkewMs, isUnproven, ...peer }) => peer);
}

describe("frames that were recorded before a member's restart", () => {
  test("change nothing of what it knows of the others, whenever they come after it", () => {
    const cluster = new TestCluster(3);
    const recorded = recording(cluster);
    cluster.input("ha3", { type: "vitals", health: "degraded", announced: true, eventLoopDelayMs: 900, storeQueue: 9 });
    cluster.passTime(2000);
    cluster.input("ha3", { type: "vitals", health: "ready", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    cluster.passTime(400);
    const old = recorded.filter(({ to }) => to === "ha2");
    cluster.kill("ha2");
    cluster.restart("ha2");
    const before = peersOf(cluster, "ha2");
    expect(before.map(({ state }) => state)).toEqual(["alive", "alive"]);
    for (let times = 0; times < 10; times++) {
      replay(cluster, old, "ha2");
      expect(peersOf(cluster, "ha2")).toEqual(before);
      cluster.passTime(100);
    }
    expect(cluster.count("ha2", "frames-rejected unproven")).toBeGreaterThanOrEqual(10 * old.length);
    expect(cluster.count("ha2", "event member-one-way")).toBe(0);
    expect(cluster.count("ha2", "event member-suspect")).toBe(0);
  });

  test("make nobody alive while it has heard nobody else", () => {
    const cluster = new TestCluster(3);
    const recorded = recording(cluster);
    cluster.passTime(1000);
    cluster.kill("ha2");
    cluster.loses = (_, to) => to === "ha2";
    cluster.restart("ha2");
    replay(
      cluster,
      recorded.filter(({ to }) => to === "ha2"),
      "ha2",
    );
    expect(peersOf(cluster, "ha2").map(({ state }) => state)).toEqual(["unknown", "unknown"]);
  });

  test("don't keep it and the others from believing each other, even if they come all the time", () => {
    const cluster = new TestCluster(3);
    const recorded = recording(cluster);
    for (const id of ["ha1", "ha2", "ha3"]) {
      cluster.passTime(400);
      cluster.kill(id);
      cluster.restart(id);
    }
    const old = [...recorded];
    cluster.kill("ha2");
    let replays = 0;
    cluster.onFrame = ({ to }) => {
      if (to !== "ha2" || replays > 3000) return;
      replays += 100;
      replay(cluster, old.filter((frame) => frame.to === to).slice(-100), to);
    };
    cluster.restart("ha2");
    cluster.onFrame = () => undefined;
    expect(replays).toBeGreaterThan(0);
    for (const id of ["ha1", "ha2", "ha3"])
      expect(peersOf(cluster, id).map(({ state }) => state)).toEqual(["alive", "alive"]);
  });

  test("are not served, if they are relayed requests, nor passed on, if they are replies", () => {
    const cluster = new TestCluster(3, { copies: 0 });
    const recorded = recording(cluster);
    const homeAddress = cluster.homeAddressRanked("ha2");
    expect(cluster.register("ha1", { homeAddress })?.reply.code).toBe(0);
    const relayed = recorded.filter((frame) => cluster.read(frame).type !== "heartbeat");
    expect(relayed.map(({ to }) => to)).toEqual(["ha2", "ha1"]);
    for (const id of ["ha1", "ha2"]) {
      cluster.kill(id);
      cluster.wipe(id);
      cluster.restart(id);
    }
    const replies = cluster.replies.length;
    for (const { to, payload } of relayed) {
      const before = cluster.count(to, "frames-rejected unproven");
      cluster.input(to, { type: "frame", payload, source: STRANGER });
      expect(cluster.count(to, "frames-rejected unproven")).toBe(before + 1);
    }
    expect(cluster.replies).toHaveLength(replies);
    expect(cluster.agent("ha2").findBinding({ homeAddress: ipv4(homeAddress), nai: undefined })).toBeUndefined();
    expect(cluster.count("ha1", "replies-unmatched")).toBe(0);
  });
});

describe("a request that was accepted, and is sent again", () => {
  const MEMBERS = ["ha1", "ha2", "ha3"];
  const LIFETIME_MS = 600_000;

  function accepted(cluster: TestCluster, ingress: string) {
    const homeAddress = cluster.homeAddressRanked("ha2");
    const request = cluster.request({ homeAddress });
    const expiresAtMs = cluster.wallMs + LIFETIME_MS;
    cluster.datagram(ingress, request);
    expect(cluster.replies).toMatchObject([{ destination: foreignAgent, reply: { code: 0 } }]);
    cluster.passTime(10_000, 200);
    return { request, expiresAtMs, identity: { homeAddress: ipv4(homeAddress), nai: undefined } };
  }

  test.each(MEMBERS)("by a stranger, to %s, gets him the reply that it had, and nobody writes him down", (ingress) => {
    const cluster = new TestCluster(3, { copies: 0 });
    const { request, expiresAtMs, identity } = accepted(cluster, "ha1");
    cluster.datagram(ingress, request, STRANGER);
    const [first, again] = cluster.replies;
    expect(again).toMatchObject({ from: ingress, destination: STRANGER });
    expect(Buffer.from(again?.bytes ?? [])).toEqual(Buffer.from(first?.bytes ?? []));
    expect(cluster.agent("ha1").findLocation(identity)?.ingress).toMatchObject({ foreignAgent, expiresAtMs });
    expect(cluster.agent("ha2").findBinding(identity)?.registration.careOfAddresses).toMatchObject([
      { foreignAgent, expiresAtMs },
    ]);
    // Where a mobile is, every member may know; by which foreign agent, it has from its owner alone.
    expect(cluster.agent("ha3").findLocation(identity)?.ingress).toBeUndefined();
    if (ingress === "ha3") expect(cluster.agent("ha3").findLocation(identity)?.owner).toBe("ha2");
  });

  test("by its foreign agent, to another member, is written down there as well, for the rest of its lifetime", () => {
    const cluster = new TestCluster(3, { copies: 0 });
    const { request, expiresAtMs, identity } = accepted(cluster, "ha1");
    cluster.datagram("ha3", request);
    expect(cluster.agent("ha3").findLocation(identity)?.ingress).toMatchObject({ foreignAgent, expiresAtMs });
  });

  test("by a stranger after the mobile has moved, gets him a denial, and changes nothing", () => {
    const cluster = new TestCluster(3, { copies: 0 });
    const { request, identity } = accepted(cluster, "ha1");
    const next: Endpoint = { address: ipv4("192.0.2.2"), port: 434 };
    const homeAddress = formatIpv4(identity.homeAddress);
    expect(cluster.register("ha3", { homeAddress, careOfAddress: "192.0.2.2", source: next })?.reply.code).toBe(0);
    for (const ingress of MEMBERS) cluster.datagram(ingress, request, STRANGER);
    expect(cluster.replies.slice(2).map(({ reply }) => reply.code)).toEqual([133, 133, 133]);
    expect(cluster.agent("ha3").findLocation(identity)?.ingress).toMatchObject({ foreignAgent: next });
    expect(cluster.agent("ha2").findBinding(identity)?.registration.careOfAddresses).toMatchObject([
      { foreignAgent: next },
    ]);
  });
});

test("a member that comes back with a lower boot count, as its disk is lost and its clock was wrong, is believed", () => {
  const cluster = new TestCluster(3);
  for (let times = 0; times < 3; times++) {
    cluster.kill("ha2");
    cluster.restart("ha2");
  }
  cluster.kill("ha2");
  cluster.forgetStarts("ha2");
  cluster.restart("ha2");
  cluster.passTime(1500);
  for (const id of ["ha1", "ha2", "ha3"])
    expect(peersOf(cluster, id).map(({ state }) => state)).toEqual(["alive", "alive"]);
});

/** One end of a path on which everything is recorded: it starts anew, sends, and gets what it is sent or what was recorded. */
type Step =
  | { readonly does: "start" | "send"; readonly who: 0 | 1 }
  | { readonly does: "replay"; readonly who: 0 | 1; readonly frame: number };

const who = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ does: fc.constant("start" as const), who }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant("send" as const), who }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant("replay" as const), who, frame: fc.nat(500) }) },
);

test("whatever is recorded and sent again, and whoever starts anew: it is never believed, and who lives always is", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let starts = 0;
      const make = () => new Acquaintance(incarnationOf(++starts, 1));
      const ends = [make(), make()];
      const recorded: { to: 0 | 1; sent: FrameNumber; named: FrameNumber }[] = [];
      const end = (index: 0 | 1) => ends[index] ?? make();
      const send = (from: 0 | 1) => {
        const to = from === 0 ? 1 : 0;
        const frame = { to, sent: end(from).next(), named: end(from).nextNamed() } as const;
        recorded.push(frame);
        return end(to).judge(frame.sent, frame.named);
      };
      for (const { does, who: index, ...rest } of steps) {
        if (does === "start") ends[index] = make();
        else if (does === "send") send(index);
        else {
          const frames = recorded.filter(({ to }) => to === index);
          const frame = frames["frame" in rest ? rest.frame % Math.max(frames.length, 1) : 0];
          if (frame !== undefined) expect(end(index).judge(frame.sent, frame.named)).toBeDefined();
        }
      }
      for (const from of [0, 1, 0, 1] as const) send(from);
      expect([send(0), send(1)]).toEqual([undefined, undefined]);
    }),
    { numRuns: 2000 },
  );
});
