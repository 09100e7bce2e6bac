import { expect, test } from "vitest";
import type { Binding, CareOfBinding } from "../../../src/core/bindings/binding.ts";
import {
  canForget,
  expiryMs,
  isTombstone,
  nextChangeMs,
  withoutExpired,
} from "../../../src/core/bindings/mobility-bindings.ts";
import { INFINITE_LIFETIME } from "../../../src/core/wire/registration-message.ts";
import { FA2, KEYS, Rig, START_MS } from "../registration/rig.ts";

/** Two care-of addresses: the first for 100 s, the second for 500 s. */
function twoBindings(): Binding {
  const rig = new Rig();
  rig.send({ lifetime: 100 });
  const { row } = rig.send({ careOf: FA2, flags: "S", lifetime: 500 });
  if (row === undefined) throw new Error("not registered");
  return row;
}

const lifetimes = (binding: Binding) => binding.registration.careOfAddresses.map((entry) => entry.lifetimeSeconds);

test("each care-of address ends with its own lifetime, to the millisecond", () => {
  const row = twoBindings();
  expect(withoutExpired(row, START_MS + 99_999)).toBe(row);
  expect(lifetimes(withoutExpired(row, START_MS + 100_000))).toEqual([500]);
  expect(lifetimes(withoutExpired(row, START_MS + 499_999))).toEqual([500]);
  expect(isTombstone(withoutExpired(row, START_MS + 500_000))).toBe(true);
});

test("the next change is the earliest expiry, and for a tombstone the time from which it may be forgotten if no old copy is left", () => {
  const row = twoBindings();
  expect(nextChangeMs(row)).toBe(START_MS + 100_000);
  expect(nextChangeMs(withoutExpired(row, START_MS + 100_000))).toBe(START_MS + 500_000);
  const tombstone = withoutExpired(row, START_MS + 500_000);
  expect(nextChangeMs(tombstone)).toBe(tombstone.registration.replayableUntilMs);
  expect(canForget(tombstone, tombstone.registration.replayableUntilMs)).toBe(false);
});

test("a live binding is not forgotten before its lifetime is over, a tombstone when its retention is over", () => {
  const row = twoBindings();
  expect(canForget({ ...row, registration: { ...row.registration, retainUntilMs: 0 } }, START_MS + 499_999)).toBe(
    false,
  );
  const tombstone = withoutExpired(row, START_MS + 500_000);
  expect(canForget(tombstone, tombstone.registration.retainUntilMs - 1)).toBe(false);
  expect(canForget(tombstone, tombstone.registration.retainUntilMs)).toBe(true);
});

test("a binding with an infinite lifetime never changes by itself", () => {
  const rig = new Rig({ maximumLifetimeSeconds: INFINITE_LIFETIME });
  const { row } = rig.send({ lifetime: INFINITE_LIFETIME });
  expect(row && nextChangeMs(row)).toBe(Number.POSITIVE_INFINITY);
  expect(row && withoutExpired(row, 1e15)).toBe(row);
  expect(expiryMs(START_MS, INFINITE_LIFETIME)).toBe(Number.POSITIVE_INFINITY);
});

test("a tombstone outlasts every binding that it superseded: an old copy of one could seem alive until then", () => {
  const rig = new Rig();
  const long: CareOfBinding | undefined = rig.send({ lifetime: 3000 }).row?.registration.careOfAddresses[0];
  rig.passSeconds(10);
  rig.send({ lifetime: 60 });
  rig.passSeconds(10);
  const { row } = rig.send({ lifetime: 0 });
  expect(row?.registration.retainUntilMs).toBeGreaterThan(long?.expiresAtMs ?? Number.NaN);
});

test("a tombstone of an infinite binding stays for ever", () => {
  const rig = new Rig({ maximumLifetimeSeconds: INFINITE_LIFETIME });
  rig.send({ lifetime: INFINITE_LIFETIME });
  expect(rig.send({ lifetime: 0 }).row?.registration.retainUntilMs).toBe(Number.POSITIVE_INFINITY);
});

test("the row of a mobile from the pool is kept as long as its address is reserved", () => {
  const rig = new Rig({ poolStickinessMs: 50_000_000 });
  const bob = { nai: "bob@example.com", credential: KEYS.roaming, lifetime: 60 };
  expect(rig.send(bob).row?.registration.reservedUntilMs).toBe(START_MS + 60_000 + 50_000_000);
});
