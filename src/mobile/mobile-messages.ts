/** A mobile node's messages: the requests it sends, and which replies it believes. RFC 5944 3.6.1 and 3.6.2. */
import type { SecurityAssociation } from "../core/auth/association.ts";
import { computeAuthenticator, verifyAuthenticator } from "../core/auth/authenticator.ts";
import { type AuthenticationExtension, ExtensionType } from "../core/wire/extension.ts";
import { lowBits } from "../core/wire/identification.ts";
import { MessageWriter } from "../core/wire/message-writer.ts";
import {
  type Decoded,
  decodeRegistrationReply,
  encodeRequestFields,
  type RegistrationReply,
  type RequestFields,
} from "../core/wire/registration-message.ts";
import { originOf } from "../core/wire/reply-code.ts";

/** What a mobile node shares with its agents. */
export interface MobileAssociations {
  readonly homeAgent: SecurityAssociation;
  readonly foreignAgent: SecurityAssociation | undefined;
}

/** In the order of RFC 5944 3.6.1.3. */
export function buildRequest(
  fields: RequestFields,
  nai: string | undefined,
  { homeAgent, foreignAgent }: MobileAssociations,
): Uint8Array {
  const writer = new MessageWriter(encodeRequestFields(fields));
  if (nai !== undefined) writer.appendNai(nai);
  appendAuthentication(writer, ExtensionType.MobileHomeAuthentication, homeAgent);
  if (foreignAgent !== undefined) {
    appendAuthentication(writer, ExtensionType.MobileForeignAuthentication, foreignAgent);
  }
  return writer.finish();
}

export function appendAuthentication(writer: MessageWriter, type: number, association: SecurityAssociation): void {
  writer.appendAuthentication(type, association.spi, (covered) => computeAuthenticator(association, covered));
}

export type ReplyDoubt =
  | "undecodable"
  /** The low 32 bits of its Identification are not those of the request. */
  | "unmatched"
  /** RFC 5944 3.6.2.1 a and b ("exactly one"): absent, repeated, or not made with our key. */
  | "mobile-home-authentication"
  | "mobile-foreign-authentication";

/**
 * The validity checks of RFC 5944 3.6.2.1. `reply` is present whenever it could be decoded, whether it is believed or not.
 */
export type CheckedReply =
  | { readonly believed: true; readonly reply: RegistrationReply }
  | { readonly believed: false; readonly doubt: ReplyDoubt; readonly reply?: RegistrationReply };

export function checkReply(
  payload: Uint8Array,
  identification: bigint,
  associations: MobileAssociations,
): CheckedReply {
  const decoded = decodeRegistrationReply(payload);
  if (!decoded.ok || decoded.message.fault !== undefined) return { believed: false, doubt: "undecodable" };
  const reply = decoded.message;
  const doubt = doubtAbout(reply, identification, associations);
  return doubt === undefined ? { believed: true, reply } : { believed: false, doubt, reply };
}

/** Why a reply to a request with this Identification is not to be believed; `undefined` if it is. */
export function doubtAbout(
  reply: RegistrationReply,
  identification: bigint,
  { homeAgent, foreignAgent }: MobileAssociations,
): ReplyDoubt | undefined {
  if (lowBits(reply.identification) !== lowBits(identification)) return "unmatched";
  if (foreignAgent && !isAuthenticated(reply, ExtensionType.MobileForeignAuthentication, foreignAgent)) {
    return "mobile-foreign-authentication";
  }
  const isFromHomeAgent = originOf(reply.code) === "home-agent";
  if (isFromHomeAgent && !isAuthenticated(reply, ExtensionType.MobileHomeAuthentication, homeAgent)) {
    return "mobile-home-authentication";
  }
  return undefined;
}

/** Whether there is exactly one authentication extension of this type, with this association's SPI and key. */
export function isAuthenticated(message: Decoded, type: number, association: SecurityAssociation): boolean {
  const [extension, ...others] = authenticationsOf(message, type);
  if (extension === undefined || others.length > 0 || extension.spi !== association.spi) return false;
  const covered = message.bytes.subarray(0, extension.coveredEnd);
  return verifyAuthenticator(association, covered, extension.authenticator);
}

export function authenticationsOf(message: Decoded, type: number): AuthenticationExtension[] {
  return message.extensions.filter((extension) => extension.kind === "authentication").filter((it) => it.type === type);
}

/** The NAI by which a message names its mobile. */
export function naiOf(message: Decoded): string | undefined {
  return message.extensions.find((extension) => extension.kind === "nai")?.nai;
}
