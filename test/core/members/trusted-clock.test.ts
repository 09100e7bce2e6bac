import { expect, test } from "vitest";
import { TrustedClock } from "../../../src/core/members/trusted-clock.ts";

const HOUR_MS = 3_600_000;
const START_MS = 1_790_000_000_000;

/** A member's clocks; its peers say what they are told to say, with every reading. */
class Rig {
  readonly events: string[] = [];
  readonly clock: TrustedClock;
  /** Of its system's clock, by how much it was set. */
  setMs = 0;
  monotonicMs = 5000;
  /** True time since the start. */
  passedMs = 0;
  /** By how much the peers' trusted time, and their systems', are off true time. */
  peers: { readonly trustedMs: number; readonly systemMs: number; readonly isTimeCertain: boolean }[] = [];

  constructor(memberCount: number) {
    this.clock = new TrustedClock(
      { memberCount, maximumSkewMs: 30_000, witnessMs: 1600 },
      { count: () => undefined, countBy: () => undefined, event: (event) => this.events.push(event) },
    );
  }

  /** Answers by how much the trusted time is off true time. */
  pass(ms: number): number {
    this.monotonicMs += ms;
    this.passedMs += ms;
    const timeMs = START_MS + this.passedMs;
    for (const [index, { trustedMs, systemMs, isTimeCertain }] of this.peers.entries()) {
      const told = { sentAtMs: timeMs + trustedMs, systemTimeMs: timeMs + systemMs, isTimeCertain };
      this.clock.heard(`ha${index + 2}`, told, this.monotonicMs);
    }
    return this.clock.read({ wallMs: timeMs + this.setMs, monotonicMs: this.monotonicMs }).wallMs - timeMs;
  }

  passMinutes(minutes: number): number {
    for (let second = 0; second < minutes * 60; second++) this.pass(1000);
    return this.pass(0);
  }

  /** The machine sleeps: its monotonic clock stands still. */
  sleep(ms: number): void {
    this.passedMs += ms;
  }
}

const right = { trustedMs: 0, systemMs: 0, isTimeCertain: true };

function settled(peers: Rig["peers"]): Rig {
  const rig = new Rig(peers.length + 1);
  rig.peers = peers;
  rig.pass(0);
  rig.pass(200);
  expect(rig.clock.isCertain).toBe(true);
  return rig;
}

test("a step that other members contradict is held back, for as long as it lasts, and after they are gone", () => {
  const rig = settled([right, right]);
  rig.setMs = HOUR_MS;
  expect(rig.pass(200)).toBe(0);
  expect(rig.clock.heldStepMs).toBe(HOUR_MS);
  expect(rig.passMinutes(10)).toBe(0);
  rig.peers = [];
  expect(rig.passMinutes(10)).toBe(0);
  rig.setMs = 0;
  expect(rig.pass(200)).toBe(0);
  expect(rig.clock.heldStepMs).toBeUndefined();
  expect(rig.events).toEqual(["clock-step-held", "clock-step-undone"]);
});

test("a step to the time of the other members is taken at once", () => {
  const rig = new Rig(1);
  rig.setMs = -HOUR_MS;
  expect(rig.pass(0)).toBe(-HOUR_MS);
  rig.peers = [right, right];
  rig.setMs = 0;
  expect(rig.pass(200)).toBe(0);
  expect(rig.events).toEqual(["clock-step-held", "clock-set"]);
});

test("a step that all take together for some seconds is taken by none", () => {
  const rig = settled([right, right]);
  rig.setMs = HOUR_MS;
  rig.peers = [1, 2].map(() => ({ trustedMs: 0, systemMs: HOUR_MS, isTimeCertain: true }));
  for (let times = 0; times < 4; times++) expect(rig.pass(1000)).toBe(0);
  rig.setMs = 0;
  rig.peers = [right, right];
  expect(rig.pass(200)).toBe(0);
});

test("a step that all take together and keep is taken after a minute, and by those who hear of that at once", () => {
  const rig = settled([right, right]);
  rig.setMs = -HOUR_MS;
  rig.peers = [1, 2].map(() => ({ trustedMs: 0, systemMs: -HOUR_MS, isTimeCertain: true }));
  for (let second = 0; second < 59; second++) expect(rig.pass(1000)).toBe(0);
  expect(rig.passMinutes(0.1)).toBe(-HOUR_MS);
  const other = settled([right, right]);
  other.setMs = -HOUR_MS;
  other.peers = [
    { trustedMs: -HOUR_MS, systemMs: -HOUR_MS, isTimeCertain: true },
    { trustedMs: 0, systemMs: -HOUR_MS, isTimeCertain: true },
  ];
  expect(other.pass(200)).toBe(-HOUR_MS);
});

