/** The mobility binding list of one mobile node (RFC 5944 3.8.2.2), and what time does to it. */
import type { MobileKey } from "../names.ts";
import { INFINITE_LIFETIME } from "../wire/registration-message.ts";
import type { Binding, CareOfBinding } from "./binding.ts";

/** No care-of address: what is left of a mobile that deregistered or whose bindings expired. */
export function isTombstone(binding: Binding): boolean {
  return binding.registration.careOfAddresses.length === 0;
}

/**
 * Of two mobiles that were given one home address, as happens on two sides of a partition, the one that has had it longer
 * keeps it. An address that a mobile has left is only reserved for it.
 */
export function hasAddressBefore(
  a: { readonly mobile: string; readonly sinceMs: number },
  b: { readonly mobile: string; readonly sinceMs: number },
): boolean {
  return a.sinceMs === b.sinceMs ? a.mobile < b.mobile : a.sinceMs < b.sinceMs;
}

/** The mobile's claim to its home address; `Infinity` where it is gone. */
export function addressClaim(binding: Binding): { readonly mobile: MobileKey; readonly sinceMs: number } {
  const { mobile, homeAddressSinceMs } = binding;
  return { mobile, sinceMs: isTombstone(binding) ? Number.POSITIVE_INFINITY : homeAddressSinceMs };
}

/**
 * "After the expiration of this registration Lifetime, the home agent MUST delete its entry" (RFC 5944 3.8.2.2). The same
 * object if nothing has expired.
 */
export function withoutExpired(binding: Binding, nowMs: number): Binding {
  const { registration } = binding;
  const isLive = (entry: CareOfBinding) => entry.expiresAtMs > nowMs;
  if (registration.careOfAddresses.every(isLive)) return binding;
  const careOfAddresses = registration.careOfAddresses.filter(isLive);
  return { ...binding, registration: { ...registration, careOfAddresses } };
}

/** Until when the row is needed: for a care-of address, against a replay or an old copy, or for a reserved home address. */
export function neededUntilMs(binding: Binding): number {
  return Math.max(neededUnreservedUntilMs(binding), binding.registration.reservedUntilMs);
}

/** Like `neededUntilMs`, if its home address may be given to another mobile as soon as this one has gone. */
export function neededUnreservedUntilMs({ registration }: Binding): number {
  const { careOfAddresses, retainUntilMs } = registration;
  return lastExpiryMs(careOfAddresses, retainUntilMs);
}

/** Like `neededUntilMs`, if no member has an older copy any more that might be taken for the mobile's binding. */
export function neededAloneUntilMs(binding: Binding): number {
  return Math.max(neededAtLeastUntilMs(binding), binding.registration.reservedUntilMs);
}

/** Like `neededAloneUntilMs`, if its home address may be given to another mobile as soon as this one has gone. */
export function neededAtLeastUntilMs({ registration }: Binding): number {
  const { careOfAddresses, replayableUntilMs } = registration;
  return lastExpiryMs(careOfAddresses, replayableUntilMs);
}

/** Whether nothing needs the row any more. */
export function canForget(binding: Binding, nowMs: number): boolean {
  return nowMs >= neededUntilMs(binding);
}

/** How long beyond its time a copy is kept whose owner doesn't say that it has forgotten the mobile. */
export const ABANDONED_AFTER_MS = 600_000;

/** Whether the row's owner should have forgotten it long ago, so that no member is left to say so. */
export function isAbandoned(binding: Binding, nowMs: number): boolean {
  return canForget(binding, nowMs - ABANDONED_AFTER_MS);
}

/**
 * When time changes the row next, if nothing else does before: an expiry, or the end of a tombstone at the earliest. Epoch
 * ms or `Infinity`.
 */
export function nextChangeMs(binding: Binding): number {
  const { careOfAddresses } = binding.registration;
  return isTombstone(binding)
    ? neededAloneUntilMs(binding)
    : Math.min(...careOfAddresses.map((entry) => entry.expiresAtMs));
}

/** When the last of them ends; `earliestMs` if that is later, or there are none. */
export function lastExpiryMs(careOfAddresses: readonly CareOfBinding[], earliestMs: number): number {
  return Math.max(earliestMs, ...careOfAddresses.map((entry) => entry.expiresAtMs));
}

/** "MUST NOT increase the Lifetime above that specified by the mobile node" (RFC 5944 3.8.2.2). */
export function grantedLifetimeSeconds(requestedSeconds: number, maximumSeconds: number): number {
  // Infinity is the largest number of the field, so it needs no rule of its own.
  return Math.min(requestedSeconds, maximumSeconds);
}

/** Epoch ms; `Infinity` for an infinite lifetime. */
export function expiryMs(fromMs: number, lifetimeSeconds: number): number {
  return lifetimeSeconds === INFINITE_LIFETIME ? Number.POSITIVE_INFINITY : fromMs + lifetimeSeconds * 1000;
}

/** A care-of address has one entry, and a new one replaces the old. */
export function withCareOfAddress(entries: readonly CareOfBinding[], added: CareOfBinding): readonly CareOfBinding[] {
  return [...entries.filter((entry) => entry.careOfAddress !== added.careOfAddress), added];
}
