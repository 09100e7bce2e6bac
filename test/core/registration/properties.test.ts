/** What must hold whatever mobiles, foreign agents and attackers send, and however time passes between. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { compareRegistrations } from "../../../src/core/bindings/merge.ts";
import type { MobileKey } from "../../../src/core/names.ts";
import { timestampDifference } from "../../../src/core/wire/ntp-timestamp.ts";
import { decodeRegistrationReply, decodeRegistrationRequest } from "../../../src/core/wire/registration-message.ts";
import { FA1, FA2, KEYS, type Outcome, Rig, type Sent, TRUSTED_FA } from "./rig.ts";

type Event =
  | { readonly kind: "send"; readonly sent: Sent }
  /** The bytes of an earlier request again, perhaps from elsewhere. */
  | { readonly kind: "replay"; readonly which: number; readonly source: string }
  | { readonly kind: "pass"; readonly seconds: number };

const mobile: fc.Arbitrary<Sent> = fc.constantFrom<Sent>(
  { home: "10.64.1.1" },
  { home: "10.64.1.1", credential: KEYS.wide },
  { home: "10.64.1.2" },
  { home: "10.64.2.1", credential: KEYS.nonces },
  { nai: "alice@example.com", credential: KEYS.alice },
  { nai: "ann@example.com", credential: KEYS.roaming },
  { nai: "bob@example.com", credential: KEYS.roaming },
  { nai: "bob@example.com", credential: KEYS.roamingNonces },
  { nai: "cat@example.com", credential: KEYS.roaming },
  { nai: "bob@example.com", home: "10.79.1.0", credential: KEYS.roaming },
  { nai: "ann@example.com", home: "10.64.1.1", credential: KEYS.timestamps },
  { nai: "cat@example.com", home: "10.64.5.5", credential: KEYS.roaming },
);
const foreignAgent = fc.constantFrom(FA1, FA2, "192.0.2.3", TRUSTED_FA);
const details: fc.Arbitrary<Sent> = fc.record(
  {
    lifetime: fc.constantFrom(0, 0, 5, 60, 600, 9999, 0xffff),
    flags: fc.constantFrom("", "S", "S", "M", "T"),
    careOf: fc.oneof(foreignAgent, fc.constantFrom("10.64.1.1", "0.0.0.0")),
    aheadMs: fc.integer({ min: -8000, max: 8000 }),
  },
  { requiredKeys: ["lifetime"] },
);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(mobile, details, foreignAgent)
      .map(([who, what, source]) => ({ kind: "send" as const, sent: { ...who, ...what, source } })),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("replay" as const), which: fc.nat(60), source: foreignAgent }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      seconds: fc.constantFrom(1, 3, 6, 20, 61, 700, 4000, 7300),
    }),
  },
);

/** Plays events on a home agent with a pool of two addresses, and shows each outcome with what went before. */
function play(
  events: readonly Event[],
  check: (outcome: Outcome, rig: Rig, datagram: Uint8Array, rowsBefore: ReadonlyMap<MobileKey, Binding>) => void,
): void {
  const rig = new Rig({ pool: [{ first: 0x0a4f0100 as never, last: 0x0a4f0101 as never }], poolStickinessMs: 100_000 });
  const datagrams: Uint8Array[] = [];
  for (const happened of events) {
    if (happened.kind === "pass") {
      rig.passSeconds(happened.seconds);
      continue;
    }
    const datagram =
      happened.kind === "send" ? rig.datagram(happened.sent) : datagrams[happened.which % (datagrams.length || 1)];
    if (datagram === undefined) continue;
    datagrams.push(datagram);
    const rowsBefore = new Map(rig.rows);
    check(rig.receive(datagram, happened.kind === "send" ? happened.sent : happened), rig, datagram, rowsBefore);
  }
}

/** For all sequences of events, each outcome; `makeCheck` is called once per sequence. */
function always(makeCheck: () => Parameters<typeof play>[1]): void {
  fc.assert(
    fc.property(fc.array(event, { minLength: 10, maxLength: 60 }), (events) => play(events, makeCheck())),
    { numRuns: 150 },
  );
}

test("no lifetime is granted beyond the one asked for, nor beyond the maximum", () => {
  always(() => ({ request, lifetime, row, outcome }, rig) => {
    expect(lifetime ?? 0).toBeLessThanOrEqual(Math.min(request.lifetimeSeconds, rig.policy.maximumLifetimeSeconds));
    if (outcome !== "accepted") return;
    for (const entry of row?.registration.careOfAddresses ?? []) {
      expect(entry.expiresAtMs).toBeGreaterThan(rig.nowMs);
      expect(entry.expiresAtMs).toBeLessThanOrEqual(rig.nowMs + rig.policy.maximumLifetimeSeconds * 1000);
    }
  });
});

