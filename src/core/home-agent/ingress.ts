/**
 * The ingress's part: notes a temporary binding, relays the request to the owner, and turns the temporary binding into a
 * permanent one when the reply comes back.
 */

import { type IngressBinding, isNewerOwnership } from "../bindings/location.ts";
import type { LocationTable } from "../bindings/location-table.ts";
import { type TemporaryBinding, TemporaryBindings } from "../bindings/temporary-bindings.ts";
import type { Membership } from "../members/membership.ts";
import { type MemberId, naiOf } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import { DISCARDED, type Message, type RelayReply, type RelayRequest } from "../protocol/datagrams.ts";
import type { TemporaryCopy } from "../protocol/stream-messages.ts";
import { identityOf } from "../registration/identity.ts";
import type { Replication } from "../replication/replication.ts";
import { isPassedOver } from "../wire/extension.ts";
import { type Endpoint, formatEndpoint } from "../wire/ipv4.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  type RegistrationReply,
} from "../wire/registration-message.ts";
import { isAccepted } from "../wire/reply-code.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import type { Forwarding } from "./forwarding.ts";
import type { Emit } from "./io.ts";
import type { Owner, ServedRequest } from "./owner.ts";
import type { Orphan, OwnerFinder, Route } from "./routes.ts";

/** What to do once it is clear which member owns the mobile. */
interface Deferred extends Orphan {
  readonly source: Endpoint;
  /** By then the sender has given up; monotonic ms. */
  readonly deadlineMs: number;
  readonly resume: (now: Now) => void;
}

/** A request and its way here. */
type Arrival = Pick<ServedRequest, "request" | "source" | "destination">;

/**
 * Boot counts are seconds (adapters/store/directory.ts): a start that makes fewer requests per second than this never uses
 * an id of a later start. All 32-bit boot counts times it stay safe integers.
 */
const REQUEST_IDS_PER_BOOT_COUNT = 2 ** 21;

export interface IngressSettings {
  readonly self: MemberId;
  readonly bootCount: number;
  /** The Registration Reply comes back addressed to it. */
  readonly virtualEndpoint: Endpoint;
  readonly relayTimeoutMs: number;
  readonly hopLimit: number;
  readonly maximumPending: number;
}

export class Ingress {
  readonly #settings: IngressSettings;
  readonly #owner: Owner;
  readonly #doorkeeper: Doorkeeper;
  readonly #locations: LocationTable;
  readonly #membership: Membership;
  readonly #observer: Observer;
  readonly #emit: Emit;
  readonly #send: (to: MemberId, message: Message) => void;
  readonly #replication: Replication;
  readonly #finder: OwnerFinder;
  readonly #forwarding: Forwarding;
  readonly #temporary: TemporaryBindings;
  /** Requests for mobiles whose new owner is being found. */
  #deferred: Deferred[] = [];
  /** Unique over restarts: a reply to a request of a former start finds nothing. */
  #nextRequestId: number;

  constructor(options: {
    readonly settings: IngressSettings;
    readonly owner: Owner;
    readonly doorkeeper: Doorkeeper;
    readonly locations: LocationTable;
    readonly membership: Membership;
    readonly finder: OwnerFinder;
    readonly replication: Replication;
    readonly forwarding: Forwarding;
    readonly observer: Observer;
    readonly emit: Emit;
    readonly send: (to: MemberId, message: Message) => void;
  }) {
    this.#settings = options.settings;
    this.#owner = options.owner;
    this.#doorkeeper = options.doorkeeper;
    this.#locations = options.locations;
    this.#membership = options.membership;
    this.#observer = options.observer;
    this.#emit = options.emit;
    this.#send = options.send;
    this.#replication = options.replication;
    this.#finder = options.finder;
    this.#forwarding = options.forwarding;
    this.#nextRequestId = options.settings.bootCount * REQUEST_IDS_PER_BOOT_COUNT + 1;
    this.#temporary = new TemporaryBindings(options.settings.maximumPending);
  }

