/** The validity checks of a foreign agent: each returns the code to deny with, or `undefined`. */
import type { SecurityAssociation } from "../core/auth/association.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import { type Ipv4Address, LIMITED_BROADCAST, UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { Decoded, RegistrationReply, RegistrationRequest } from "../core/wire/registration-message.ts";
import { INFINITE_LIFETIME, RequestFlag } from "../core/wire/registration-message.ts";
import { isAccepted, ReplyCode } from "../core/wire/reply-code.ts";
import { authenticationsOf, isAuthenticated, naiOf } from "./mobile-messages.ts";

export interface ForeignAgentPolicy {
  /** The care-of address offered to mobiles, which is also the source of relayed messages. */
  readonly careOfAddress: Ipv4Address;
  readonly maximumLifetimeSeconds: number;
  readonly minimalEncapsulation: boolean;
  readonly greEncapsulation: boolean;
  /** One association each, with every home agent and every mobile node. */
  readonly homeAgentAssociation: SecurityAssociation | undefined;
  readonly mobileAssociation: SecurityAssociation | undefined;
}

type Denial = number | undefined;

/**
 * RFC 5944 3.7.2.1, in the order in which the least trusted is refused first. As in the home agent the reserved bits r
 * and x are ignored (RFC 5944 3.3).
 */
export function refuseRequest(
  request: RegistrationRequest,
  policy: ForeignAgentPolicy,
  ownAddresses: readonly Ipv4Address[],
): Denial {
  const { mobileAssociation } = policy;
  if (mobileAssociation && !isAuthenticated(request, ExtensionType.MobileForeignAuthentication, mobileAssociation)) {
    return ReplyCode.ForeignAgentMobileAuthentication;
  }
  const forHomeAgentEnd = authorizedEnd(request);
  if (request.fault !== undefined || forHomeAgentEnd === undefined) return ReplyCode.ForeignAgentPoorlyFormedRequest;
  if (hasCriticalVendorAfter(request, forHomeAgentEnd)) return ReplyCode.ForeignAgentVendorExtensionOfMobile;
  return refuseIdentity(request) ?? refuseHomeAgent(request, ownAddresses) ?? refuseService(request, policy);
}

/** RFC 2794 3: a mobile without a home address is known by its NAI. */
function refuseIdentity(request: RegistrationRequest): Denial {
  const isNobody = request.homeAddress === UNSPECIFIED && naiOf(request) === undefined;
  return isNobody ? ReplyCode.ForeignAgentNonzeroHomeAddressRequired : undefined;
}

/** RFC 5944 3.7.2 (194); RFC 4433 leaves "any home agent" to foreign agents that know one. */
function refuseHomeAgent({ homeAgent }: RegistrationRequest, ownAddresses: readonly Ipv4Address[]): Denial {
  if (homeAgent === UNSPECIFIED || homeAgent === LIMITED_BROADCAST)
    return ReplyCode.ForeignAgentNonzeroHomeAgentRequired;
  return ownAddresses.includes(homeAgent) ? ReplyCode.ForeignAgentInvalidHomeAgentAddress : undefined;
}

function refuseService(request: RegistrationRequest, policy: ForeignAgentPolicy): Denial {
  const { flags, lifetimeSeconds, careOfAddress } = request;
  if (lifetimeSeconds > policy.maximumLifetimeSeconds) return ReplyCode.ForeignAgentLifetimeTooLong;
  // A mobile that decapsulates by itself has its own care-of address and encapsulation.
  if ((flags & RequestFlag.D) !== 0 || lifetimeSeconds === 0) return undefined;
  if (careOfAddress !== policy.careOfAddress) return ReplyCode.ForeignAgentInvalidCareOfAddress;
  const lacksEncapsulation =
    ((flags & RequestFlag.M) !== 0 && !policy.minimalEncapsulation) ||
    ((flags & RequestFlag.G) !== 0 && !policy.greEncapsulation);
  return lacksEncapsulation ? ReplyCode.ForeignAgentEncapsulationUnavailable : undefined;
}

/** RFC 5944 3.7.3.1 and RFC 2794 3. */
export function refuseReply(
  reply: RegistrationReply,
  request: RegistrationRequest,
  policy: ForeignAgentPolicy,
): Denial {
  if (reply.fault !== undefined) return ReplyCode.ForeignAgentPoorlyFormedReply;
  if (!isHomeAgentAuthentic(reply, policy.homeAgentAssociation)) return ReplyCode.ForeignAgentHomeAgentAuthentication;
  if (hasCriticalVendorAfter(reply, authorizedEnd(reply) ?? 0)) return ReplyCode.ForeignAgentVendorExtensionOfHomeAgent;
  if (!isAccepted(reply.code)) return undefined;
  if (naiOf(request) !== undefined && naiOf(reply) === undefined) return ReplyCode.ForeignAgentMissingNai;
  if (reply.homeAgent === UNSPECIFIED) return ReplyCode.ForeignAgentMissingHomeAgent;
  return reply.homeAddress === UNSPECIFIED ? ReplyCode.ForeignAgentMissingHomeAddress : undefined;
}

/**
 * "When the Registration Reply has nonzero Lifetime, the foreign agent MUST check the required Foreign-Home
 * Authentication Extension" (RFC 5944 3.7.1). Denials leave the Lifetime unspecified: there it is checked if present.
 */
function isHomeAgentAuthentic(reply: RegistrationReply, association: SecurityAssociation | undefined): boolean {
  if (association === undefined) return true;
  const isRequired = isAccepted(reply.code) && reply.lifetimeSeconds !== 0;
  const isPresent = authenticationsOf(reply, ExtensionType.ForeignHomeAuthentication).length > 0;
  return !(isRequired || isPresent) || isAuthenticated(reply, ExtensionType.ForeignHomeAuthentication, association);
}

/**
 * The end of the part that mobile node and home agent authenticate to each other, and that a foreign agent "MUST NOT
 * modify" (RFC 5944 3.7.2.2 and 3.7.3.2); `undefined` without an authorization-enabling extension.
 */
export function authorizedEnd(message: Decoded): number | undefined {
  return authenticationsOf(message, ExtensionType.MobileHomeAuthentication).at(-1)?.end;
}

/** RFC 3115 2.3: what follows the authorized part is for the foreign agent, which knows no vendor's extensions. */
function hasCriticalVendorAfter(message: Decoded, offset: number): boolean {
  return message.extensions.some(
    (extension) => extension.type === ExtensionType.CriticalVendor && extension.offset >= offset,
  );
}

/**
 * The lifetime that the mobile has from this foreign agent: no more than it asked for, was granted, or we allow (RFC 5944
 * 3.4, 3.7.3.2).
 */
export function servedLifetimeSeconds(requested: number, granted: number, policy: ForeignAgentPolicy): number {
  return Math.min(requested, granted, policy.maximumLifetimeSeconds);
}

export function lifetimeMs(lifetimeSeconds: number): number {
  return lifetimeSeconds === INFINITE_LIFETIME ? Number.POSITIVE_INFINITY : lifetimeSeconds * 1000;
}
