/** A request on its way through the engine, with whom it comes from. */
import type { MobileAssociation } from "../auth/association.ts";
import type { AssociationTable, MobileIdentity } from "../auth/association-table.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";
import type { Binding, MobileKey } from "./binding.ts";
import type { RegistrationContext } from "./decision.ts";
import { identityOf, mobileKeyOf } from "./identity.ts";
import { withoutExpired } from "./mobility-bindings.ts";

export interface Exchange {
  readonly request: RegistrationRequest;
  readonly context: RegistrationContext;
  readonly identity: MobileIdentity;
  /** The key of the row, also if there is none yet. */
  readonly mobile: MobileKey;
  /** The mobile's row without what has expired. */
  readonly row: Binding | undefined;
  /** The security context of its authorization-enabling extension, by which the reply is signed as well. */
  readonly association: MobileAssociation;
}

/**
 * Whose association to authenticate a request by. A request without an NAI for a home address whose row has one is
 * taken for that mobile's, so that its own key is asked for and not the one of an address range. `undefined`: nobody's.
 */
export function claimedIdentity(
  request: RegistrationRequest,
  current: Binding | undefined,
): MobileIdentity | undefined {
  const identity = identityOf(request);
  if (mobileKeyOf(identity) === undefined) return undefined;
  const isFoundByAddress = identity.nai === undefined && current?.homeAddress === identity.homeAddress;
  return isFoundByAddress ? { ...identity, nai: current.nai } : identity;
}

/** The mobile's own row: `current` may be of another mobile that has the home address this one named. */
export function ownRow(
  { current, nowMs }: RegistrationContext,
  identity: MobileIdentity,
  association: MobileAssociation,
  associations: AssociationTable,
): Binding | undefined {
  if (current === undefined) return undefined;
  const isSameAddress = current.homeAddress === identity.homeAddress;
  const isSameMobile =
    current.nai === identity.nai
      ? identity.nai !== undefined || isSameAddress
      : // The mobile did without an NAI until now: it is the same one if its key is good for the home address alone.
        current.nai === undefined &&
        isSameAddress &&
        associations.mobile({ ...identity, nai: undefined }, association.spi) === association;
  return isSameMobile ? withoutExpired(current, nowMs) : undefined;
}
