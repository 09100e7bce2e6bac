/**
 * Who added which extension to a Registration Request. Everything before an authorization-enabling extension was put
 * there and signed by the mobile node; everything after the last of them by the foreign agent (RFC 5944 3.6.1.3, 3.7.2.2).
 */
import { Buffer } from "node:buffer";
import { type AuthenticationExtension, ExtensionType } from "../wire/extension.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";

/** The authorization-enabling extensions that we know; in the order of the message. */
export function mobileHomeAuthentications(request: RegistrationRequest): AuthenticationExtension[] {
  return authentications(request, ExtensionType.MobileHomeAuthentication);
}

/** What tells one request of a mobile from all others, hexadecimal; it depends on every byte that the mobile signed. */
export function authenticatorOfMobile(request: RegistrationRequest): string {
  const authenticator = mobileHomeAuthentications(request).at(-1)?.authenticator;
  return authenticator === undefined ? "" : Buffer.from(authenticator).toString("hex");
}

export function foreignHomeAuthentications(request: RegistrationRequest): AuthenticationExtension[] {
  return authentications(request, ExtensionType.ForeignHomeAuthentication);
}

/**
 * The NAI as the mobile node signed it: one that follows the authorization-enabling extension may have been added by anyone
 * (RFC 2794 2). Several would be an error.
 */
export function signedNais(request: RegistrationRequest): string[] {
  const signedEnd = endOfSignedPart(request);
  return request.extensions
    .filter((extension) => extension.kind === "nai")
    .filter((extension) => extension.offset < signedEnd)
    .map((extension) => extension.nai);
}

/**
 * RFC 3115 2.3: critical extensions of any vendor, none of which is known here; returns which of the two added the first of
 * them.
 */
export function unknownCriticalVendor(request: RegistrationRequest): "mobile-node" | "foreign-agent" | undefined {
  const critical = request.extensions.find((extension) => extension.type === ExtensionType.CriticalVendor);
  if (critical === undefined) return undefined;
  return critical.offset < endOfSignedPart(request) ? "mobile-node" : "foreign-agent";
}

/**
 * RFC 4433 3.4.1: the home agents that the request was meant for, whether the mobile or the foreign agent added the
 * extension.
 */
export function requestedHomeAgents(request: RegistrationRequest): Ipv4Address[] {
  return request.extensions
    .filter((extension) => extension.kind === "dynamic-home-agent")
    .filter((extension) => extension.subtype === "requested")
    .map((extension) => extension.homeAgent);
}

function endOfSignedPart(request: RegistrationRequest): number {
  return mobileHomeAuthentications(request).at(-1)?.offset ?? 0;
}

function authentications(request: RegistrationRequest, type: number): AuthenticationExtension[] {
  return request.extensions
    .filter((extension) => extension.kind === "authentication")
    .filter((extension) => extension.type === type);
}