  get temporaryBindings(): Iterable<TemporaryBinding> {
    return this.#temporary.values();
  }

  get temporaryCount(): number {
    return this.#temporary.size;
  }

  /** Requests that wait for a takeover. */
  get deferredCount(): number {
    return this.#deferred.length;
  }

  /** On the monotonic clock. */
  get nextDeadlineMs(): number {
    return this.#temporary.nextDeadlineMs;
  }

  /** A datagram to the virtual home agent address. */
  receive(payload: Uint8Array, source: Endpoint, destination: Endpoint, now: Now): void {
    this.#observer.count("requests-received");
    if (source.port === 0) {
      this.#drop("no-source-port", source);
      return;
    }
    const decoded = decodeRegistrationRequest(payload);
    if (!decoded.ok) {
      const { fault } = decoded;
      if (fault.reason === "unsupported-extension") this.#countUnsupported(fault.type);
      this.#drop(fault.reason, source);
      return;
    }
    for (const { type } of decoded.message.extensions.filter(isPassedOver)) this.#countUnsupported(type);
    const arrival: Arrival = { request: decoded.message, source, destination };
    const refusal = this.#doorkeeper.refusal(arrival, now);
    if (refusal === undefined) this.#forward(arrival, now);
    else this.#owner.refuse(this.#ownRequest(arrival, 0), refusal, undefined, now);
  }

