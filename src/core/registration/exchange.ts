/** A request on its way through the engine, with the mobile it comes from. */
import type { MobileAssociation } from "../auth/association.ts";
import type { AssociationTable } from "../auth/association-table.ts";
import type { Binding } from "../bindings/binding.ts";
import { withoutExpired } from "../bindings/mobility-bindings.ts";
import type { MobileIdentity, MobileKey } from "../names.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";
import type { KnownMobile, RegistrationContext } from "./decision.ts";
import { identityOf, mobileKeyOf } from "./identity.ts";

export interface Exchange {
  readonly request: RegistrationRequest;
  readonly context: RegistrationContext;
  readonly identity: MobileIdentity;
  /** The key of the row that the mobile has or will have. */
  readonly mobile: MobileKey;
  /** The mobile's row without what has expired; the row of its home address until it first shows its NAI. */
  readonly row: Binding | undefined;
  /** The security context of its authorization-enabling extension, by which the reply is signed as well. */
  readonly association: MobileAssociation;
}

/**
 * The mobile that a request without an NAI comes from, if the row of its home address has an NAI; `undefined` if there is
 * none.
 */
export function claimedIdentity(
  request: RegistrationRequest,
  current: KnownMobile | undefined,
): MobileIdentity | undefined {
  const identity = identityOf(request);
  if (mobileKeyOf(identity) === undefined) return undefined;
  const isFoundByAddress = identity.nai === undefined && current?.homeAddress === identity.homeAddress;
  return isFoundByAddress ? { ...identity, nai: current.nai } : identity;
}

/**
 * The name under which the mobile must authenticate. The key of an address range or a realm is shared by all mobiles in
 * it, which trust each other; it doesn't prove an NAI that has a key of its own, whatever address that NAI has.
 */
export function authenticatingIdentity(identity: MobileIdentity, associations: AssociationTable): MobileIdentity {
  const naiAlone = { homeAddress: UNSPECIFIED, nai: identity.nai };
  return associations.anyForMobile(naiAlone)?.mobiles.by === "nai" ? naiAlone : identity;
}

/** The mobile's own row; `current` may belong to another mobile that has the home address this one named. */
export function ownRow(
  { current, nowMs }: RegistrationContext,
  mobile: MobileKey,
  identity: MobileIdentity,
  association: MobileAssociation,
  associations: AssociationTable,
): Binding | undefined {
  if (current === undefined) return undefined;
  // A mobile that has used no NAI until now is the same one if its key is valid for the home address alone.
  const isNewlyNamed =
    current.nai === undefined &&
    identity.homeAddress !== UNSPECIFIED &&
    current.homeAddress === identity.homeAddress &&
    associations.mobile({ ...identity, nai: undefined }, association.spi) === association;
  return current.mobile === mobile || isNewlyNamed ? withoutExpired(current, nowMs) : undefined;
}
