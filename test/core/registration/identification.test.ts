/** RFC 5944 5.7 and 3.8.2.1 b: replayed requests fail, fresh ones do not. */
import { describe, expect, test } from "vitest";
import { epochMsFromNtp, ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import { FA1, FA2, KEYS, Rig, type Sent, START_MS, WINDOW_MS } from "./rig.ts";
import { ACCEPTED, denied, play } from "./scenario.ts";

const MISMATCH = denied(133, "identification-mismatch");

describe("timestamps (5.7.1)", () => {
  play([
    {
      rule: "a timestamp within the window is accepted, on either side of our clock",
      steps: [
        { send: { aheadMs: -6900 }, expect: ACCEPTED },
        { send: { aheadMs: 6900 }, expect: ACCEPTED },
      ],
    },
    {
      rule: "a timestamp outside of the window is answered 133",
      steps: [
        { send: { aheadMs: -7100 }, expect: MISMATCH },
        { send: { aheadMs: 7100 }, expect: MISMATCH },
        { send: { identification: 0n }, expect: MISMATCH },
        { send: { identification: 0xffffffffffffffffn }, expect: MISMATCH },
      ],
    },
    {
      rule: "a timestamp must be greater than all that were accepted before",
      steps: [
        { send: { aheadMs: 3000 }, expect: ACCEPTED },
        { send: { aheadMs: 2000 }, expect: MISMATCH },
        { after: 2, send: {}, expect: MISMATCH },
        { after: 2, send: {}, expect: ACCEPTED },
      ],
    },
    {
      rule: "a timestamp that was denied may be used again",
      policy: { reverseTunneling: "refused" },
      steps: [
        {
          send: { flags: "T", identification: ntpFromEpochMs(START_MS) },
          expect: denied(137, "reverse-tunnel-unavailable"),
        },
        { send: { identification: ntpFromEpochMs(START_MS) }, expect: ACCEPTED },
      ],
    },
    {
      rule: "the timestamp of an accepted request is not good for another request",
      steps: [
        { send: { identification: ntpFromEpochMs(START_MS) }, expect: ACCEPTED },
        { send: { identification: ntpFromEpochMs(START_MS), careOf: FA2 }, expect: { ...MISMATCH, careOf: [FA1] } },
      ],
    },
    {
      rule: "a replay fails after a deregistration, and after the binding has expired",
      steps: [
        { send: { lifetime: 5 }, expect: ACCEPTED },
        { send: { lifetime: 0, careOf: "10.64.1.1" }, expect: { ...ACCEPTED, careOf: [] } },
        { send: 1, expect: { ...MISMATCH, careOf: [] } },
        { send: { lifetime: 5, aheadMs: 1000 }, expect: ACCEPTED },
        { after: 6, send: 4, expect: { ...MISMATCH, careOf: [] } },
      ],
    },
    {
      rule: "a replay fails as long as its timestamp is in the window, whatever became of the row",
      steps: [
        { send: { lifetime: 0, careOf: "10.64.1.1", aheadMs: 6900 }, expect: ACCEPTED },
        { send: { lifetime: 600, aheadMs: 6950 }, expect: ACCEPTED },
        { send: { lifetime: 0, careOf: "10.64.1.1", aheadMs: 6990 }, expect: ACCEPTED },
        { after: 13.5, send: 2, expect: { ...MISMATCH, careOf: [] } },
      ],
    },
    {
      rule: "after nonces, a timestamp counts only if it cannot be older than the last registration",
      steps: [
        { send: { nai: "bob@example.com", credential: KEYS.roamingNonces }, expect: MISMATCH },
        { send: { nai: "bob@example.com", credential: KEYS.roamingNonces }, expect: ACCEPTED },
        { send: { nai: "bob@example.com", credential: KEYS.roaming, aheadMs: 6900 }, expect: MISMATCH },
        { after: 8, send: { nai: "bob@example.com", credential: KEYS.roaming }, expect: ACCEPTED },
      ],
    },
  ]);

  test("133 carries our clock in the high 32 bits and the request's low 32 bits, by which the mobile synchronises", () => {
    const rig = new Rig();
    const behind: Sent = { aheadMs: -3_600_000 };
    const { reply, request } = rig.send(behind);
    expect(epochMsFromNtp(reply?.identification ?? 0n, START_MS)).toBeGreaterThan(START_MS - 1000);
    expect(epochMsFromNtp(reply?.identification ?? 0n, START_MS)).toBeLessThan(START_MS + 1000);
    expect(BigInt.asUintN(32, reply?.identification ?? 0n)).toBe(BigInt.asUintN(32, request.identification));
    expect(rig.send({ identification: (reply?.identification ?? 0n) + 1n }).outcome).toBe("accepted");
  });

  test("a timestamp from before the start of this member proves nothing, whatever the window", () => {
    const rig = new Rig();
    rig.runningMs = 2000;
    expect(rig.send({ aheadMs: -2500 })).toMatchObject(MISMATCH);
    expect(rig.send({ aheadMs: -1500 }).outcome).toBe("accepted");
    rig.runningMs = 60_000;
    expect(rig.send({ home: "10.64.1.2", aheadMs: -6500 }).outcome).toBe("accepted");
    expect(rig.send({ home: "10.64.1.3", aheadMs: -7500 })).toMatchObject(MISMATCH);
  });

  test("any other reply echoes all 64 bits", () => {
    const rig = new Rig();
    for (const sent of [{}, { lifetime: 0 }, { homeAgent: "10.64.0.2" }, { flags: "M" }]) {
      const { reply, request } = rig.send(sent);
      expect(reply?.identification).toBe(request.identification);
    }
  });

  test("timestamps go on past the end of the NTP era in February 2036", () => {
    const rig = new Rig();
    rig.nowMs = Date.UTC(2036, 1, 7, 6, 28, 14);
    expect(rig.send({}).outcome).toBe("accepted");
    rig.passSeconds(4);
    const inNextEra = rig.send({});
    expect(inNextEra.outcome).toBe("accepted");
    expect(inNextEra.request.identification >> 32n).toBeLessThan(10n);
    expect(rig.send({ aheadMs: -4000 })).toMatchObject(MISMATCH);
  });
});

describe("nonces (5.7.2)", () => {
  const mobile = { home: "10.64.2.1", credential: KEYS.nonces } as const;
  play([
    {
      rule: "a mobile that knows no nonce is answered 133 with one, and its next request is accepted",
      steps: [
        { send: mobile, expect: MISMATCH },
        { send: mobile, expect: ACCEPTED },
        { send: mobile, expect: ACCEPTED },
        { send: { ...mobile, lifetime: 0 }, expect: ACCEPTED },
        { after: 3600, send: mobile, expect: ACCEPTED },
      ],
    },
    {
      rule: "a nonce is good for one registration",
      steps: [
        { send: mobile, expect: MISMATCH },
        { send: mobile, expect: ACCEPTED },
        { send: mobile, expect: { ...ACCEPTED } },
        { send: 2, expect: MISMATCH },
      ],
    },
    {
      rule: "a retransmission is answered like the request that it repeats (3.6.3), until the next one",
      steps: [
        { send: mobile, expect: MISMATCH },
        { send: mobile, expect: ACCEPTED },
        { send: 2, expect: { outcome: "duplicate", code: 0 } },
        { send: mobile, expect: ACCEPTED },
        { send: 2, expect: MISMATCH },
      ],
    },
    {
      rule: "a first nonce is good for at least an hour and for less than two",
      steps: [
        { send: mobile, expect: MISMATCH },
        { after: 3599, send: mobile, expect: ACCEPTED },
      ],
    },
    {
      rule: "an unused first nonce ends",
      steps: [
        { send: mobile, expect: MISMATCH },
        { after: 7201, send: mobile, expect: MISMATCH },
      ],
    },
    {
      rule: "a first nonce is not good again when the mobile's row has been forgotten",
      steps: [
        { send: { ...mobile, lifetime: 1 }, expect: MISMATCH },
        { send: { ...mobile, lifetime: 1 }, expect: ACCEPTED },
        { after: 3600, send: 2, expect: MISMATCH },
        { after: 3600, send: 2, expect: MISMATCH },
        { after: 120, send: 2, expect: MISMATCH },
      ],
    },
    {
      rule: "one mobile's nonce is not another's",
      steps: [
        { send: mobile, expect: MISMATCH },
        { send: { ...mobile, identification: 1n }, expect: MISMATCH },
        { send: { ...mobile, home: "10.64.2.2" }, expect: MISMATCH },
      ],
    },
  ]);

  test("every reply carries the nonce to use next: accepted or denied, for whatever reason", () => {
    const rig = new Rig();
    const wrongKey = { ...KEYS.nonces, key: "not the right one" };
    rig.send(mobile);
    for (const hindered of [
      { flags: "M" },
      { homeAgent: "10.64.0.2" },
      { credential: wrongKey },
      {},
      { lifetime: 0 },
    ]) {
      rig.send({ ...mobile, ...hindered });
      expect(rig.send(mobile), JSON.stringify(hindered)).toMatchObject(ACCEPTED);
    }
  });

  test("a member that takes the mobile over by its row alone knows the nonce it was given", () => {
    const [owner, successor] = [new Rig(), new Rig()];
    owner.send(mobile);
    owner.send(mobile);
    const next = owner.datagram(mobile);
    for (const row of owner.rows.values()) successor.change(undefined, row);
    expect(successor.receive(next).outcome).toBe("accepted");
    expect(owner.receive(next).outcome).toBe("accepted");
  });
});

test("a row is kept for as long as a replay could be accepted without it", () => {
  const rig = new Rig();
  const { row } = rig.send({ lifetime: 0, careOf: "10.64.1.1" });
  expect(row?.registration.replayableUntilMs).toBeGreaterThan(START_MS + 2 * WINDOW_MS);
  expect(row?.registration.retainUntilMs).toBeGreaterThanOrEqual(row?.registration.replayableUntilMs ?? Number.NaN);
});
