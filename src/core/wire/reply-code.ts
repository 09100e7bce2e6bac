/** Codes of a Registration Reply: RFC 5944 3.4 and the extensions of Mobile IPv4 that define more. */

export const ReplyCode = {
  Accepted: 0,
  AcceptedWithoutSimultaneousBindings: 1,

  ForeignAgentUnspecified: 64,
  ForeignAgentProhibited: 65,
  ForeignAgentResources: 66,
  ForeignAgentMobileAuthentication: 67,
  ForeignAgentHomeAgentAuthentication: 68,
  ForeignAgentLifetimeTooLong: 69,
  ForeignAgentPoorlyFormedRequest: 70,
  ForeignAgentPoorlyFormedReply: 71,
  ForeignAgentEncapsulationUnavailable: 72,
  ForeignAgentReservedAndUnavailable: 73,
  /** RFC 3024 3.3. */
  ForeignAgentReverseTunnelUnavailable: 74,
  ForeignAgentReverseTunnelMandatory: 75,
  ForeignAgentMobileTooDistant: 76,
  ForeignAgentInvalidCareOfAddress: 77,
  ForeignAgentRegistrationTimeout: 78,
  ForeignAgentDeliveryStyleUnsupported: 79,
  ForeignAgentHomeNetworkUnreachable: 80,
  ForeignAgentHomeAgentHostUnreachable: 81,
  ForeignAgentHomeAgentPortUnreachable: 82,
  ForeignAgentHomeAgentUnreachable: 88,
  ForeignAgentVendorSpecific: 89,
  ForeignAgentNonzeroHomeAgentRequired: 90,
  /** RFC 2794 5. */
  ForeignAgentNonzeroHomeAddressRequired: 96,
  ForeignAgentMissingNai: 97,
  ForeignAgentMissingHomeAgent: 98,
  ForeignAgentMissingHomeAddress: 99,
  /** RFC 3115 2.4. */
  ForeignAgentVendorExtensionOfMobile: 100,
  ForeignAgentVendorExtensionOfHomeAgent: 101,
  /** RFC 4721 and RFC 3957. */
  ForeignAgentUnknownChallenge: 104,
  ForeignAgentMissingChallenge: 105,
  ForeignAgentStaleChallenge: 106,
  ForeignAgentMissingKeyGenerationNonce: 107,
  ForeignAgentAaaAuthentication: 108,
  ForeignAgentWrongChallengeOfHomeAgent: 109,

  Unspecified: 128,
  Prohibited: 129,
  Resources: 130,
  MobileAuthentication: 131,
  ForeignAgentAuthentication: 132,
  IdentificationMismatch: 133,
  PoorlyFormedRequest: 134,
  TooManySimultaneousBindings: 135,
  UnknownHomeAgentAddress: 136,
  /** RFC 3024 3.4. */
  ReverseTunnelUnavailable: 137,
  ReverseTunnelMandatory: 138,
  EncapsulationUnavailable: 139,
  /** RFC 3115 2.4. */
  VendorExtensionOfMobile: 140,
  VendorExtensionOfForeignAgent: 141,
  /** RFC 3519. */
  UdpEncapsulationUnavailable: 142,
  /** RFC 4433. */
  RedirectedHomeAgent: 143,
  /** RFC 4721. */
  AaaAuthentication: 144,
  /** RFC 4857. */
  ZeroCareOfAddress: 145,
  DynamicRegionalAgentUnsupported: 146,
  /** RFC 5177. */
  MobileNetworkError: 147,
  MobileNetworkDisallowed: 148,

  /** RFC 5944 3.7.2: sent by foreign agents, despite its range. */
  ForeignAgentInvalidHomeAgentAddress: 194,
} as const;

