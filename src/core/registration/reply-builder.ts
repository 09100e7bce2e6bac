/** Registration Replies, RFC 5944 3.8.3.3: fixed part, NAI, Mobile-Home and Foreign-Home Authentication Extension. */
import type { SecurityAssociation } from "../auth/association.ts";
import { computeAuthenticator } from "../auth/authenticator.ts";
import { ExtensionType } from "../wire/extension.ts";
import { MessageWriter } from "../wire/message-writer.ts";
import { encodeReplyFields, type ReplyFields } from "../wire/registration-message.ts";

export interface ReplyExtensions {
  /** As the request had it: "MUST include the Mobile Node NAI extension" (RFC 2794 3). */
  readonly nai: string | undefined;
  /** "MUST appear in every Registration Reply sent by the home agent." */
  readonly mobile: SecurityAssociation;
  /** "MUST be included when the home agent and the foreign agent share a Mobility Security Association." */
  readonly foreignAgent: SecurityAssociation | undefined;
}

/** The same arguments give the same bytes. */
export function buildReply(fields: ReplyFields, { nai, mobile, foreignAgent }: ReplyExtensions): Uint8Array {
  const writer = new MessageWriter(encodeReplyFields(fields));
  if (nai !== undefined) writer.appendNai(nai);
  appendAuthentication(writer, ExtensionType.MobileHomeAuthentication, mobile);
  if (foreignAgent !== undefined) appendAuthentication(writer, ExtensionType.ForeignHomeAuthentication, foreignAgent);
  return writer.finish();
}

function appendAuthentication(writer: MessageWriter, type: number, association: SecurityAssociation): void {
  writer.appendAuthentication(type, association.spi, (covered) => computeAuthenticator(association, covered));
}
