/** What a foreign agent logs about the messages that it relays and those that it answers itself. */
import { formatIdentification } from "../core/wire/identification.ts";
import { formatEndpoint, formatIpv4 } from "../core/wire/ipv4.ts";
import type { PendingRegistration } from "./pending-registrations.ts";

export interface RelayLogEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly event: "request-relayed" | "reply-relayed" | "denied";
  readonly mobile: string;
  readonly homeAddress: string;
  readonly nai: string | null;
  readonly homeAgent: string;
  readonly careOfAddress: string;
  readonly identification: string;
  /** Seconds: requested, or granted by a reply. */
  readonly lifetime: number;
  /** Absent for requests. */
  readonly code?: number;
}

/** `answer` has what the message says differently from the request. */
export function logEntry(
  event: RelayLogEntry["event"],
  { request, nai, mobile }: Pick<PendingRegistration, "request" | "nai" | "mobile">,
  nowMs: number,
  answer: { code?: number; lifetimeSeconds?: number; homeAddress?: typeof request.homeAddress } = {},
): RelayLogEntry {
  return {
    time: new Date(nowMs).toISOString(),
    event,
    mobile: formatEndpoint(mobile),
    homeAddress: formatIpv4(answer.homeAddress ?? request.homeAddress),
    nai: nai ?? null,
    homeAgent: formatIpv4(request.homeAgent),
    careOfAddress: formatIpv4(request.careOfAddress),
    identification: formatIdentification(request.identification),
    lifetime: answer.lifetimeSeconds ?? request.lifetimeSeconds,
    ...(answer.code === undefined ? {} : { code: answer.code }),
  };
}
