import { describe, expect, test } from "vitest";
import { joinIdentification } from "../../src/core/wire/identification.ts";
import { epochMsFromNtp, ntpFromEpochMs } from "../../src/core/wire/ntp-timestamp.ts";
import { ReplyCode } from "../../src/core/wire/reply-code.ts";
import { IdentificationSource, type ReplayStyle } from "../../src/mobile/identification-source.ts";
import {
  type AttemptSettings,
  type AttemptStep,
  RegistrationAttempt,
  type RegistrationOrder,
} from "../../src/mobile/registration-attempt.ts";
import {
  association,
  foreignAgentAddress,
  homeAddress,
  homeAgent,
  mobileForeign,
  mobileHome,
  readRequest,
  replyTo,
  typesOf,
} from "./fixtures.ts";

const START = Date.UTC(2026, 10, 23);

const order: RegistrationOrder = {
  flags: 0x20,
  lifetimeSeconds: 600,
  homeAddress,
  homeAgent,
  careOfAddress: foreignAgentAddress,
  nai: undefined,
};

function attempt(
  replayStyle: ReplayStyle = "timestamps",
  changes: { order?: Partial<RegistrationOrder>; settings?: Partial<AttemptSettings>; seed?: number } = {},
) {
  let random = changes.seed ?? 1;
  const identifications = new IdentificationSource(replayStyle, () => random++);
  return new RegistrationAttempt(
    { ...order, ...changes.order },
    {
      associations: { homeAgent: mobileHome, foreignAgent: undefined },
      replayStyle,
      identifications,
      maximumTries: 3,
      random: () => 0,
      ...changes.settings,
    },
  );
}

function sent(step: AttemptStep): Uint8Array {
  if (step.kind !== "send") throw new Error(`expected to send, but: ${step.kind}`);
  return step.payload;
}

function wakeTime(step: AttemptStep): number {
  if (step.kind === "done") throw new Error("it is done");
  return step.wakeAtMs;
}

describe("a registration that is answered", () => {
  test("sends one request with what was ordered, and is done by the reply", () => {
    const mobile = attempt();
    const payload = sent(mobile.start(START));
    const request = readRequest(payload);
    const { nai: _none, ...fields } = order;
    expect(request).toMatchObject(fields);
    expect(Math.abs(epochMsFromNtp(request.identification, START) - START)).toBeLessThan(1);
    const step = mobile.received(replyTo(payload, { lifetimeSeconds: 300 }), START + 20);
    expect(step).toMatchObject({
      kind: "done",
      result: { kind: "answered", roundTripMs: 20, reply: { code: 0, lifetimeSeconds: 300 } },
    });
    expect(mobile.requestsSent).toBe(1);
    expect(mobile.resynchronized).toBe(false);
  });

  test("a denial is an answer too", () => {
    const mobile = attempt();
    const payload = sent(mobile.start(START));
    expect(mobile.received(replyTo(payload, { code: 130 }), START)).toMatchObject({
      kind: "done",
      result: { kind: "answered", reply: { code: 130 } },
    });
  });

  test("the NAI stands before both authentications (RFC 2794 2), and the foreign agent's comes last", () => {
    const associations = { homeAgent: mobileHome, foreignAgent: mobileForeign };
    const mobile = attempt("timestamps", { order: { nai: "alice@example.com" }, settings: { associations } });
    expect(typesOf(readRequest(sent(mobile.start(START))))).toEqual([131, 32, 33]);
  });
});

describe("retransmission, RFC 5944 3.6.3", () => {
  test("waits 1 s, 2 s, 4 s, and then gives up", () => {
    const mobile = attempt();
    const times: number[] = [];
    let step = mobile.start(START);
    while (step.kind === "send") {
      times.push(step.wakeAtMs - START);
      step = mobile.wake(step.wakeAtMs);
    }
    expect(times).toEqual([1000, 3000, 7000]);
    expect(step).toEqual({ kind: "done", result: { kind: "unanswered", homeAgent } });
    expect(mobile.requestsSent).toBe(3);
  });

  test("chance stretches the intervals, and never shortens one below twice the one before", () => {
    const mobile = attempt("timestamps", { settings: { random: () => 0.999 } });
    const first = mobile.start(START);
    const second = mobile.wake(wakeTime(first));
    const firstInterval = wakeTime(first) - START;
    expect(firstInterval).toBeGreaterThan(1200);
    expect(wakeTime(second) - wakeTime(first)).toBeCloseTo(2 * firstInterval, 5);
  });

  test("waits no longer than the requested lifetime, nor less than a second", () => {
    const mobile = attempt("timestamps", { order: { lifetimeSeconds: 1 } });
    const first = mobile.start(START);
    const second = mobile.wake(wakeTime(first));
    expect(wakeTime(second) - wakeTime(first)).toBe(1000);
  });

  test("nothing is sent before its time", () => {
    const mobile = attempt();
    mobile.start(START);
    expect(mobile.wake(START + 999)).toEqual({ kind: "wait", wakeAtMs: START + 1000 });
  });

  test("with timestamps each has a new Identification, and a reply to an old one is no answer", () => {
    const mobile = attempt();
    const first = sent(mobile.start(START));
    const second = sent(mobile.wake(START + 1000));
    expect(readRequest(second).identification > readRequest(first).identification).toBe(true);
    expect(mobile.received(replyTo(first), START + 1001)).toEqual({ kind: "wait", wakeAtMs: START + 3000 });
    expect(mobile.lastDoubt).toBeUndefined();
    expect(mobile.received(replyTo(second), START + 1002).kind).toBe("done");
  });

  test("with nonces the request is repeated unchanged", () => {
    const mobile = attempt("nonces");
    const first = sent(mobile.start(START));
    const second = sent(mobile.wake(START + 1000));
    expect(second).toEqual(first);
  });
});

