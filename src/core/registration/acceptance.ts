/**
 * What an accepted request leaves in the mobile's row, by which a retransmission is recognized. RFC 5944 3.8.1 and 3.8.2.2.
 */

import { describeMobiles } from "../auth/association.ts";
import type { AssociationTable } from "../auth/association-table.ts";
import type { Binding, CareOfBinding, Registration } from "../bindings/binding.ts";
import { acceptanceMs } from "../bindings/merge.ts";
import { isTombstone, lastExpiryMs } from "../bindings/mobility-bindings.ts";
import { revised } from "../bindings/revision.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";
import type { Exchange } from "./exchange.ts";
import { mobileKeyOf } from "./identity.ts";
import type { RegistrationPolicy } from "./policy.ts";
import { replayableMs } from "./replay-protection.ts";
import { authenticatorOfMobile } from "./request-extensions.ts";

/** What the mobile was granted besides its home address. */
export interface Grant {
  readonly code: number;
  /** 0 for a deregistration. */
  readonly lifetimeSeconds: number;
  /** All the care-of addresses that it has from now on. */
  readonly careOfAddresses: readonly CareOfBinding[];
}

export function acceptedBinding(
  exchange: Exchange,
  { homeAddress, dynamic }: { readonly homeAddress: Ipv4Address; readonly dynamic: boolean },
  { code, lifetimeSeconds, careOfAddresses }: Grant,
  policy: RegistrationPolicy,
): Binding {
  const { request, context, row, association, mobile, identity } = exchange;
  const { style } = association.replay;
  const reservedUntilMs = dynamic ? lastExpiryMs(careOfAddresses, context.nowMs) + policy.poolStickinessMs : 0;
  const registration: Registration = {
    identification: request.identification,
    replayStyle: style,
    authenticator: authenticatorOfMobile(request),
    association: describeMobiles(association.mobiles),
    code,
    lifetimeSeconds,
    acceptedAtMs: style === "nonces" ? acceptanceMs(row?.registration, context.nowMs) : context.nowMs,
    replayResets: row?.registration.replayResets ?? 0,
    forgottenUntilMs: row?.registration.forgottenUntilMs ?? 0,
    counter: (row?.registration.counter ?? 0) + 1,
    decidedBy: context.ownership.owner,
    careOfAddresses,
    replayableUntilMs: replayableUntilMs(exchange, policy),
    retainUntilMs: harmfulUntilMs(exchange, policy),
    reservedUntilMs,
  };
  const hasItStill = row !== undefined && row.homeAddress === homeAddress && !isTombstone(row);
  const homeAddressSinceMs = hasItStill ? row.homeAddressSinceMs : context.nowMs;
  const createdAtMs = row?.createdAtMs ?? context.nowMs;
  const { ownership } = context;
  return { mobile, homeAddress, nai: identity.nai, homeAddressSinceMs, dynamic, createdAtMs, registration, ownership };
}

/**
 * What remains under the key of a home address that the mobile no longer goes by, because it now shows an NAI or names
 * another address: a tombstone on which requests fail that it made by the address alone.
 */
export function leftBehind(
  exchange: Exchange,
  homeAddress: Ipv4Address,
  associations: AssociationTable,
  policy: RegistrationPolicy,
): Binding | undefined {
  const { row, mobile, context } = exchange;
  if (row === undefined) return undefined;
  const name = { homeAddress: row.homeAddress, nai: undefined };
  const former = mobileKeyOf(name);
  const isLeft = row.mobile !== mobile || (row.homeAddress !== homeAddress && associations.knowsMobile(name));
  if (former === undefined || !isLeft) return undefined;
  const { owner } = context.ownership;
  // There are copies of a row whose key changes, but none by the address of one that keeps its key.
  const replayedUntilMs = replayableUntilMs(exchange, policy);
  const retainUntilMs = row.mobile === mobile ? replayedUntilMs : harmfulUntilMs(exchange, policy);
  const registration = { careOfAddresses: [], replayableUntilMs: replayedUntilMs, retainUntilMs, reservedUntilMs: 0 };
  const left = revised(row, { homeAddress: UNSPECIFIED, dynamic: false, registration }, owner, context.nowMs);
  return { ...left, mobile: former, nai: undefined, ownership: context.ownership };
}

/**
 * The row, if the request is a retransmission of the one accepted last: the mobile signed the very same bytes, and what
 * they asked for still stands. RFC 5944 3.8.2.2 ("duplicates an accepted current Registration Request").
 */
export function retransmittedBinding({ request, row }: Exchange): Binding | undefined {
  // Without its home address the row can't reproduce the reply that named it.
  if (row === undefined || row.homeAddress === UNSPECIFIED) return undefined;
  const { identification, authenticator, lifetimeSeconds, careOfAddresses } = row.registration;
  if (identification !== request.identification) return undefined;
  if (authenticator !== authenticatorOfMobile(request)) return undefined;
  const isDeregistration = lifetimeSeconds === 0;
  const stillStands = isDeregistration || careOfAddresses.some((entry) => entry.identification === identification);
  return stillStands ? row : undefined;
}

/**
 * Until when forgetting the row could do harm: the request might be replayed, or an old copy of the row somewhere in the
 * cluster, with a superseded binding, might seem alive.
 */
function harmfulUntilMs(exchange: Exchange, policy: RegistrationPolicy): number {
  const { careOfAddresses = [], retainUntilMs = 0 } = exchange.row?.registration ?? {};
  return Math.max(
    replayableUntilMs(exchange, policy),
    lastExpiryMs(careOfAddresses, 0) + policy.maximumClockSkewMs,
    retainUntilMs,
  );
}

/** Until when the request, or one that the mobile made before it, might be taken for a new one. */
function replayableUntilMs({ context, association }: Exchange, { maximumClockSkewMs }: RegistrationPolicy): number {
  return context.nowMs + replayableMs(association.replay) + maximumClockSkewMs;
}
