/**
 * The ingress's part: finds or picks the owner of a mobile, notes a temporary binding, relays the request, and turns the
 * temporary binding into a permanent one when the reply comes back (mission M1-M6, M14).
 */

import type { MobileIdentity } from "../auth/association-table.ts";
import type { MemberId } from "../registration/binding.ts";
import { identityOf, mobileKeyOf } from "../registration/identity.ts";
import { type Endpoint, formatEndpoint } from "../wire/ipv4.ts";
import {
  decodeRegistrationReply,
  decodeRegistrationRequest,
  INFINITE_LIFETIME,
  type RegistrationReply,
  type RegistrationRequest,
} from "../wire/registration-message.ts";
import { isAccepted } from "../wire/reply-code.ts";
import type { Emit, Now, Observer } from "./io.ts";
import type { IngressBinding, Location } from "./location.ts";
import type { LocationTable } from "./location-table.ts";
import type { Membership } from "./membership.ts";
import type { Message, RelayReply, RelayRequest } from "./message.ts";
import type { Owner } from "./owner.ts";
import { type Candidate, chooseOwner, type Placement } from "./placement.ts";
import { type TemporaryBinding, TemporaryBindings } from "./temporary-bindings.ts";

/** Who is to serve a mobile, and the ownership generation that a binding made there must at least have. */
interface Route {
  readonly owner: MemberId;
  readonly generation: number;
}

export interface IngressSettings {
  readonly self: MemberId;
  readonly bootCount: number;
  /** The Registration Reply comes back addressed to it (mission M4). */
  readonly virtualEndpoint: Endpoint;
  readonly relayTimeoutMs: number;
  readonly hopLimit: number;
  readonly maximumPending: number;
  readonly loadFactor: number;
}

export class Ingress {
  readonly #settings: IngressSettings;
  readonly #owner: Owner;
  readonly #locations: LocationTable;
  readonly #membership: Membership;
  readonly #placement: Placement;
  readonly #observer: Observer;
  readonly #emit: Emit;
  readonly #send: (to: MemberId, message: Message) => void;
  readonly #candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  readonly #temporary: TemporaryBindings;
  /** Unique over restarts: a reply to a request of a former start finds nothing. */
  #nextRequestId: number;

  constructor(options: {
    readonly settings: IngressSettings;
    readonly owner: Owner;
    readonly locations: LocationTable;
    readonly membership: Membership;
    readonly placement: Placement;
    readonly observer: Observer;
    readonly emit: Emit;
    readonly send: (to: MemberId, message: Message) => void;
    readonly candidates: (now: Now) => ReadonlyMap<MemberId, Candidate>;
  }) {
    this.#settings = options.settings;
    this.#owner = options.owner;
    this.#locations = options.locations;
    this.#membership = options.membership;
    this.#placement = options.placement;
    this.#observer = options.observer;
    this.#emit = options.emit;
    this.#send = options.send;
    this.#candidates = options.candidates;
    this.#nextRequestId = options.settings.bootCount * 2 ** 32 + 1;
    this.#temporary = new TemporaryBindings(options.settings.maximumPending);
  }

  get temporaryBindings(): Iterable<TemporaryBinding> {
    return this.#temporary.values();
  }

