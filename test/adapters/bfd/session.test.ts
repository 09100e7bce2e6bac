/** RFC 5880 6.8, rule by rule. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ControlPacket, Diagnostic, type SessionState } from "../../../src/adapters/bfd/control-packet.ts";
import { anyPacket } from "./arbitraries.ts";
import { SessionRig } from "./session-rig.ts";

describe("a session (6.2, 6.8.6)", () => {
  test.each<[SessionState, SessionState, SessionState]>([
    ["down", "admin-down", "down"],
    ["down", "down", "init"],
    ["down", "init", "up"],
    ["down", "up", "down"],
    ["init", "admin-down", "down"],
    ["init", "down", "init"],
    ["init", "init", "up"],
    ["init", "up", "up"],
    ["up", "admin-down", "down"],
    ["up", "down", "down"],
    ["up", "init", "up"],
    ["up", "up", "up"],
    ["admin-down", "admin-down", "admin-down"],
    ["admin-down", "down", "admin-down"],
    ["admin-down", "init", "admin-down"],
    ["admin-down", "up", "admin-down"],
  ])("that is %s and hears %s is %s", (before, heard, after) => {
    const rig = SessionRig.in(before);
    expect(rig.state).toBe(before);
    rig.hear({ state: heard });
    expect(rig.state).toBe(after);
    expect(rig.changes).toEqual(before === after ? [] : [`${before} → ${after}`]);
    if (before === after) return;
    // 6.8.7: what changed is told at once.
    expect(rig.sent).toMatchObject([{ state: after, yourDiscriminator: 77, atMs: rig.nowMs }]);
    if (after === "down") expect(rig.session.status.diagnostic).toBe(Diagnostic.neighborSignaledDown);
  });

  test("begins Down, speaks at once, and knows no discriminator of the neighbor (6.8.1)", () => {
    const rig = new SessionRig();
    rig.run(0);
    expect(rig.sent).toMatchObject([
      {
        state: "down",
        diagnostic: 0,
        myDiscriminator: 1,
        yourDiscriminator: 0,
        detectMultiplier: 3,
        desiredMinTxUs: 1_000_000,
        requiredMinRxUs: 300_000,
        requiredMinEchoRxUs: 0,
        poll: false,
        final: false,
        demand: false,
      },
    ]);
    expect(rig.session.status).toMatchObject({ remoteState: undefined, detectionTimeMs: undefined });
  });

  test("that hears nothing stays Down and speaks once a second", () => {
    const rig = new SessionRig();
    rig.run(60_000);
    expect(rig.changes).toEqual([]);
    expect(new Set(rig.intervals)).toEqual(new Set([875]));
  });
});

describe("the detection time (6.8.4)", () => {
  test.each<[SessionState, SessionState, number]>([
    ["init", "down", Diagnostic.detectionTimeExpired],
    ["up", "down", Diagnostic.detectionTimeExpired],
    ["down", "down", Diagnostic.none],
  ])("of silence leads from %s to %s", (before, after, diagnostic) => {
    const rig = SessionRig.in(before);
    if (before === "down") rig.hear({ state: "admin-down" });
    rig.run(899);
    expect(rig.state).toBe(before);
    rig.run(1);
    expect(rig.session.status).toMatchObject({ state: after, diagnostic, remoteState: undefined });
    // 6.8.1: the neighbor's discriminator is forgotten.
    rig.run(1000);
    expect(rig.sent.at(-1)).toMatchObject({ state: after, diagnostic, yourDiscriminator: 0 });
  });

  test("is told at once when it has passed", () => {
    const rig = SessionRig.in("up");
    rig.run(900);
    expect(rig.sent.at(-1)).toMatchObject({ state: "down", diagnostic: 1, yourDiscriminator: 0, atMs: rig.nowMs });
  });

  test.each([
    [3, 300_000, 300, 900],
    [3, 1_000_000, 300, 3000],
    [5, 50_000, 300, 1500],
    [1, 0, 50, 50],
  ])("is the neighbor's multiplier %d times the slower of its %d µs and our %d ms: %d ms", (multiplier, tx, rx, ms) => {
    const rig = SessionRig.in("up", { receiveIntervalMs: rx });
    rig.hear({ state: "up", detectMultiplier: multiplier, desiredMinTxUs: tx });
    expect(rig.session.status.detectionTimeMs).toBe(ms);
    rig.run(ms - 1);
    expect(rig.state).toBe("up");
    rig.run(1);
    expect(rig.state).toBe("down");
  });

  test("doesn't pass while the neighbor speaks", () => {
    const rig = SessionRig.in("up");
    rig.run(60_000, { state: "up" });
    expect(rig.changes).toEqual([]);
  });

  test("ends what the neighbor asked for: afterwards the session speaks at its own rate (6.8.18)", () => {
    const rig = SessionRig.in("up");
    rig.hear({ state: "up", requiredMinRxUs: 0 });
    rig.sent.length = 0;
    rig.run(899);
    expect(rig.sent).toEqual([]);
    rig.run(5000);
    expect(new Set(rig.intervals)).toEqual(new Set([875]));
  });
});

describe("periodic packets (6.8.7)", () => {
  test.each([
    [300, 300_000, 300],
    [300, 1_000_000, 1000],
    [300, 1, 300],
    [2000, 300_000, 2000],
  ])("are sent by the slower of our %d ms and the neighbor's %d µs: %d ms, less jitter", (tx, rx, intervalMs) => {
    const rig = SessionRig.in("up", { transmitIntervalMs: tx });
    rig.hear({ state: "up", requiredMinRxUs: rx, final: true });
    rig.run(20_000, { state: "up", requiredMinRxUs: rx });
    expect(rig.session.status.transmitIntervalMs).toBe(intervalMs);
    expect(new Set(rig.intervals.slice(1))).toEqual(new Set([intervalMs * 0.875]));
  });

  test.each([
    [3, 0.75, 1],
    [1, 0.75, 0.9],
  ])("with multiplier %d have intervals of %d to %d times the agreed one", (detectMultiplier, least, most) => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (chances) => {
        const rig = SessionRig.in("up", { detectMultiplier, random: () => chances.next().value ?? 0 });
        rig.run(10_000, { state: "up" });
        for (const interval of rig.intervals.slice(1)) {
          expect(interval).toBeGreaterThanOrEqual(300 * least - 0.1);
          expect(interval).toBeLessThanOrEqual(300 * most + 0.1);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("come fast as soon as the session is Up, though a slow one was due much later (6.8.3)", () => {
    const rig = SessionRig.in("init");
    rig.hear({ state: "init" });
    rig.run(300);
    expect(rig.intervals).toEqual([262.5]);
  });

  test("are slow again when it isn't Up any more, which a Poll makes known (6.8.3)", () => {
    const rig = SessionRig.in("up");
    rig.hear({ state: "up", final: true });
    rig.hear({ state: "down" });
    expect(rig.sent.at(-1)).toMatchObject({ state: "down", desiredMinTxUs: 1_000_000, poll: true });
  });

  test("are not sent to a neighbor that wants none", () => {
    const rig = SessionRig.in("up");
    rig.run(5000, { state: "up", requiredMinRxUs: 0 });
    expect(rig.sent).toEqual([expect.objectContaining({ atMs: 1262.5 })]);
    rig.hear({ state: "up" });
    rig.run(0);
    expect(rig.sent).toHaveLength(2);
  });

  test("are not sent to a neighbor in Demand mode, but for a Poll Sequence (6.6)", () => {
    const rig = SessionRig.in("up");
    rig.run(1000, { state: "up", demand: true });
    expect(rig.sent.every(({ poll }) => poll)).toBe(true);
    rig.hear({ state: "up", demand: true, final: true });
    rig.sent.length = 0;
    rig.run(5000, { state: "up", demand: true });
    expect(rig.sent).toEqual([]);
    expect(rig.state).toBe("up");
    // Demand mode is active only while both are Up.
    rig.hear({ state: "down", demand: true });
    expect(rig.sent).toMatchObject([{ state: "down" }]);
  });
});

describe("a Poll Sequence (6.5)", () => {
  test("begins when the session is Up, goes with each periodic packet, and ends with the Final", () => {
    const rig = SessionRig.in("init");
    rig.hear({ state: "init" });
    rig.run(1000, { state: "up" });
    expect(rig.sent.length).toBeGreaterThan(3);
    expect(rig.sent).toEqual(rig.sent.map(() => expect.objectContaining({ poll: true, desiredMinTxUs: 300_000 })));
    rig.hear({ state: "up", final: true });
    rig.sent.length = 0;
    rig.run(1000, { state: "up" });
    expect(rig.sent.length).toBeGreaterThan(2);
    expect(rig.sent.every(({ poll }) => !poll)).toBe(true);
  });

  test.each<[SessionState, ControlPacket["state"]]>([
    ["down", "up"],
    ["init", "down"],
    ["up", "up"],
  ])("of the neighbor is answered at once while %s, with a Final and without a Poll", (state, heard) => {
    const rig = SessionRig.in(state);
    const { nextWakeMs } = rig.session;
    rig.hear({ state: heard, poll: true });
    expect(rig.sent).toMatchObject([{ state, poll: false, final: true, atMs: rig.nowMs }]);
    // The periodic packets, which may have a Poll of ours, come no later for that.
    expect(rig.session.nextWakeMs).toBeLessThanOrEqual(nextWakeMs);
  });

  test("that brings a new state is answered with that, and nothing is sent twice", () => {
    const rig = SessionRig.in("init");
    rig.hear({ state: "init", poll: true });
    expect(rig.sent).toMatchObject([{ state: "up", final: true }]);
  });
});

describe("a session that is held (6.8.18)", () => {
  test.each<SessionState>(["up", "init"])("goes Down from %s at once, and says why", (state) => {
    const rig = SessionRig.in(state);
    rig.take(rig.session.hold(Diagnostic.pathDown, rig.nowMs));
    expect(rig.sent).toMatchObject([{ state: "down", diagnostic: Diagnostic.pathDown }]);
    expect(rig.changes).toEqual([`${state} → down`]);
  });

  test("stays Down whatever it hears, goes on speaking, and answers polls", () => {
    const rig = SessionRig.in("up");
    rig.take(rig.session.hold(Diagnostic.pathDown, rig.nowMs));
    rig.run(3000, { state: "init" });
    rig.hear({ state: "down", poll: true });
    rig.take(rig.session.hold(Diagnostic.pathDown, rig.nowMs));
    expect(rig.state).toBe("down");
    expect(rig.sent.length).toBeGreaterThan(3);
    expect(rig.sent.at(-1)).toMatchObject({ state: "down", final: true });
  });

  test("comes Up again once it is released", () => {
    const rig = SessionRig.in("up");
    rig.take(rig.session.hold(Diagnostic.pathDown, rig.nowMs));
    rig.session.release();
    rig.hear({ state: "init" });
    expect(rig.state).toBe("up");
  });
});

test("a session that is disabled says AdminDown with its reason (6.8.16)", () => {
  const rig = SessionRig.in("up");
  rig.take(rig.session.disable(rig.nowMs));
  expect(rig.sent).toMatchObject([{ state: "admin-down", diagnostic: 7, yourDiscriminator: 77 }]);
  rig.run(2000, { state: "up" });
  expect(rig.state).toBe("admin-down");
});

test("whatever a neighbor says, a session speaks a valid state, never too fast, and never polls in a Final", () => {
  const heard = fc.tuple(anyPacket, fc.integer({ min: 0, max: 3000 }));
  fc.assert(
    fc.property(fc.array(heard, { maxLength: 30 }), (packets) => {
      const rig = new SessionRig();
      for (const [packet, waitMs] of packets) {
        rig.run(waitMs);
        rig.take(rig.session.receive(packet, rig.nowMs));
        const { state, remoteState } = rig.session.status;
        expect(state === "up" && (remoteState === "down" || remoteState === "admin-down")).toBe(false);
      }
      expect(rig.sent.some(({ poll, final }) => poll && final)).toBe(false);
      expect(rig.sent.every(({ state, desiredMinTxUs }) => state === "up" || desiredMinTxUs >= 1_000_000)).toBe(true);
      const periodic = rig.sent.filter(({ final }) => !final).length;
      // Besides what is told at once: a change of state each, and the first packet.
      const leastIntervalMs = 300 * 0.75;
      expect(periodic).toBeLessThanOrEqual((rig.nowMs - 1000) / leastIntervalMs + rig.changes.length + 1);
    }),
  );
});

test("two sessions come Up with each other, whatever their timers, and stay so", () => {
  const interval = fc.integer({ min: 50, max: 2000 });
  const side = fc.record({
    transmitIntervalMs: interval,
    receiveIntervalMs: interval,
    detectMultiplier: fc.integer({ min: 2, max: 5 }),
  });
  fc.assert(
    fc.property(side, side, fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), (a, b, chances) => {
      const random = () => chances.next().value ?? 0;
      const rigs = [
        new SessionRig({ ...a, random, discriminator: 1 }),
        new SessionRig({ ...b, random, discriminator: 2 }),
      ] as const;
      const upAtMs: number[] = [];
      for (
        let nowMs = 1000;
        nowMs < 60_000;
        nowMs = Math.max(nowMs, Math.min(...rigs.map((it) => it.session.nextWakeMs)))
      ) {
        for (const [index, rig] of rigs.entries()) {
          rig.nowMs = nowMs;
          const before = rig.sent.length;
          rig.take(rig.session.tick(nowMs));
          const other = rigs[1 - index];
          if (other === undefined) continue;
          other.nowMs = nowMs;
          for (const packet of rig.sent.slice(before)) other.take(other.session.receive(packet, nowMs));
          // Answers to polls.
          const answers = other.sent.filter(({ final, atMs }) => final && atMs === nowMs);
          for (const answer of answers) rig.take(rig.session.receive(answer, nowMs));
        }
        if (upAtMs.length === 0 && rigs.every(({ state }) => state === "up")) upAtMs.push(nowMs);
      }
      expect(upAtMs[0]).toBeLessThan(10_000);
      expect(rigs.map(({ changes }) => changes.filter((change) => change.endsWith("→ up")).length)).toEqual([1, 1]);
    }),
    { numRuns: 50 },
  );
});
