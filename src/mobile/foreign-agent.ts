/**
 * A foreign agent's side of registration, RFC 5944 3.7. Sans-IO: datagrams and time go in; what to send and to log, and who
 * is visiting comes out. A visitor is told of before its reply is sent, so that there is a tunnel when it hears of it.
 *
 *   mobile node ──request──▶ checks ──▶ pending ──without 33, with 34──▶ home agent
 *               ◀─code 64-──┘               │
 *               ◀──reply, without 34, with 33── visitor list ◀── checks ◀──reply── home agent
 *
 * RFC 5944 3.7.2.3 sends replies to the home address, over the link on which the request arrived. As this foreign agent
 * doesn't control the link, they go to the address and port that the request came from.
 */
import type { DecodeFault } from "../core/wire/decode-result.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { MessageWriter } from "../core/wire/message-writer.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  encodeReplyFields,
  MessageType,
  type RegistrationReply,
  type RegistrationRequest,
} from "../core/wire/registration-message.ts";
import { isAccepted, ReplyCode } from "../core/wire/reply-code.ts";
import {
  authorizedEnd,
  type ForeignAgentPolicy,
  lifetimeMs,
  refuseReply,
  refuseRequest,
  servedLifetimeSeconds,
} from "./foreign-agent-checks.ts";
import { logEntry, type RelayLogEntry } from "./foreign-agent-log.ts";
import { appendAuthentication, naiOf } from "./mobile-messages.ts";
import { type PendingRegistration, PendingRegistrations } from "./pending-registrations.ts";
import { type Visitor, VisitorList } from "./visitor-list.ts";

export interface ForeignAgentSettings {
  readonly policy: ForeignAgentPolicy;
  /** The endpoints at which mobiles reach it, and the one it relays from, which may be one of them. */
  readonly listen: readonly Endpoint[];
  readonly relayFrom: Endpoint;
  readonly homeAgentPort: number;
  readonly maximumPending: number;
  readonly maximumVisitors: number;
}

export interface Datagram {
  readonly payload: Uint8Array;
  readonly source: Endpoint;
  /** The local endpoint at which it arrived. */
  readonly local: Endpoint;
}

export type ForeignAgentOutput =
  | { readonly kind: "send"; readonly payload: Uint8Array; readonly from: Endpoint; readonly to: Endpoint }
  | { readonly kind: "log"; readonly entry: RelayLogEntry }
  /** A visitor is new or has registered again; or is gone. */
  | { readonly kind: "arrived" | "departed"; readonly visitor: Visitor };

/** Counters, by stable names; `denied` by code, `dropped` by reason. */
export interface ForeignAgentCounters {
  requestsRelayed: number;
  repliesRelayed: number;
  denied: Record<number, number>;
  dropped: Record<string, number>;
}

/** RFC 5944 3.7.1: "has been pending for more than 7 seconds". */
const PENDING_TIMEOUT_MS = 7000;

/** RFC 5944 3.7.2: not "more than one such denial per second to the same mobile node". */
const DENIAL_INTERVAL_MS = 1000;

export class ForeignAgent {
  readonly #settings: ForeignAgentSettings;
  readonly #pending: PendingRegistrations;
  readonly #visitors = new VisitorList();
  readonly #deniedLately = new Set<string>();
  #deniedSinceMs = 0;
  readonly counters: ForeignAgentCounters = { requestsRelayed: 0, repliesRelayed: 0, denied: {}, dropped: {} };

  constructor(settings: ForeignAgentSettings) {
    this.#settings = settings;
    this.#pending = new PendingRegistrations(settings.maximumPending);
  }