  get temporaryCount(): number {
    return this.#temporary.size;
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
      this.#drop(decoded.fault.reason, source);
      return;
    }
    const request = decoded.message;
    const route = this.#route(identityOf(request), now);
    if (route.owner === this.#settings.self) {
      const { generation } = route;
      this.#owner.serve(
        { request, source, destination, ingress: this.#settings.self, requestId: undefined, generation },
        now,
      );
    } else this.#relay(request, source, destination, route, now);
  }

  /** A request that another member took in, or passed on. */
  relayed(sender: MemberId, message: RelayRequest, now: Now): void {
    const decoded = decodeRegistrationRequest(message.request);
    if (!decoded.ok) {
      this.#refuseRelay(message, decoded.fault.reason);
      return;
    }
    const request = decoded.message;
    const { source, destination, ingress, requestId } = message;
    const identity = identityOf(request);
    const location = this.#owner.find(identity) === undefined ? this.#locations.find(identity) : undefined;
    if (location !== undefined && this.#isPassedOn(location, sender, message)) {
      if (message.hopLimit <= 1) {
        this.#refuseRelay(message, "hop-limit");
        return;
      }
      this.#observer.countBy("requests-relayed", location.owner);
      this.#send(location.owner, {
        ...message,
        hopLimit: message.hopLimit - 1,
        minimumGeneration: location.generation,
      });
      return;
    }
    const elsewhere =
      location === undefined && this.#owner.find(identity) === undefined && this.#placeNew(identity, now);
    if (elsewhere && elsewhere !== this.#settings.self && message.hopLimit > 1) {
      this.#observer.countBy("requests-relayed", elsewhere);
      this.#send(elsewhere, { ...message, hopLimit: message.hopLimit - 1 });
      return;
    }
    // Where the location named somebody who can't serve, this binding supersedes theirs.
    const generation = Math.max(message.minimumGeneration, location === undefined ? 1 : location.generation + 1);
    this.#owner.serve({ request, source, destination, ingress, requestId, generation }, now);
  }

  /** The owner's answer: the temporary binding becomes a permanent one, and the reply goes to the foreign agent that it names. */
  replied(sender: MemberId, message: RelayReply, now: Now): void {
    const temporary = this.#temporary.take(message.requestId);
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
    if (isAccepted(reply.code)) this.#makePermanent(temporary, reply, sender, message, now);
    this.#observer.countBy("replies-sent", String(reply.code));
    this.#emit({
      type: "reply",
      payload: message.reply,
      source: temporary.destination,
      destination: temporary.foreignAgent,
    });
  }

  /** This member has become the owner of what it had relayed: its request came back. */
  answered(requestId: number, reply: Uint8Array | undefined): void {
    const temporary = this.#temporary.take(requestId);
    if (temporary === undefined || reply === undefined) return;
    this.#observer.countBy("replies-sent", String(reply[1]));
    this.#emit({ type: "reply", payload: reply, source: temporary.destination, destination: temporary.foreignAgent });
  }

  expire(now: Now): void {
    for (const { owner } of this.#temporary.takeExpired(now.monotonicMs)) {
      this.#observer.countBy("relay-timeouts", owner);
      this.#observer.event("relay-timeout", { owner });
    }
  }

  /** Mission M14: a binding names the owner; without one, placement picks it. */
  #route(identity: MobileIdentity, now: Now): Route {
    const owned = this.#owner.find(identity);
    if (owned !== undefined) return { owner: this.#settings.self, generation: owned.ownership.generation };
    const location = this.#locations.find(identity);
    if (location !== undefined && this.#membership.isAlive(location.owner)) return location;
    const generation = location === undefined ? 0 : location.generation + 1;
    return { owner: this.#home(identity) ?? this.#placeNew(identity, now), generation };
  }

  /**
   * The member that knows whether somebody owns the mobile: the first in its ranking that is alive, as owners tell it where
   * their mobiles are. `undefined` if that is this member.
   */
  #home(identity: MobileIdentity): MemberId | undefined {
    const home = this.#ranking(identity).find((id) => id === this.#settings.self || this.#membership.isAlive(id));
    return home === this.#settings.self ? undefined : home;
  }

  /** Who is to own a mobile that nobody knows. Only its home decides, or members with different loads in mind would decide differently. */
  #placeNew(identity: MobileIdentity, now: Now): MemberId {
    const { self, loadFactor } = this.#settings;
    if (this.#home(identity) !== undefined) return self;
    return chooseOwner(this.#ranking(identity), this.#candidates(now), loadFactor) ?? self;
  }

  #ranking(identity: MobileIdentity): readonly MemberId[] {
    const mobile = mobileKeyOf(identity);
    return mobile === undefined ? [] : this.#placement.rank(mobile);
  }

  #relay(request: RegistrationRequest, source: Endpoint, destination: Endpoint, route: Route, now: Now): void {
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
    this.#send(route.owner, {
      type: "relay-request",
      requestId: temporary.requestId,
      ingress: self,
      hopLimit,
      minimumGeneration: route.generation,
      source,
      destination,
      request: request.bytes,
    });
  }

  /** A location that names somebody who has just passed the request on is stale, as is one that the sender knows a newer owner than. */
  #isPassedOn(location: Location, sender: MemberId, message: RelayRequest): boolean {
    return (
      location.owner !== sender &&
      location.owner !== message.ingress &&
      location.generation >= message.minimumGeneration &&
      this.#membership.isAlive(location.owner)
    );
  }

  #refuseRelay(message: RelayRequest, reason: string): void {
    this.#observer.countBy("datagrams-dropped", reason);
    this.#observer.event("relay-refused", { member: message.ingress, reason });
    this.#send(message.ingress, {
      type: "relay-reply",
      requestId: message.requestId,
      generation: 0,
      knownUntilMs: 0,
      destination: message.destination,
      reply: new Uint8Array(),
    });
  }

  /** Mission M5: identifier, foreign agent, owner, and from the reply the granted lifetime and the home address. */
  #makePermanent(
    temporary: TemporaryBinding,
    reply: RegistrationReply,
    owner: MemberId,
    { generation, knownUntilMs }: RelayReply,
    now: Now,
  ): void {
    const { nai, foreignAgent, careOfAddress } = temporary;
    const { homeAddress, lifetimeSeconds, identification } = reply;
    const mobile = mobileKeyOf({ homeAddress, nai });
    if (mobile === undefined) return;
    const ingress: IngressBinding | undefined =
      lifetimeSeconds === 0
        ? undefined
        : {
            foreignAgent,
            careOfAddress,
            lifetimeSeconds,
            expiresAtMs:
              lifetimeSeconds === INFINITE_LIFETIME ? Number.POSITIVE_INFINITY : now.wallMs + lifetimeSeconds * 1000,
            identification,
          };
    this.#locations.put({ mobile, homeAddress, nai, owner, generation, knownUntilMs, ingress });
  }

  #drop(reason: string, source: Endpoint): void {
    this.#observer.countBy("datagrams-dropped", reason);
    this.#observer.event("datagram-dropped", { source: formatEndpoint(source), reason });
  }
}
