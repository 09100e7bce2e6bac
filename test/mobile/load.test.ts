import { describe, expect, test } from "vitest";
import { formatIpv4, type Ipv4Address, ipv4, UNSPECIFIED } from "../../src/core/wire/ipv4.ts";
import { IdentificationSource } from "../../src/mobile/identification-source.ts";
import { Load, type LoadRequest, type LoadSettings } from "../../src/mobile/load.ts";
import { association, foreignAgentAddress, homeAgent, mobileHome, readRequest, replyTo } from "./fixtures.ts";

const CLOCK = Date.UTC(2026, 10, 23);
const FIRST = ipv4("10.64.1.0");

function load(changes: Partial<LoadSettings> = {}) {
  let random = 0;
  const settings: LoadSettings = {
    mobiles: 10,
    nameOf: (mobile) => ({ homeAddress: (FIRST + mobile) as Ipv4Address, nai: undefined }),
    order: { flags: 0x20, lifetimeSeconds: 600, homeAgent, careOfAddress: foreignAgentAddress },
    associations: { homeAgent: mobileHome, foreignAgent: undefined },
    identifications: new IdentificationSource("timestamps", () => random++),
    ratePerSecond: undefined,
    window: 4,
    answerTimeoutMs: 1000,
    maximumTries: 1,
    maximumRequests: Number.POSITIVE_INFINITY,
    durationMs: Number.POSITIVE_INFINITY,
    ...changes,
  };
  return new Load(settings, 0);
}

const addressesOf = (requests: readonly LoadRequest[]) =>
  requests.map(({ payload }) => formatIpv4(readRequest(payload).homeAddress));

describe("which mobiles register when", () => {
  test("as many as the window lets, in turn; an answer makes room", () => {
    const crowd = load();
    const [first, ...others] = crowd.due(0, CLOCK);
    expect(addressesOf([first, ...others].filter((it) => it !== undefined))).toEqual([
      "10.64.1.0",
      "10.64.1.1",
      "10.64.1.2",
      "10.64.1.3",
    ]);
    expect(crowd.due(1, CLOCK)).toEqual([]);
    crowd.received(replyTo(first?.payload ?? new Uint8Array()), 2);
    expect(addressesOf(crowd.due(2, CLOCK))).toEqual(["10.64.1.4"]);
  });

  test("one that waits for an answer is passed over", () => {
    const crowd = load({ mobiles: 3, window: 3 });
    const [, second] = crowd.due(0, CLOCK);
    crowd.received(replyTo(second?.payload ?? new Uint8Array()), 1);
    expect(addressesOf(crowd.due(1, CLOCK))).toEqual(["10.64.1.1"]);
  });

  test("a window wider than the crowd lets everyone register, once at a time", () => {
    const crowd = load({ mobiles: 3, window: 100 });
    expect(crowd.due(0, CLOCK)).toHaveLength(3);
    expect(crowd.due(1, CLOCK)).toEqual([]);
  });

  test("no faster than the rate, also after a pause", () => {
    const crowd = load({ ratePerSecond: 100, window: 1000, mobiles: 1000 });
    const counts = [0, 9, 10, 19, 50, 1000].map((nowMs) => crowd.due(nowMs, CLOCK).length);
    expect(counts).toEqual([1, 0, 1, 0, 4, 95]);
  });

  test("until the number of requests is reached", () => {
    const crowd = load({ maximumRequests: 6 });
    const requests = crowd.due(0, CLOCK);
    expect(crowd.isOver(0)).toBe(false);
    for (const { payload } of requests) crowd.received(replyTo(payload), 1);
    const rest = crowd.due(1, CLOCK);
    expect(rest).toHaveLength(2);
    for (const { payload } of rest) crowd.received(replyTo(payload), 2);
    expect(crowd.isOver(2)).toBe(true);
  });

  test.each(["the time is up", "it is stopped"])("until %s; what is outstanding is waited for", (end) => {
    const crowd = load({ durationMs: 500 });
    const requests = crowd.due(0, CLOCK);
    if (end === "it is stopped") crowd.stop();
    const endMs = end === "it is stopped" ? 1 : 500;
    expect(crowd.due(endMs, CLOCK)).toEqual([]);
    expect(crowd.isOver(endMs)).toBe(false);
    for (const { payload } of requests) crowd.received(replyTo(payload), endMs);
    expect(crowd.isOver(endMs)).toBe(true);
  });
});