test("a step that most systems show for a minute is taken, though a member that is certain contradicts it", () => {
  const wrong = { trustedMs: 0, systemMs: 0, isTimeCertain: true };
  const corrected = { trustedMs: 0, systemMs: HOUR_MS, isTimeCertain: true };
  const rig = settled([wrong, wrong]);
  rig.setMs = HOUR_MS;
  expect(rig.passMinutes(10)).toBe(0);
  rig.peers = [{ ...corrected, systemMs: 9 * HOUR_MS }, wrong];
  expect(rig.passMinutes(10)).toBe(0);
  // For some seconds, somebody's hand has slipped.
  rig.peers = [corrected, wrong];
  expect(rig.passMinutes(0.1)).toBe(0);
  rig.peers = [wrong, wrong];
  expect(rig.passMinutes(0.9)).toBe(0);
  rig.peers = [corrected, wrong];
  expect(rig.passMinutes(0.9)).toBe(0);
  expect(rig.passMinutes(0.2)).toBe(HOUR_MS);
});

test("a member alone takes a step after a minute, counted anew when the clock is set again", () => {
  const rig = new Rig(1);
  rig.pass(0);
  rig.setMs = HOUR_MS;
  expect(rig.passMinutes(0.9)).toBe(0);
  rig.setMs = 2 * HOUR_MS;
  expect(rig.passMinutes(0.9)).toBe(0);
  expect(rig.passMinutes(0.2)).toBe(2 * HOUR_MS);
});

test("small steps are followed, though not one after the other", () => {
  const rig = new Rig(1);
  rig.pass(0);
  rig.setMs = 900;
  expect(rig.pass(100)).toBe(900);
  rig.setMs = 1800;
  expect(rig.pass(100)).toBe(900);
  expect(rig.clock.heldStepMs).toBe(900);
});

test("what a machine has slept is a step that others confirm as soon as they are heard", () => {
  const rig = settled([right]);
  rig.sleep(HOUR_MS);
  rig.peers = [];
  expect(rig.pass(1)).toBe(-HOUR_MS);
  expect(rig.clock.sleptMs).toBe(HOUR_MS);
  rig.peers = [right];
  expect(rig.pass(200)).toBe(0);
  expect(rig.clock.sleptMs).toBe(0);
});

test("a start with a wrong clock takes the time from members who are certain, and goes on with it", () => {
  const rig = new Rig(3);
  rig.setMs = HOUR_MS;
  rig.pass(0);
  expect(rig.clock.isCertain).toBe(false);
  rig.peers = [right];
  expect(rig.pass(200)).toBe(0);
  expect(rig.clock.isCertain).toBe(true);
  expect(rig.passMinutes(5)).toBe(0);
  expect(rig.clock.heldStepMs).toBe(HOUR_MS);
});

test("two members that start together with different clocks don't take each other's, and each is certain after a minute", () => {
  const rig = new Rig(2);
  rig.peers = [{ trustedMs: HOUR_MS, systemMs: HOUR_MS, isTimeCertain: false }];
  expect(rig.passMinutes(0.9)).toBe(0);
  expect(rig.clock.isCertain).toBe(false);
  expect(rig.passMinutes(0.2)).toBe(0);
  expect(rig.clock.isCertain).toBe(true);
});

test("of three that start together, the two that agree are certain, and the third follows them", () => {
  const odd = new Rig(3);
  odd.setMs = HOUR_MS;
  odd.peers = [1, 2].map(() => ({ ...right, isTimeCertain: false }));
  odd.pass(0);
  expect(odd.clock.isCertain).toBe(false);
  const one = new Rig(3);
  one.peers = [
    { trustedMs: HOUR_MS, systemMs: HOUR_MS, isTimeCertain: false },
    { ...right, isTimeCertain: false },
  ];
  one.pass(0);
  expect(one.clock.isCertain).toBe(true);
  odd.peers = [right, right];
  expect(odd.pass(200)).toBe(0);
});

test("a clock that is set while a start is not certain yet is followed, and looked at for a minute more", () => {
  const rig = new Rig(2);
  rig.setMs = -HOUR_MS;
  rig.passMinutes(0.9);
  rig.setMs = 0;
  expect(rig.passMinutes(0.9)).toBe(0);
  expect(rig.clock.isCertain).toBe(false);
  rig.passMinutes(0.2);
  expect(rig.clock.isCertain).toBe(true);
});
