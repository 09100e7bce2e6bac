/** Validity checks a, c and d of RFC 5944 3.8.2.1: who signed the request, the mobile node and the foreign agent. */
import type { MobileAssociation, SecurityAssociation } from "../auth/association.ts";
import type { AssociationTable } from "../auth/association-table.ts";
import { verifyAuthenticator } from "../auth/authenticator.ts";
import type { MobileIdentity } from "../names.ts";
import type { AuthenticationExtension } from "../wire/extension.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";
import { foreignHomeAuthentications, mobileHomeAuthentications } from "./request-extensions.ts";

export type MobileAuthentication =
  | {
      readonly verdict: "authentic" | "failed";
      /** The association that the mobile used; if authentication failed, one that it is likely to have, for the reply. */
      readonly association: MobileAssociation;
    }
  | { readonly verdict: "no-authentication-extension" | "unknown-mobile" };

/**
 * "At least one authorization-enabling extension MUST be present", and "all indicated authentications are carried out":
 * where there are several, each must be right, and the last one, which covers the others, gives the context.
 */
export function authenticateMobile(
  associations: AssociationTable,
  request: RegistrationRequest,
  identity: MobileIdentity,
): MobileAuthentication {
  const extensions = mobileHomeAuthentications(request);
  const last = extensions.at(-1);
  if (last === undefined) return { verdict: "no-authentication-extension" };
  const likely = associations.anyForMobile(identity);
  if (likely === undefined) return { verdict: "unknown-mobile" };
  const areAllValid = extensions.every((extension) =>
    isValid(associations.mobile(identity, extension.spi), request, extension),
  );
  const association = associations.mobile(identity, last.spi);
  if (!areAllValid || association === undefined) return { verdict: "failed", association: likely };
  return { verdict: "authentic", association };
}

export type ForeignAgentAuthentication =
  /** One valid extension. */
  | "vouched"
  /** The extension is required and absent, or there are several, or it is invalid. */
  | "failed"
  /**
   * An association exists, but deregistrations carry no extension: "it MUST NOT for this reason discard" (RFC 5944 3.5.4).
   */
  | "exempt"
  /** No association with the source of the request, and no extension. */
  | "stranger"
  /** No association with the source of the request, but an extension. */
  | "unexpected";

export function authenticateForeignAgent(
  associations: AssociationTable,
  request: RegistrationRequest,
  source: Ipv4Address,
): ForeignAgentAuthentication {
  const extensions = foreignHomeAuthentications(request);
  const [extension] = extensions;
  if (!associations.knowsForeignAgent(source)) return extension === undefined ? "stranger" : "unexpected";
  if (extension === undefined) return request.lifetimeSeconds === 0 ? "exempt" : "failed";
  if (extensions.length > 1) return "failed";
  return isValid(associations.foreignAgent(source, extension.spi), request, extension) ? "vouched" : "failed";
}

/** The association a reply to `source` is signed with for the foreign agent: the one it used itself, if it used one. */
export function foreignAgentAssociation(
  associations: AssociationTable,
  request: RegistrationRequest,
  source: Ipv4Address,
): SecurityAssociation | undefined {
  const [extension] = foreignHomeAuthentications(request);
  const itsOwn = extension === undefined ? undefined : associations.foreignAgent(source, extension.spi);
  return itsOwn ?? associations.foreignAgentDefault(source);
}

/** The association with which each extension was found valid, as an ingress that is also the owner checks it twice. */
const found = new WeakMap<AuthenticationExtension, SecurityAssociation>();

function isValid(
  association: SecurityAssociation | undefined,
  request: RegistrationRequest,
  extension: AuthenticationExtension,
): boolean {
  if (association === undefined) return false;
  if (found.get(extension) === association) return true;
  const covered = request.bytes.subarray(0, extension.coveredEnd);
  if (!verifyAuthenticator(association, covered, extension.authenticator)) return false;
  found.set(extension, association);
  return true;
}