describe("the score", () => {
  test("tells accepted, denied by code, and how long it took", () => {
    const crowd = load();
    const payloads = crowd.due(0, CLOCK).map(({ payload }) => payload);
    const [a, b, c] = payloads;
    if (!a || !b || !c) throw new Error("too few requests");
    expect(crowd.received(replyTo(a, { lifetimeSeconds: 300 }), 12.5)).toEqual({
      latencyMs: 12.5,
      tries: 1,
      accepted: {
        homeAddress: FIRST,
        nai: undefined,
        identification: readRequest(a).identification,
        lifetimeSeconds: 300,
      },
    });
    expect(crowd.received(replyTo(b, { code: 130 }), 20)).toEqual({ latencyMs: 20, tries: 1, accepted: undefined });
    crowd.received(replyTo(c, { code: 130 }), 20);
    expect(crowd.score).toMatchObject({ sent: 4, accepted: 1, denied: new Map([[130, 2]]), unanswered: 0, invalid: 0 });
  });

  test("a mobile known by its NAI is told with the home address it got", () => {
    const crowd = load({ nameOf: (mobile) => ({ homeAddress: UNSPECIFIED, nai: `user${mobile}@lab.example` }) });
    const [, second] = crowd.due(0, CLOCK);
    const reply = replyTo(second?.payload ?? new Uint8Array(), { homeAddress: ipv4("10.79.0.1") });
    expect(crowd.received(reply, 1)?.accepted).toMatchObject({
      homeAddress: ipv4("10.79.0.1"),
      nai: "user1@lab.example",
    });
  });

  test("gives up on an answer in time, and takes it for nothing if it comes after all", () => {
    const crowd = load({ mobiles: 4, ratePerSecond: 2, window: 10 });
    const [first] = crowd.due(0, CLOCK);
    crowd.due(999, CLOCK);
    expect(crowd.score.unanswered).toBe(0);
    crowd.due(1000, CLOCK);
    expect(crowd.score.unanswered).toBe(1);
    expect(crowd.received(replyTo(first?.payload ?? new Uint8Array()), 1001)).toBeUndefined();
    expect(crowd.score).toMatchObject({ accepted: 0, invalid: 1 });
  });

  test("counts a registration once, however often it was asked for; its time runs from the first request", () => {
    const crowd = load({ mobiles: 1, maximumTries: 3 });
    const [first] = crowd.due(0, CLOCK);
    const [second, ...others] = crowd.due(1000, CLOCK + 1000);
    const [a, b] = [first, second].map((request) => readRequest(request?.payload ?? new Uint8Array()));
    expect(others).toEqual([]);
    expect(b?.homeAddress).toBe(a?.homeAddress);
    expect(b?.identification).toBeGreaterThan(a?.identification ?? 0n);
    // It has been told from then on that only the last request counts.
    expect(crowd.received(replyTo(first?.payload ?? new Uint8Array()), 1001)).toBeUndefined();
    expect(crowd.received(replyTo(second?.payload ?? new Uint8Array()), 1100)).toMatchObject({
      latencyMs: 1100,
      tries: 2,
      accepted: { homeAddress: FIRST },
    });
    expect(crowd.score).toMatchObject({ sent: 1, repeated: 1, accepted: 1, unanswered: 0 });
  });

  test("gives up after as many requests as are allowed; one that is stopped repeats nothing", () => {
    const crowd = load({ mobiles: 1, maximumTries: 3, maximumRequests: 1 });
    for (const nowMs of [0, 1000, 2000, 3000]) crowd.due(nowMs, CLOCK + nowMs);
    expect(crowd.score).toMatchObject({ sent: 1, repeated: 2, unanswered: 1 });
    expect(crowd.takeGivenUp()).toEqual([{ homeAddress: FIRST, nai: undefined, latencyMs: 3000, tries: 3 }]);
    expect(crowd.takeGivenUp()).toEqual([]);
    expect(crowd.isOver(3000)).toBe(true);

    const stopped = load({ mobiles: 1, maximumTries: 3 });
    stopped.due(0, CLOCK);
    stopped.stop();
    expect(stopped.due(1000, CLOCK)).toEqual([]);
    expect(stopped.score).toMatchObject({ sent: 1, repeated: 0, unanswered: 1 });
  });

  test("a reply that is not authentic is no answer", () => {
    const crowd = load();
    const [first] = crowd.due(0, CLOCK);
    const payload = first?.payload ?? new Uint8Array();
    for (const bytes of [replyTo(payload, { mobileHome: association(256, "guessed") }), new Uint8Array(), payload]) {
      expect(crowd.received(bytes, 1)).toBeUndefined();
    }
    expect(crowd.score.invalid).toBe(3);
    expect(crowd.received(replyTo(payload), 2)?.accepted).toBeDefined();
  });
});

test("no two requests share an Identification, nor its low bits while both wait", () => {
  const crowd = load({ mobiles: 5000, window: 5000 });
  const identifications = crowd.due(0, CLOCK).map(({ payload }) => readRequest(payload).identification);
  expect(identifications).toHaveLength(5000);
  expect(new Set(identifications.map((it) => BigInt.asUintN(32, it))).size).toBe(5000);
});
