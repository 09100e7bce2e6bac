/** A request on its way through the engine, with whom it comes from. */
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
  /** The key of the row that it has or will have. */
  readonly mobile: MobileKey;
  /** The mobile's row without what has expired; until it first shows its NAI, that of its home address. */
  readonly row: Binding | undefined;
  /** The security context of its authorization-enabling extension, by which the reply is signed as well. */
  readonly association: MobileAssociation;
}

/** Whom a request without an NAI is from, where the row of its home address has one: that mobile. `undefined`: from nobody. */
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
 * By which of its names the mobile must authenticate. The key of an address range or a realm is shared by all mobiles in
 * it, who trust each other; it is no proof of an NAI that has a key of its own, whatever address that NAI has.
 */
export function authenticatingIdentity(identity: MobileIdentity, associations: AssociationTable): MobileIdentity {
  const naiAlone = { homeAddress: UNSPECIFIED, nai: identity.nai };
  return associations.anyForMobile(naiAlone)?.mobiles.by === "nai" ? naiAlone : identity;
}

/** The mobile's own row: `current` may be of another mobile that has the home address this one named. */
export function ownRow(
  { current, nowMs }: RegistrationContext,
  mobile: MobileKey,
  identity: MobileIdentity,
  association: MobileAssociation,
  associations: AssociationTable,
): Binding | undefined {
  if (current === undefined) return undefined;
  // One that did without an NAI until now is the same if its key is good for the home address alone.
  const isNewlyNamed =
    current.nai === undefined &&
    identity.homeAddress !== UNSPECIFIED &&
    current.homeAddress === identity.homeAddress &&
    associations.mobile({ ...identity, nai: undefined }, association.spi) === association;
  return current.mobile === mobile || isNewlyNamed ? withoutExpired(current, nowMs) : undefined;
}