const descriptions: ReadonlyMap<number, string> = new Map<number, string>([
  [ReplyCode.Accepted, "registration accepted"],
  [
    ReplyCode.AcceptedWithoutSimultaneousBindings,
    "registration accepted, but simultaneous mobility bindings unsupported",
  ],
  [ReplyCode.ForeignAgentUnspecified, "reason unspecified"],
  [ReplyCode.ForeignAgentProhibited, "administratively prohibited"],
  [ReplyCode.ForeignAgentResources, "insufficient resources"],
  [ReplyCode.ForeignAgentMobileAuthentication, "mobile node failed authentication"],
  [ReplyCode.ForeignAgentHomeAgentAuthentication, "home agent failed authentication"],
  [ReplyCode.ForeignAgentLifetimeTooLong, "requested Lifetime too long"],
  [ReplyCode.ForeignAgentPoorlyFormedRequest, "poorly formed Request"],
  [ReplyCode.ForeignAgentPoorlyFormedReply, "poorly formed Reply"],
  [ReplyCode.ForeignAgentEncapsulationUnavailable, "requested encapsulation unavailable"],
  [ReplyCode.ForeignAgentReservedAndUnavailable, "reserved and unavailable"],
  [ReplyCode.ForeignAgentReverseTunnelUnavailable, "requested reverse tunnel unavailable"],
  [ReplyCode.ForeignAgentReverseTunnelMandatory, "reverse tunnel is mandatory and 'T' bit not set"],
  [ReplyCode.ForeignAgentMobileTooDistant, "mobile node too distant"],
  [ReplyCode.ForeignAgentInvalidCareOfAddress, "invalid care-of address"],
  [ReplyCode.ForeignAgentRegistrationTimeout, "registration timeout"],
  [ReplyCode.ForeignAgentDeliveryStyleUnsupported, "delivery style not supported"],
  [ReplyCode.ForeignAgentHomeNetworkUnreachable, "home network unreachable"],
  [ReplyCode.ForeignAgentHomeAgentHostUnreachable, "home agent host unreachable"],
  [ReplyCode.ForeignAgentHomeAgentPortUnreachable, "home agent port unreachable"],
  [ReplyCode.ForeignAgentHomeAgentUnreachable, "home agent unreachable"],
  [ReplyCode.ForeignAgentVendorSpecific, "vendor-specific reason"],
  [ReplyCode.ForeignAgentNonzeroHomeAgentRequired, "non-zero home agent address required"],
  [ReplyCode.ForeignAgentNonzeroHomeAddressRequired, "non-zero home address required"],
  [ReplyCode.ForeignAgentMissingNai, "missing NAI"],
  [ReplyCode.ForeignAgentMissingHomeAgent, "missing home agent"],
  [ReplyCode.ForeignAgentMissingHomeAddress, "missing home address"],
  [ReplyCode.ForeignAgentVendorExtensionOfMobile, "unsupported critical vendor extension from the mobile node"],
  [ReplyCode.ForeignAgentVendorExtensionOfHomeAgent, "unsupported critical vendor extension from the home agent"],
  [ReplyCode.ForeignAgentUnknownChallenge, "unknown challenge"],
  [ReplyCode.ForeignAgentMissingChallenge, "missing challenge"],
  [ReplyCode.ForeignAgentStaleChallenge, "stale challenge"],
  [ReplyCode.ForeignAgentMissingKeyGenerationNonce, "missing mobile-foreign key generation nonce"],
  [ReplyCode.ForeignAgentAaaAuthentication, "mobile node failed AAA authentication"],
  [ReplyCode.ForeignAgentWrongChallengeOfHomeAgent, "home agent sent the wrong challenge in the reply"],
  [ReplyCode.Unspecified, "reason unspecified"],
  [ReplyCode.Prohibited, "administratively prohibited"],
  [ReplyCode.Resources, "insufficient resources"],
  [ReplyCode.MobileAuthentication, "mobile node failed authentication"],
  [ReplyCode.ForeignAgentAuthentication, "foreign agent failed authentication"],
  [ReplyCode.IdentificationMismatch, "registration Identification mismatch"],
  [ReplyCode.PoorlyFormedRequest, "poorly formed Request"],
  [ReplyCode.TooManySimultaneousBindings, "too many simultaneous mobility bindings"],
  [ReplyCode.UnknownHomeAgentAddress, "unknown home agent address"],
  [ReplyCode.ReverseTunnelUnavailable, "requested reverse tunnel unavailable"],
  [ReplyCode.ReverseTunnelMandatory, "reverse tunnel is mandatory and 'T' bit not set"],
  [ReplyCode.EncapsulationUnavailable, "requested encapsulation unavailable"],
  [ReplyCode.VendorExtensionOfMobile, "unsupported critical vendor extension from the mobile node"],
  [ReplyCode.VendorExtensionOfForeignAgent, "unsupported critical vendor extension from the foreign agent"],
  [ReplyCode.UdpEncapsulationUnavailable, "requested UDP tunnel encapsulation unavailable"],
  [ReplyCode.RedirectedHomeAgent, "register with the redirected home agent"],
  [ReplyCode.AaaAuthentication, "mobile node failed AAA authentication"],
  [ReplyCode.ZeroCareOfAddress, "zero care-of address unsupported"],
  [ReplyCode.DynamicRegionalAgentUnsupported, "dynamic regional foreign agent unsupported"],
  [ReplyCode.MobileNetworkError, "mobile network prefix operation error"],
  [ReplyCode.MobileNetworkDisallowed, "mobile network prefix not allowed"],
  [ReplyCode.ForeignAgentInvalidHomeAgentAddress, "invalid home agent address"],
]);

export type ReplyOrigin = "home-agent" | "foreign-agent";

export function isAccepted(code: number): boolean {
  return code === ReplyCode.Accepted || code === ReplyCode.AcceptedWithoutSimultaneousBindings;
}

/**
 * Which agent's decision a code stands for, and therefore whose authentication to expect on the reply (RFC 5944 3.6.2.1).
 */
export function originOf(code: number): ReplyOrigin {
  const sentByForeignAgent = (code >= 64 && code <= 127) || code === ReplyCode.ForeignAgentInvalidHomeAgentAddress;
  return sentByForeignAgent ? "foreign-agent" : "home-agent";
}

/** For people, in the words of the RFC: "denied by the home agent: insufficient resources (130)". */
export function describeReplyCode(code: number): string {
  const description = descriptions.get(code) ?? "unknown code";
  if (isAccepted(code)) return `${description} (${code})`;
  return `denied by the ${originOf(code) === "home-agent" ? "home" : "foreign"} agent: ${description} (${code})`;
}