  get visitors(): Visitor[] {
    return this.#visitors.all();
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  received(datagram: Datagram, nowMs: number): ForeignAgentOutput[] {
    if (datagram.payload[0] === MessageType.RegistrationReply) return this.#receivedReply(datagram, nowMs);
    const decoded = decodeRegistrationRequest(datagram.payload);
    if (!decoded.ok) return this.#drop(reasonOf(decoded.fault));
    return this.#receivedRequest(decoded.message, datagram, nowMs);
  }

  /** To be called about once a second: ends what has waited or lived for too long. */
  tick(nowMs: number): ForeignAgentOutput[] {
    const expired = this.#visitors.expire(nowMs).map((visitor) => ({ kind: "departed", visitor }) as const);
    const overdue = [...this.#pending.relayedUntil(nowMs - PENDING_TIMEOUT_MS)].flatMap((pending) =>
      this.#denyPending(pending, ReplyCode.ForeignAgentRegistrationTimeout, nowMs),
    );
    return [...expired, ...overdue];
  }

  /** The system refused to send; `errorCode` such as `ENETUNREACH`. RFC 5944 3.7.3: the mobiles are told. */
  sendFailed(destination: Endpoint, errorCode: string, nowMs: number): ForeignAgentOutput[] {
    const code = unreachableCodes.get(errorCode) ?? ReplyCode.ForeignAgentHomeAgentUnreachable;
    return this.#pending.toHomeAgent(destination.address).flatMap((pending) => this.#denyPending(pending, code, nowMs));
  }

  #receivedRequest(request: RegistrationRequest, datagram: Datagram, nowMs: number): ForeignAgentOutput[] {
    const { policy, relayFrom, homeAgentPort } = this.#settings;
    const nai = naiOf(request);
    const pending = { request, nai, mobile: datagram.source, local: datagram.local, relayedAtMs: nowMs };
    const denial = refuseRequest(request, policy, this.#ownAddresses()) ?? this.#refuseForLackOfRoom(pending);
    if (denial !== undefined) return this.#deny(pending, denial, nowMs);
    this.#pending.add(pending);
    this.counters.requestsRelayed += 1;
    return [
      {
        kind: "send",
        payload: relayedRequest(request, policy),
        from: relayFrom,
        to: { address: request.homeAgent, port: homeAgentPort },
      },
      { kind: "log", entry: logEntry("request-relayed", pending, nowMs) },
    ];
  }

  #receivedReply({ payload }: Datagram, nowMs: number): ForeignAgentOutput[] {
    const decoded = decodeRegistrationReply(payload);
    if (!decoded.ok) return this.#drop(reasonOf(decoded.fault));
    const reply = decoded.message;
    const pending = this.#pending.find(reply);
    if (pending === undefined || isOver(pending, nowMs)) return this.#drop("unmatched-reply");
    const denial = refuseReply(reply, pending.request, this.#settings.policy);
    if (denial !== undefined) return this.#denyPending(pending, denial, nowMs);
    this.#pending.remove(pending);
    const changes = this.#updateVisitors(pending, reply, nowMs);
    this.counters.repliesRelayed += 1;
    return [
      ...changes,
      { kind: "send", payload: relayedReply(reply, this.#settings.policy), from: pending.local, to: pending.mobile },
      { kind: "log", entry: logEntry("reply-relayed", pending, nowMs, reply) },
    ];
  }

  /** RFC 5944 3.7.3.2: a denial leaves the visitor as it is. */
  #updateVisitors(
    { request, nai, mobile }: PendingRegistration,
    reply: RegistrationReply,
    nowMs: number,
  ): ForeignAgentOutput[] {
    if (!isAccepted(reply.code)) return [];
    const { homeAgent, careOfAddress, flags } = request;
    const { homeAddress } = reply;
    const lifetimeSeconds = servedLifetimeSeconds(
      request.lifetimeSeconds,
      reply.lifetimeSeconds,
      this.#settings.policy,
    );
    if (lifetimeSeconds === 0) {
      const departed = this.#visitors.delete({ homeAddress, nai, homeAgent });
      return departed === undefined ? [] : [{ kind: "departed", visitor: departed }];
    }
    const expiresAtMs = nowMs + lifetimeMs(lifetimeSeconds);
    const visitor = { homeAddress, nai, homeAgent, careOfAddress, mobile, flags, lifetimeSeconds, expiresAtMs };
    this.#visitors.set(visitor);
    return [{ kind: "arrived", visitor }];
  }

  #refuseForLackOfRoom({ request, nai }: PendingRegistration): number | undefined {
    const { homeAddress, homeAgent, lifetimeSeconds } = request;
    const needsPlace = lifetimeSeconds !== 0 && !this.#visitors.has({ homeAddress, nai, homeAgent });
    const isFull = needsPlace && this.#visitors.size + this.#pending.size >= this.#settings.maximumVisitors;
    return isFull || this.#pending.isFull ? ReplyCode.ForeignAgentResources : undefined;
  }

  #denyPending(pending: PendingRegistration, code: number, nowMs: number): ForeignAgentOutput[] {
    this.#pending.remove(pending);
    return this.#deny(pending, code, nowMs);
  }

