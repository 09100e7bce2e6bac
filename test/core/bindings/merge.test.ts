import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Binding } from "../../../src/core/bindings/binding.ts";
import { compareRegistrations, mergeBindings } from "../../../src/core/bindings/merge.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";

const acceptedAt = 1_790_000_000_000;

/** Few different values, so that equal versions of different content turn up often. */
const anyBinding: fc.Arbitrary<Binding> = fc
  .record({
    style: fc.constantFrom("timestamps" as const, "nonces" as const),
    stepMs: fc.integer({ min: 0, max: 4 }),
    acceptedStepMs: fc.integer({ min: 0, max: 4 }),
    counter: fc.integer({ min: 1, max: 3 }),
    replayResets: fc.constantFrom(0, 0, 1),
    forgottenStepMs: fc.constantFrom(Number.NEGATIVE_INFINITY, 2, 5),
    decidedBy: fc.constantFrom("ha1", "ha2"),
    careOf: fc.subarray(["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
    reservedUntilMs: fc.constant(0),
    createdAtMs: fc.integer({ min: 0, max: 3 }),
    retainUntilMs: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant(Number.POSITIVE_INFINITY)),
    owner: fc.constantFrom("ha1", "ha2", "ha3"),
    backups: fc.subarray(["ha1", "ha2", "ha3"], { maxLength: 2 }),
    generation: fc.integer({ min: 1, max: 3 }),
    nai: fc.constantFrom("a@example.com", undefined),
  })
  .map(({ style, stepMs, acceptedStepMs, careOf, ...rest }) => {
    const identification = style === "timestamps" ? ntpFromEpochMs(acceptedAt + stepMs) : BigInt(stepMs) << 40n;
    return {
      mobile: "ip:10.64.1.1",
      homeAddress: ipv4("10.64.1.1"),
      nai: rest.nai,
      homeAddressSinceMs: acceptedAt,
      dynamic: false,
      createdAtMs: rest.createdAtMs,
      registration: {
        identification,
        replayStyle: style,
        authenticator: "00".repeat(16),
        association: "home addresses 10.64.1.0-10.64.1.255",
        code: 0,
        lifetimeSeconds: 600,
        acceptedAtMs: acceptedAt + acceptedStepMs,
        counter: rest.counter,
        replayResets: rest.replayResets,
        forgottenUntilMs: Math.max(acceptedAt + rest.forgottenStepMs, 0),
        decidedBy: rest.decidedBy,
        careOfAddresses: careOf.map((address) => ({
          careOfAddress: ipv4(address),
          flags: 0,
          lifetimeSeconds: 600,
          expiresAtMs: acceptedAt + 600_000,
          foreignAgent: { address: ipv4(address), port: 434 },
          ingress: "ha1",
          identification,
        })),
        replayableUntilMs: acceptedAt + 15_000,
        retainUntilMs: rest.retainUntilMs,
        reservedUntilMs: rest.reservedUntilMs,
      },
      ownership: { owner: rest.owner, backups: rest.backups, generation: rest.generation },
    };
  });

describe("merging two copies of a binding", () => {
  it("gives the same from either side", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, (a, b) => {
        expect(mergeBindings(a, b)).toEqual(mergeBindings(b, a));
      }),
    );
  });

  it("gives the same in whatever order three copies meet", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, anyBinding, (a, b, c) => {
        expect(mergeBindings(mergeBindings(a, b), c)).toEqual(mergeBindings(a, mergeBindings(b, c)));
      }),
      { numRuns: 2000 },
    );
  });

  it("changes nothing when it is done again", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, (a, b) => {
        const merged = mergeBindings(a, b);
        expect(mergeBindings(merged, a)).toEqual(merged);
        expect(mergeBindings(merged, b)).toEqual(merged);
        expect(mergeBindings(a, a)).toEqual(a);
      }),
    );
  });

  it("never hides a newer registration behind a takeover that was decided from an old copy", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, (old, newer) => {
        fc.pre(compareRegistrations(newer, old) > 0);
        const takenOver = { ...old, ownership: { owner: "ha9", backups: [], generation: 99 } };
        const merged = mergeBindings(takenOver, newer);
        expect(merged.ownership.owner).toBe("ha9");
        expect(merged.registration.identification).toBe(newer.registration.identification);
        expect(merged.registration.careOfAddresses).toEqual(newer.registration.careOfAddresses);
      }),
    );
  });

  it("keeps a tombstone as long as any copy that it superseded has to be remembered", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, (a, b) => {
        expect(mergeBindings(a, b).registration.retainUntilMs).toBe(
          Math.max(a.registration.retainUntilMs, b.registration.retainUntilMs),
        );
      }),
    );
  });

  it("keeps the time since when there may be copies", () => {
    fc.assert(
      fc.property(anyBinding, anyBinding, (a, b) => {
        expect(mergeBindings(a, b).createdAtMs).toBe(Math.min(a.createdAtMs, b.createdAtMs));
      }),
    );
  });

  it("goes by what the mobile signed, not by when an owner's clock says it was accepted", () => {
    fc.assert(
      fc.property(anyBinding, fc.integer({ min: -5000, max: 5000 }), (binding, skewMs) => {
        fc.pre(binding.registration.replayStyle === "timestamps");
        const { registration } = binding;
        const later: Binding = {
          ...binding,
          registration: {
            ...registration,
            identification: registration.identification + 1n,
            acceptedAtMs: registration.acceptedAtMs + skewMs,
          },
        };
        expect(compareRegistrations(later, binding)).toBeGreaterThan(0);
      }),
    );
  });

  it("orders timestamps across the end of the NTP era in 2036", () => {
    const eraEndsMs = Date.UTC(2036, 1, 7, 6, 28, 16);
    const [binding] = fc.sample(anyBinding, { numRuns: 1, seed: 1 });
    if (binding === undefined) throw new Error("no sample");
    const at = (ms: number): Binding => ({
      ...binding,
      registration: {
        ...binding.registration,
        replayStyle: "timestamps",
        identification: ntpFromEpochMs(ms),
        acceptedAtMs: ms,
      },
    });
    expect(compareRegistrations(at(eraEndsMs + 1000), at(eraEndsMs - 1000))).toBeGreaterThan(0);
  });
});