  /** A request that arrived here and is not relayed. */
  #ownRequest(arrival: Arrival, generation: number): ServedRequest {
    const { self: ingress, hopLimit } = this.#settings;
    return { ...arrival, ingress, requestId: undefined, hopLimit, generation };
  }

  #forward(arrival: Arrival, now: Now): void {
    const route = this.#finder.route(identityOf(arrival.request), now);
    if (route === "unconfirmed") this.#drop("unconfirmed", arrival.source);
    else if ("formerOwner" in route) this.#defer(route, arrival.source, now, (later) => this.#forward(arrival, later));
    else if (route.owner !== this.#settings.self) this.#relay(arrival, route, now);
    else this.#owner.serve(this.#ownRequest(arrival, route.generation), now);
  }

  /** A request that another member took in, or passed on. `hasWaited`: here, so that its sender may know better by now. */
  relayed(sender: MemberId, message: RelayRequest, now: Now, hasWaited = false): void {
    const decoded = decodeRegistrationRequest(message.request);
    if (!decoded.ok) {
      this.#refuseRelay(message, decoded.fault.reason);
      return;
    }
    const { source, destination, ingress, requestId } = message;
    const stale = hasWaited ? [] : [sender, ingress];
    const route = this.#finder.onwards(identityOf(decoded.message), sender, stale, message, now);
    if (route === "unconfirmed") this.#refuseRelay(message, "unconfirmed");
    else if ("formerOwner" in route)
      this.#defer(route, source, now, (later) => this.relayed(sender, message, later, true));
    else if (route.owner === this.#settings.self) {
      const { generation } = route;
      const { hopLimit } = message;
      this.#owner.serve(
        { request: decoded.message, source, destination, ingress, requestId, hopLimit, generation },
        now,
      );
    } else if (message.hopLimit <= 1) this.#refuseRelay(message, "hop-limit");
    else {
      this.#observer.countBy("requests-relayed", route.owner);
      const hopLimit = message.hopLimit - 1;
      this.#send(route.owner, { ...message, hopLimit, minimumGeneration: route.generation });
    }
  }

  /**
   * The owner's answer: the temporary binding becomes a permanent one, and the reply goes to the foreign agent that it
   * names.
   */
  replied(sender: MemberId, message: RelayReply, now: Now): void {
    const temporary = this.#end(message.requestId, now);
    if (temporary === undefined) {
      this.#observer.count("replies-unmatched");
      return;
    }
    if (message.reply.length === 0) {
      this.#drop("discarded-by-owner", temporary.foreignAgent);
      return;
    }
    if (message.destination.address !== this.#settings.virtualEndpoint.address) {
      this.#drop("misaddressed-reply", temporary.foreignAgent);
      return;
    }
    const decoded = decodeRegistrationReply(message.reply);
    if (!decoded.ok) {
      this.#drop(decoded.fault.reason, temporary.foreignAgent);
      return;
    }
    const reply = decoded.message;
    if (isAccepted(reply.code)) {
      this.#makePermanent(temporary, reply, sender, message);
      const { lease, mobile, generation } = message;
      const { homeAddress } = reply;
      if (lease && mobile) this.#forwarding.learn({ ...lease, mobile, generation, homeAddress }, sender, now);
    }
    this.reply(message.reply, temporary.destination, temporary.foreignAgent);
  }

  /** To the foreign agent, from where its request was sent to: RFC 5944 3.8.3.1. */
  reply(payload: Uint8Array, source: Endpoint, destination: Endpoint): void {
    this.#observer.countBy("replies-sent", String(payload[1]));
    this.#emit({ type: "reply", payload, source, destination });
  }

  /**
   * A request that this member could not answer: another member has become the owner, or has to, as the store has failed
   * here.
   */
  passOn(served: ServedRequest, now: Now): void {
    const { request, source, destination, ingress, requestId, hopLimit, generation } = served;
    if (requestId === undefined) {
      this.#forward(served, now);
      return;
    }
    const { self } = this.#settings;
    const message: RelayRequest = {
      type: "relay-request",
      requestId,
      ingress,
      hopLimit,
      minimumGeneration: generation,
      source,
      destination,
      request: request.bytes,
    };
    this.relayed(self, message, now, true);
  }

  /** A request that has waited here, as its owner: another member may have become that meanwhile. */
  resume(served: ServedRequest, now: Now): void {
    const known = this.#finder.known(identityOf(served.request));
    if (known === undefined || known.owner === this.#settings.self) this.#owner.serve(served, now);
    else this.passOn(served, now);
  }

  /** The owner's answer to a request that came by another member goes back there. */
  answerRelayed({ ingress }: ServedRequest, message: RelayReply, now: Now): void {
    if (ingress === this.#settings.self) this.#answered(message, now);
    else this.#send(ingress, message);
  }

  /** This member has become the owner of what it had relayed: its request came back. */
  #answered({ requestId, reply }: RelayReply, now: Now): void {
    const temporary = this.#end(requestId, now);
    if (temporary === undefined || reply.length === 0) return;
    this.reply(reply, temporary.destination, temporary.foreignAgent);
  }

  /** A request whose ingress has died after it had relayed it: the same owner gives the same reply, which goes out here. */
  adopt({ request, foreignAgent, destination, owner, minimumGeneration }: TemporaryCopy, now: Now): void {
    const decoded = decodeRegistrationRequest(request);
    if (!decoded.ok) {
      this.#drop(decoded.fault.reason, foreignAgent);
      return;
    }
    const arrival: Arrival = { request: decoded.message, source: foreignAgent, destination };
    // What the dead ingress knew counts where this member knows nothing; it may be the owner itself by now.
    const isKnown = this.#finder.known(identityOf(decoded.message)) !== undefined;
    if (isKnown || !this.#membership.isAlive(owner)) this.#forward(arrival, now);
    else this.#relay(arrival, { owner, generation: minimumGeneration }, now);
  }

  /** This member did not run: if others took it for dead, its requests are answered by its backup. */
  stalled(): void {
    this.#temporary.clear();
  }

  passTime(now: Now): void {
    for (const { owner, requestId } of this.#temporary.takeExpired(now.monotonicMs)) {
      this.#replication.temporaryEnded(requestId, now);
      this.#observer.countBy("relay-timeouts", owner);
      this.#observer.event("relay-timeout", { owner });
    }
    const waiting = this.#deferred;
    this.#deferred = [];
    for (const deferred of waiting) {
      if (deferred.deadlineMs <= now.monotonicMs) this.#drop("undecided", deferred.source);
      else if (this.#replication.isUndecided(deferred, now)) this.#deferred.push(deferred);
      else deferred.resume(now);
    }
  }

  #defer(orphan: Orphan, source: Endpoint, now: Now, resume: (now: Now) => void): void {
    const { maximumPending, relayTimeoutMs } = this.#settings;
    const deadlineMs = now.monotonicMs + relayTimeoutMs;
    if (this.#deferred.length < maximumPending) this.#deferred.push({ ...orphan, source, deadlineMs, resume });
    else this.#drop("overloaded", source);
  }

  #relay({ request, source, destination }: Arrival, route: Route, now: Now): void {
    const { self, relayTimeoutMs, hopLimit } = this.#settings;
    const temporary: TemporaryBinding = {
      ...identityOf(request),
      requestId: this.#nextRequestId++,
      foreignAgent: source,
      destination,
      careOfAddress: request.careOfAddress,
      owner: route.owner,
      lifetimeSeconds: request.lifetimeSeconds,
      identification: request.identification,
      createdAtMs: now.wallMs,
      deadlineMs: now.monotonicMs + relayTimeoutMs,
    };
    if (!this.#temporary.add(temporary)) {
      this.#drop("overloaded", source);
      return;
    }
    this.#observer.countBy("requests-relayed", route.owner);
    const { requestId, owner } = temporary;
    const relayed = { requestId, minimumGeneration: route.generation, destination, request: request.bytes };
    this.#send(owner, { type: "relay-request", ...relayed, ingress: self, hopLimit, source });
    this.#replication.temporaryMade({ ...relayed, owner, foreignAgent: source });
  }

  #end(requestId: number, now: Now): TemporaryBinding | undefined {
    const temporary = this.#temporary.take(requestId);
    if (temporary !== undefined) this.#replication.temporaryEnded(requestId, now);
    return temporary;
  }

  #refuseRelay(message: RelayRequest, reason: string): void {
    this.#observer.countBy("datagrams-dropped", reason);
    this.#observer.event("relay-refused", { member: message.ingress, reason });
    const { requestId, ingress, destination } = message;
    this.#send(ingress, { ...DISCARDED, requestId, destination });
  }

  /**
   * The permanent binding: identifier, foreign agent, owner, and from the reply the granted lifetime and the home address.
   */
  #makePermanent(
    temporary: TemporaryBinding,
    reply: RegistrationReply,
    owner: MemberId,
    { mobile, generation, knownUntilMs, homeAddressSinceMs, boundUntilMs, backups }: RelayReply,
  ): void {
    const { foreignAgent, careOfAddress } = temporary;
    const { homeAddress, lifetimeSeconds, identification } = reply;
    if (mobile === undefined) return;
    const nai = naiOf(mobile);
    const told = { mobile, homeAddress, nai, homeAddressSinceMs, owner, backups, generation, knownUntilMs };
    const known = this.#locations.get(mobile);
    const bound = { foreignAgent, careOfAddress, lifetimeSeconds, expiresAtMs: boundUntilMs, identification };
    // Who sends a request again is not thereby the foreign agent of its mobile: the owner knows who is.
    const standing = boundUntilMs > 0 ? bound : known?.ingress;
    const ingress: IngressBinding | undefined = lifetimeSeconds === 0 ? undefined : standing;
    // A reply may be older than what is known since: its sender has been superseded meanwhile.
    this.#locations.put({ ...(known !== undefined && isNewerOwnership(known, told) ? known : told), ingress });
  }

  #countUnsupported(extensionType: number): void {
    this.#observer.countBy("extensions-unsupported", String(extensionType));
  }

  #drop(reason: string, source: Endpoint): void {
    this.#observer.countBy("datagrams-dropped", reason);
    this.#observer.event("datagram-dropped", { source: formatEndpoint(source), reason });
  }
}