describe("resynchronisation, RFC 5944 3.6.2.3", () => {
  test("by the home agent's clock: once, and not sooner than a second after the request", () => {
    const mobile = attempt();
    const first = sent(mobile.start(START));
    const hourAhead = joinIdentification(ntpFromEpochMs(START + 3_600_000), readRequest(first).identification);
    const mismatch = { code: ReplyCode.IdentificationMismatch, identification: hourAhead };
    expect(mobile.received(replyTo(first, mismatch), START + 10)).toEqual({ kind: "wait", wakeAtMs: START + 1000 });
    const second = sent(mobile.wake(START + 1000));
    const timestampMs = epochMsFromNtp(readRequest(second).identification, START);
    expect(Math.abs(timestampMs - (START + 1000 + 3_600_000))).toBeLessThan(600);
    expect(mobile.resynchronized).toBe(true);
    const again = replyTo(second, { code: ReplyCode.IdentificationMismatch });
    expect(mobile.received(again, START + 1010)).toMatchObject({ kind: "done", result: { reply: { code: 133 } } });
  });

  test("by the nonce that the home agent expects", () => {
    const mobile = attempt("nonces");
    const first = sent(mobile.start(START));
    const identification = joinIdentification(0xaaaaaaaa_00000000n, readRequest(first).identification);
    mobile.received(replyTo(first, { code: ReplyCode.IdentificationMismatch, identification }), START + 10);
    const second = readRequest(sent(mobile.wake(START + 1000)));
    expect(second.identification >> 32n).toBe(0xaaaaaaaan);
    expect(second.identification).not.toBe(identification);
  });

  test("not by a reply that anybody could have made", () => {
    const mobile = attempt();
    const first = sent(mobile.start(START));
    const forged = replyTo(first, { code: ReplyCode.IdentificationMismatch, mobileHome: association(256, "guessed") });
    expect(mobile.received(forged, START + 10)).toEqual({ kind: "wait", wakeAtMs: START + 1000 });
    expect(mobile.resynchronized).toBe(false);
  });
});

describe("which replies are believed, RFC 5944 3.6.2.1", () => {
  const onlyHome = { homeAgent: mobileHome, foreignAgent: undefined };
  const both = { homeAgent: mobileHome, foreignAgent: mobileForeign };
  const otherKey = association(256, "another key");
  const otherSpi = { ...mobileHome, spi: 257 };

  test.each([
    ["accepted, signed by the home agent", onlyHome, {}, undefined],
    ["accepted, unsigned", onlyHome, { mobileHome: undefined }, "mobile-home-authentication"],
    ["accepted, signed with another key", onlyHome, { mobileHome: otherKey }, "mobile-home-authentication"],
    ["accepted, signed with another SPI", onlyHome, { mobileHome: otherSpi }, "mobile-home-authentication"],
    [
      "denied by the home agent, unsigned",
      onlyHome,
      { code: 129, mobileHome: undefined },
      "mobile-home-authentication",
    ],
    ["denied by the foreign agent, unsigned", onlyHome, { code: 66, mobileHome: undefined }, undefined],
    ["194 is the foreign agent's as well", onlyHome, { code: 194, mobileHome: undefined }, undefined],
    ["with the foreign agent's signature", both, { mobileForeign }, undefined],
    ["without the foreign agent's signature", both, {}, "mobile-foreign-authentication"],
    ["denied by the foreign agent without its signature", both, { code: 66 }, "mobile-foreign-authentication"],
  ])("%s", (_what, associations, changes, doubt) => {
    const mobile = attempt("timestamps", { settings: { associations } });
    const step = mobile.received(replyTo(sent(mobile.start(START)), changes), START);
    expect(step.kind).toBe(doubt === undefined ? "done" : "wait");
    expect(mobile.lastDoubt?.doubt).toBe(doubt);
  });

  test("not what is no reply", () => {
    const mobile = attempt();
    const payload = sent(mobile.start(START));
    for (const bytes of [new Uint8Array(), payload, replyTo(payload).subarray(0, 25)]) {
      expect(mobile.received(bytes, START).kind).toBe("wait");
      expect(mobile.lastDoubt).toEqual({ doubt: "undecodable", code: undefined });
    }
  });

  test("a second signature of the home agent makes it doubtful", () => {
    const mobile = attempt();
    const reply = replyTo(sent(mobile.start(START)));
    const doubled = Uint8Array.from([...reply, ...reply.subarray(20)]);
    expect(mobile.received(doubled, START).kind).toBe("wait");
    expect(mobile.lastDoubt).toEqual({ doubt: "mobile-home-authentication", code: 0 });
  });
});
