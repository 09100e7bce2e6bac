/** What the tests of mobile nodes and foreign agents share: keys, and a home agent that answers as it is told. */
import type { SecurityAssociation } from "../../src/core/auth/association.ts";
import { ExtensionType } from "../../src/core/wire/extension.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../src/core/wire/message-writer.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeReplyFields,
  type RegistrationReply,
  type RegistrationRequest,
  type ReplyFields,
  type RequestFields,
} from "../../src/core/wire/registration-message.ts";
import { appendAuthentication, buildRequest, naiOf } from "../../src/mobile/mobile-messages.ts";

export function association(spi: number, key = `key of ${spi}`): SecurityAssociation {
  return { spi, algorithm: "hmac-md5", key: new TextEncoder().encode(key) };
}

export const mobileHome = association(256);
export const mobileForeign = association(400);
export const foreignHome = association(300);

export const homeAgent = ipv4("10.64.0.1");
export const homeAddress = ipv4("10.64.1.5");
export const foreignAgentAddress = ipv4("192.0.2.9");

export const requestFields: RequestFields = {
  flags: 0,
  lifetimeSeconds: 600,
  homeAddress,
  homeAgent,
  careOfAddress: foreignAgentAddress,
  identification: 0xeeae4567_dcd51000n,
};

export function request(
  changes: Partial<RequestFields> & { nai?: string; mobileForeign?: SecurityAssociation } = {},
): Uint8Array {
  const { nai, mobileForeign: foreignAgent, ...fields } = changes;
  return buildRequest({ ...requestFields, ...fields }, nai, { homeAgent: mobileHome, foreignAgent });
}

export interface ReplyChanges extends Partial<ReplyFields> {
  readonly nai?: string | undefined;
  readonly mobileHome?: SecurityAssociation | undefined;
  readonly foreignHome?: SecurityAssociation | undefined;
  readonly mobileForeign?: SecurityAssociation | undefined;
}

/** What a home agent answers: it accepts everything, except for the changes. */
export function replyTo(payload: Uint8Array, changes: ReplyChanges = {}): Uint8Array {
  const asked = readRequest(payload);
  const { homeAddress, homeAgent, identification, lifetimeSeconds } = asked;
  const fields = { code: 0, homeAddress, homeAgent, identification, lifetimeSeconds, ...changes };
  const writer = new MessageWriter(encodeReplyFields(fields));
  const nai = "nai" in changes ? changes.nai : naiOf(asked);
  if (nai !== undefined) writer.appendNai(nai);
  const signer = "mobileHome" in changes ? changes.mobileHome : mobileHome;
  if (signer) appendAuthentication(writer, ExtensionType.MobileHomeAuthentication, signer);
  if (changes.foreignHome) appendAuthentication(writer, ExtensionType.ForeignHomeAuthentication, changes.foreignHome);
  if (changes.mobileForeign) {
    appendAuthentication(writer, ExtensionType.MobileForeignAuthentication, changes.mobileForeign);
  }
  return writer.finish();
}

export function readRequest(payload: Uint8Array): RegistrationRequest {
  const decoded = decodeRegistrationRequest(payload);
  if (!decoded.ok) throw new Error(`no request: ${decoded.fault.reason}`);
  return decoded.message;
}

export function readReply(payload: Uint8Array): RegistrationReply {
  const decoded = decodeRegistrationReply(payload);
  if (!decoded.ok) throw new Error(`no reply: ${decoded.fault.reason}`);
  return decoded.message;
}

/** The extension types of a message, in its order. */
export function typesOf(message: RegistrationRequest | RegistrationReply): number[] {
  return message.extensions.map(({ type }) => type);
}
