/** Who is behind a reply, and whether this member knows of a binding that it has made. */
import { describeMobiles } from "../core/auth/association.ts";
import type { AssociationTable } from "../core/auth/association-table.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { MobileIdentity } from "../core/names.ts";
import { authenticatingIdentity } from "../core/registration/exchange.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import type { Ipv4Address } from "../core/wire/ipv4.ts";
import { decodeRegistrationReply } from "../core/wire/registration-message.ts";
import type { AnsweredMobile } from "./reply-paths.ts";

/** By the names and the SPI in a reply, which are those of the request. */
export function answeredMobile(reply: Uint8Array, associations: AssociationTable): AnsweredMobile | undefined {
  const decoded = decodeRegistrationReply(reply);
  if (!decoded.ok) return undefined;
  const { homeAddress, extensions } = decoded.message;
  const nai = extensions.find((extension) => extension.kind === "nai")?.nai;
  const authentication = extensions
    .filter((extension) => extension.kind === "authentication")
    .find(({ type }) => type === ExtensionType.MobileHomeAuthentication);
  if (authentication === undefined) return undefined;
  const mobile = { homeAddress, nai };
  const association = associations.mobile(authenticatingIdentity(mobile, associations), authentication.spi);
  return association && { mobile, association: describeMobiles(association.mobiles) };
}

/** As its owner or a backup of it, or as its ingress. */
export function isBoundBy(agent: HomeAgent, mobile: MobileIdentity, foreignAgent: Ipv4Address): boolean {
  const careOfAddresses = agent.findBinding(mobile)?.registration.careOfAddresses ?? [];
  if (careOfAddresses.some((entry) => entry.foreignAgent.address === foreignAgent)) return true;
  return agent.findLocation(mobile)?.ingress?.foreignAgent.address === foreignAgent;
}