test("no request is accepted twice, whenever and from wherever it is sent again", () => {
  always(() => {
    const accepted = new Set<string>();
    return ({ outcome }, _rig, datagram) => {
      if (outcome !== "accepted") return;
      const signed = signedPart(datagram);
      expect(accepted.has(signed)).toBe(false);
      accepted.add(signed);
    };
  });
});

test("a retransmission gets the reply of the request that it repeats, up to what is the foreign agent's", () => {
  always(() => {
    const replies = new Map<string, string>();
    return ({ outcome, reply }, _rig, datagram) => {
      const signed = signedPart(datagram);
      const answer = reply === undefined ? "" : signedPart(reply.bytes);
      if (outcome === "accepted") replies.set(signed, answer);
      if (outcome === "duplicate") expect(answer).toBe(replies.get(signed));
    };
  });
});

test("the timestamp that a mobile last had accepted never goes back, not even when its row was forgotten", () => {
  always(() => {
    const latest = new Map<MobileKey, bigint>();
    return ({ outcome, row }) => {
      if (outcome !== "accepted" || row?.registration.replayStyle !== "timestamps") return;
      const { identification } = row.registration;
      const previous = latest.get(row.mobile);
      if (previous !== undefined) expect(timestampDifference(identification, previous)).toBeGreaterThan(0n);
      latest.set(row.mobile, identification);
    };
  });
});

test("what is accepted is a newer version than what it replaces, also by the clock of an owner that is behind", () => {
  always(() => ({ outcome, row }, rig, _datagram, rowsBefore) => {
    // Another member, whose clock is as far from this one's as members bear, is the owner for the next request.
    rig.nowMs += rig.owner === "ha1" ? -30_000 : 30_000;
    rig.owner = rig.owner === "ha1" ? "ha2" : "ha1";
    const before = row && rowsBefore.get(row.mobile);
    if (outcome !== "accepted" || row === undefined || before === undefined) return;
    expect(compareRegistrations(row, before)).toBeGreaterThan(0);
  });
});

test("only an accepted request changes a row, and only its own mobile's or one whose address is taken back", () => {
  always(() => ({ outcome, row }, rig, _datagram, rowsBefore) => {
    const changed = [...rig.rows].filter(([mobile, now]) => rowsBefore.get(mobile) !== now);
    if (outcome !== "accepted") expect([changed.length, rig.rows.size]).toEqual([0, rowsBefore.size]);
    for (const [mobile, now] of changed) expect(mobile === row?.mobile || now.homeAddress === 0).toBe(true);
  });
});

test("no home address belongs to two mobiles, and none from the pool to a mobile without an NAI", () => {
  always(() => (_outcome, rig) => {
    const addresses = [...rig.rows.values()].map((row) => row.homeAddress).filter((address) => address !== 0);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const row of rig.rows.values()) if (row.dynamic) expect(row.nai).toBeDefined();
  });
});

test("a mobile never has more care-of addresses than allowed, nor one twice", () => {
  always(() => ({ careOf }, rig) => {
    expect(careOf.length).toBeLessThanOrEqual(rig.policy.maximumSimultaneousBindings);
    expect(new Set(careOf).size).toBe(careOf.length);
  });
});

test("whatever bytes are made of a request, nothing but a decision comes of it", () => {
  const original = new Rig().datagram({ nai: "bob@example.com", credential: KEYS.roaming, careOf: TRUSTED_FA });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(original.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      fc.nat(original.length),
      (changes, length) => {
        const bytes = original.slice(0, length);
        for (const [index, value] of changes) if (index < length) bytes[index] = value;
        const decoded = decodeRegistrationRequest(bytes);
        if (!decoded.ok) return;
        const rig = new Rig();
        const { outcome } = rig.engine.decide(decoded.message, rig.context(decoded.message, { source: TRUSTED_FA }));
        expect(outcome === "accepted").toBe(
          bytes.length === original.length && bytes.every((byte, i) => byte === original[i]),
        );
      },
    ),
    { numRuns: 1000 },
  );
});

/** Everything up to the end of the first authentication extension, which is the mobile's. */
function signedPart(message: Uint8Array): string {
  const decoded = message[0] === 1 ? decodeRegistrationRequest(message) : decodeRegistrationReply(message);
  const extensions = decoded.ok ? decoded.message.extensions : [];
  const end = extensions.find((extension) => extension.kind === "authentication")?.end;
  return Buffer.from(message.subarray(0, end)).toString("hex");
}
