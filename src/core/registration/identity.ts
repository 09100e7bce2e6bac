/** How mobile nodes are told apart: by NAI where they have one (RFC 2794), else by home address. */
import type { MobileIdentity, MobileKey } from "../names.ts";
import { formatIpv4, UNSPECIFIED } from "../wire/ipv4.ts";
import { canonicalNai } from "../wire/nai.ts";
import type { RegistrationRequest } from "../wire/registration-message.ts";
import { signedNais } from "./request-extensions.ts";

/** What the request says about its sender, before anything is authenticated. The NAI is in canonical form. */
export function identityOf(request: RegistrationRequest): MobileIdentity {
  const [nai] = signedNais(request);
  return { homeAddress: request.homeAddress, nai: nai === undefined ? undefined : canonicalNai(nai) };
}

/**
 * The key of this mobile's row unless it has one already. `undefined` if the request names neither a home address nor an
 * NAI.
 */
export function mobileKeyOf(identity: MobileIdentity): MobileKey | undefined {
  if (identity.nai !== undefined) return `nai:${canonicalNai(identity.nai)}`;
  return identity.homeAddress === UNSPECIFIED ? undefined : `ip:${formatIpv4(identity.homeAddress)}`;
}
