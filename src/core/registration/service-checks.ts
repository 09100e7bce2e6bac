/**
 * What an authentic request may ask for; each check returns the reason to deny it. RFC 5944 3.8.2.1 (end) and 3.8.2.3, RFC
 * 3024 4.3.1.
 */
import {
  directedBroadcast,
  type Ipv4Address,
  type Ipv4Prefix,
  isHostAddress,
  LIMITED_BROADCAST,
  LOOPBACK,
  prefixContains,
  UNSPECIFIED,
} from "../wire/ipv4.ts";
import { type RegistrationRequest, RequestFlag } from "../wire/registration-message.ts";
import type { DenialReason, RegistrationContext } from "./decision.ts";
import type { RegistrationPolicy } from "./policy.ts";
import { requestedHomeAgents, signedNais, unknownCriticalVendor } from "./request-extensions.ts";

type Refusal = DenialReason | undefined;

export function refuseExtensions(request: RegistrationRequest): Refusal {
  switch (unknownCriticalVendor(request)) {
    case "mobile-node":
      return "vendor-extension-of-mobile";
    case "foreign-agent":
      return "vendor-extension-of-foreign-agent";
    case undefined:
      return signedNais(request).length > 1 ? "several-nais" : undefined;
  }
}

/** The Home Agent field, the address that the request was sent to, and the one that it was to be sent to. */
export function refuseHomeAgent(
  request: RegistrationRequest,
  context: RegistrationContext,
  policy: RegistrationPolicy,
): Refusal {
  const isAnyHomeAgent = request.homeAgent === UNSPECIFIED || request.homeAgent === LIMITED_BROADCAST;
  // RFC 4433 1: a mobile that leaves the choice of its home agent to the network "MUST use the Network Access Identifier".
  const isForUs = request.homeAgent === policy.virtualAddress || (isAnyHomeAgent && signedNais(request).length > 0);
  const destination = context.destination.address;
  const wasBroadcast =
    !isHostAddress(destination) ||
    policy.homeNetworks.some((network) => network.length < 31 && destination === directedBroadcast(network));
  if (!isForUs || wasBroadcast) return "unknown-home-agent-address";
  // RFC 4433 5.3: "must match the destination IP of the Request. If it does not match, the Requested HA MUST reject".
  const isRequested = requestedHomeAgents(request).every((homeAgent) => homeAgent === destination);
  return isRequested ? undefined : "requested-home-agent-mismatch";
}

/** For registrations; a deregistration may name any care-of address. */
export function refuseCareOfAddress(
  request: RegistrationRequest,
  homeAddress: Ipv4Address,
  context: RegistrationContext,
  policy: RegistrationPolicy,
): Refusal {
  const { careOfAddress } = request;
  const canEndTunnel =
    isHostAddress(careOfAddress) &&
    careOfAddress !== homeAddress &&
    careOfAddress !== policy.virtualAddress &&
    !prefixContains(LOOPBACK, careOfAddress);
  if (!canEndTunnel) return "care-of-address-invalid";
  const isIn = (networks: readonly Ipv4Prefix[], address: Ipv4Address) =>
    networks.some((network) => prefixContains(network, address));
  // A tunnel into a home network would lead back to a home agent, which is a loop.
  if (isIn(policy.homeNetworks, careOfAddress)) return "care-of-address-at-home";
  const isProhibited = [careOfAddress, context.source.address].some((address) =>
    isIn(policy.prohibitedCareOfNetworks, address),
  );
  return isProhibited ? "care-of-address-prohibited" : undefined;
}

/** For registrations. In the order of RFC 3024 4.3.1: encapsulation, then the reverse tunnel "as a last check". */
export function refuseTunnel({ flags }: RegistrationRequest, policy: RegistrationPolicy): Refusal {
  const lacksEncapsulation =
    ((flags & RequestFlag.M) !== 0 && !policy.minimalEncapsulation) ||
    ((flags & RequestFlag.G) !== 0 && !policy.greEncapsulation);
  if (lacksEncapsulation) return "encapsulation-unavailable";
  const wantsReverseTunnel = (flags & RequestFlag.T) !== 0;
  if (policy.reverseTunneling === "required" && !wantsReverseTunnel) return "reverse-tunnel-mandatory";
  if (policy.reverseTunneling === "refused" && wantsReverseTunnel) return "reverse-tunnel-unavailable";
  return undefined;
}