  /** RFC 5944 3.7.2.3. */
  #deny(denied: PendingRegistration, code: number, nowMs: number): ForeignAgentOutput[] {
    if (this.#wasDeniedLately(denied, nowMs)) return this.#drop("denial-rate");
    const { maximumLifetimeSeconds, mobileAssociation } = this.#settings.policy;
    const { request, nai, local, mobile } = denied;
    const isTooLong = code === ReplyCode.ForeignAgentLifetimeTooLong;
    const lifetimeSeconds = isTooLong ? maximumLifetimeSeconds : request.lifetimeSeconds;
    const writer = new MessageWriter(encodeReplyFields({ ...request, code, lifetimeSeconds }));
    if (nai !== undefined) writer.appendNai(nai);
    if (mobileAssociation) appendAuthentication(writer, ExtensionType.MobileForeignAuthentication, mobileAssociation);
    this.counters.denied[code] = (this.counters.denied[code] ?? 0) + 1;
    return [
      { kind: "send", payload: writer.finish(), from: local, to: mobile },
      { kind: "log", entry: logEntry("denied", denied, nowMs, { code, lifetimeSeconds }) },
    ];
  }

  /** Mobiles denied since the second began are remembered as long as there is room; beyond that, all count as denied. */
  #wasDeniedLately({ request, nai }: PendingRegistration, nowMs: number): boolean {
    if (Math.abs(nowMs - this.#deniedSinceMs) >= DENIAL_INTERVAL_MS) {
      this.#deniedLately.clear();
      this.#deniedSinceMs = nowMs;
    }
    const mobile = `${request.homeAddress} ${nai}`;
    if (this.#deniedLately.has(mobile) || this.#deniedLately.size >= this.#settings.maximumPending) return true;
    this.#deniedLately.add(mobile);
    return false;
  }

  #drop(reason: string): ForeignAgentOutput[] {
    this.counters.dropped[reason] = (this.counters.dropped[reason] ?? 0) + 1;
    return [];
  }

  #ownAddresses(): Ipv4Address[] {
    return [this.#settings.relayFrom, ...this.#settings.listen].map(({ address }) => address);
  }
}

const unreachableCodes: ReadonlyMap<string, number> = new Map<string, number>([
  ["ENETUNREACH", ReplyCode.ForeignAgentHomeNetworkUnreachable],
  ["EHOSTUNREACH", ReplyCode.ForeignAgentHomeAgentHostUnreachable],
  ["ECONNREFUSED", ReplyCode.ForeignAgentHomeAgentPortUnreachable],
]);

/** Says as well which of the extensions that must not be ignored it was. */
function reasonOf(fault: DecodeFault): string {
  return fault.reason === "unsupported-extension" ? `${fault.reason}-${fault.type}` : fault.reason;
}

/** RFC 5944 3.7.2.2 ("begin timing the remaining lifetime of the pending registration"). */
function isOver({ request, relayedAtMs }: PendingRegistration, nowMs: number): boolean {
  return request.lifetimeSeconds !== 0 && nowMs > relayedAtMs + lifetimeMs(request.lifetimeSeconds);
}

/**
 * RFC 5944 3.7.2.2: without the extensions that are for us, and authenticated by us if our care-of address is registered.
 */
function relayedRequest(request: RegistrationRequest, policy: ForeignAgentPolicy): Uint8Array {
  const writer = new MessageWriter(request.bytes.subarray(0, authorizedEnd(request)));
  const { homeAgentAssociation, careOfAddress } = policy;
  const isOurs = request.careOfAddress === careOfAddress && request.lifetimeSeconds !== 0;
  if (homeAgentAssociation && isOurs) {
    appendAuthentication(writer, ExtensionType.ForeignHomeAuthentication, homeAgentAssociation);
  }
  return writer.finish();
}

/** RFC 5944 3.7.3.2: without anything that no authorization-enabling extension covers. */
function relayedReply(reply: RegistrationReply, { mobileAssociation }: ForeignAgentPolicy): Uint8Array {
  const writer = new MessageWriter(reply.bytes.subarray(0, authorizedEnd(reply) ?? encodeReplyFields(reply).length));
  if (mobileAssociation) appendAuthentication(writer, ExtensionType.MobileForeignAuthentication, mobileAssociation);
  return writer.finish();
}
