/**
 * The merge rule of bindings: two registers in one row, each "the higher version wins". It is commutative, associative and
 * idempotent, so copies converge after any schedule of faults, and a takeover that was decided from an old copy never hides
 * a newer registration.
 */

import type { MemberId } from "../names.ts";
import { ntpFromEpochMs, timestampDifference } from "../wire/ntp-timestamp.ts";
import type { Binding, Ownership, Registration } from "./binding.ts";
import { encodeBindingRow } from "./binding-row.ts";

/** Of two copies of the same mobile's row. */
export function mergeBindings(a: Binding, b: Binding): Binding {
  const newest = compareRegistrations(a, b) >= 0 ? a : b;
  const ownerships = compareOwnerships(a.ownership, b.ownership);
  const owned = ownerships === 0 ? newest : ownerships > 0 ? a : b;
  // A tombstone must outlast every copy that it has superseded, including one that it has never met before.
  const retainUntilMs = Math.max(a.registration.retainUntilMs, b.registration.retainUntilMs);
  const createdAtMs = Math.min(a.createdAtMs, b.createdAtMs);
  const isAllSaid = newest.registration.retainUntilMs === retainUntilMs && newest.createdAtMs === createdAtMs;
  if (newest === owned && isAllSaid) return newest;
  const registration = { ...newest.registration, retainUntilMs };
  return { ...newest, createdAtMs, ownership: owned.ownership, registration };
}

/**
 * Positive if `a` is newer: by generation, then by owner, so that members who take a binding over at once agree on who has
 * it.
 */
export function compareOwnerships(a: Ownership, b: Ownership): number {
  return a.generation - b.generation || compareText(a.owner, b.owner) || compareText(`${a.backups}`, `${b.backups}`);
}

/**
 * Positive if `a`'s registration is newer. Copies of one version differ in what time has ended at most, each by its own
 * clock: the fuller counts, as time will deal with it. Contents are the last resort, so that the order is total; the
 * simulator holds that no two rows ever differ in nothing else.
 */
export function compareRegistrations(a: Binding, b: Binding): number {
  const [x, y] = [a.registration, b.registration];
  if (x === y && a.homeAddress === b.homeAddress) return 0;
  return (
    compareVersions(versionOf(a), versionOf(b)) ||
    x.careOfAddresses.length - y.careOfAddresses.length ||
    Buffer.compare(registrationBytes(a), registrationBytes(b))
  );
}

/** What is said of a registration where its version is enough. */
export interface RegistrationVersion {
  /** See `orderTime`. */
  readonly orderTime: bigint;
  readonly replayResets: number;
  /** See `signedTime`. */
  readonly signedTime: bigint;
  readonly counter: number;
  readonly acceptedAtMs: number;
  readonly decidedBy: MemberId;
}

export function versionOf({ registration }: Pick<Binding, "registration">): RegistrationVersion {
  const { replayResets, counter, acceptedAtMs, decidedBy } = registration;
  const times = { orderTime: orderTime(registration), signedTime: signedTime(registration) };
  return { ...times, replayResets, counter, acceptedAtMs, decidedBy };
}

/** By what the mobile signed where that is a timestamp, else by the time of its acceptance; then by who changed it, when. */
export function compareVersions(a: RegistrationVersion, b: RegistrationVersion): number {
  return (
    compare(a.orderTime, b.orderTime) ||
    a.replayResets - b.replayResets ||
    compare(a.signedTime, b.signedTime) ||
    a.counter - b.counter ||
    a.acceptedAtMs - b.acceptedAtMs ||
    compareText(a.decidedBy, b.decidedBy)
  );
}

/**
 * What registrations are ordered by. Where an operator has had a time forgotten that was wrong, all that follows counts as signed at
 * that time at least, and after what was: it wins over what is known to be wrong, and not over what another member has
 * accepted that was signed later still. The operator's word itself is signed by no mobile, so when it was given doesn't count.
 */
function orderTime(registration: Registration): bigint {
  const forgotten = (BigInt(registration.forgottenUntilMs) << 32n) / 1000n;
  const isSigned = registration.authenticator !== "";
  const signed = signedTime(registration);
  return isSigned && signed > forgotten ? signed : forgotten;
}

/** The first whole millisecond that is later than what the mobile signed; epoch ms. */
export function afterSignedMs(registration: Registration): number {
  return Number((signedTime(registration) * 1000n) >> 32n) + 1;
}

/**
 * When a registration that has no time of its own is to be said to have been accepted, so that it is newer than the one it
 * follows: that may have been accepted by a member whose clock is ahead, or before a clock was set back. Epoch ms.
 */
export function acceptanceMs(last: Registration | undefined, nowMs: number): number {
  if (last === undefined) return nowMs;
  return Math.max(nowMs, afterSignedMs(last));
}

/** When the mobile signed it, in NTP fractions of a second, in whatever era: nonces are no times, and go by their acceptance. */
function signedTime({ replayStyle, identification, acceptedAtMs }: Registration): bigint {
  const accepted = ntpFromEpochMs(acceptedAtMs);
  const unwrapped = BigInt(Math.floor(acceptedAtMs / 1000)) << 32n;
  if (replayStyle === "nonces") return unwrapped + (accepted & 0xffff_ffffn);
  return unwrapped + (accepted & 0xffff_ffffn) + timestampDifference(identification, accepted);
}

/** Everything that the merge takes along with the registration, but the times that are merged by themselves. */
export function registrationBytes(binding: Binding): Uint8Array {
  const { registration } = binding;
  return encodeBindingRow({
    ...binding,
    createdAtMs: 0,
    ownership: { owner: "", backups: [], generation: 0 },
    registration: { ...registration, retainUntilMs: 0 },
  });
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function compare(a: bigint, b: bigint): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
