/**
 * A crowd of mobile nodes: the load generator's core. It decides which mobile registers when, and keeps count of the
 * results. Sans-IO: the caller sends what it is given, and hands in replies and the time.
 */
import { lowBits } from "../core/wire/identification.ts";
import type { Ipv4Address } from "../core/wire/ipv4.ts";
import { decodeRegistrationReply, type RegistrationReply } from "../core/wire/registration-message.ts";
import { isAccepted } from "../core/wire/reply-code.ts";
import type { IdentificationSource } from "./identification-source.ts";
import { buildRequest, doubtAbout, type MobileAssociations } from "./mobile-messages.ts";
import type { RegistrationOrder } from "./registration-attempt.ts";

/** How a mobile of the crowd names itself. */
export type MobileName = Pick<RegistrationOrder, "homeAddress" | "nai">;

export interface LoadSettings {
  readonly mobiles: number;
  nameOf(mobile: number): MobileName;
  /** The rest of every mobile's requests. */
  readonly order: Omit<RegistrationOrder, keyof MobileName>;
  readonly associations: MobileAssociations;
  /** Shared by all mobiles: from timestamps that only grow, every mobile gets some that only grow. */
  readonly identifications: IdentificationSource;
  /** Registrations per second; `undefined` leaves the pace to the window. */
  readonly ratePerSecond: number | undefined;
  /** The most requests that may be unanswered at any time. */
  readonly window: number;
  readonly answerTimeoutMs: number;
  /** The most requests for one registration, each sent when the one before was not answered in time. */
  readonly maximumTries: number;
  /** Ends with whichever comes first. */
  readonly maximumRequests: number;
  readonly durationMs: number;
}

export interface Accepted {
  readonly homeAddress: Ipv4Address;
  readonly nai: string | undefined;
  readonly identification: bigint;
  readonly lifetimeSeconds: number;
}

/** A registration that was not answered, however often it was requested. */
export interface GivenUp extends MobileName {
  /** Since the first request for the registration. */
  readonly latencyMs: number;
  readonly tries: number;
}

export interface Answer {
  /** Since the first request for the registration. */
  readonly latencyMs: number;
  readonly tries: number;
  readonly accepted: Accepted | undefined;
}

export interface LoadScore {
  /** Registrations begun. */
  sent: number;
  /** Further requests for them. */
  repeated: number;
  accepted: number;
  /** By code. */
  readonly denied: Map<number, number>;
  unanswered: number;
  /** Replies that no registration was waiting for, or that were not authentic. */
  invalid: number;
}

export interface LoadRequest {
  readonly mobile: number;
  readonly payload: Uint8Array;
}

interface Outstanding {
  readonly mobile: number;
  readonly identification: bigint;
  readonly sentAtMs: number;
  readonly firstSentAtMs: number;
  readonly tries: number;
}

export class Load {
  readonly score: LoadScore = { sent: 0, repeated: 0, accepted: 0, denied: new Map(), unanswered: 0, invalid: 0 };
  readonly #settings: LoadSettings;
  readonly #startedAtMs: number;
  /** By the low bits of the Identification, which are chosen to be unique; oldest first. */
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #isBusy: Uint8Array;
  #nextMobile = 0;
  #givenUp: GivenUp[] = [];
  #isStopped = false;

  constructor(settings: LoadSettings, startedAtMs: number) {
    this.#settings = settings;
    this.#startedAtMs = startedAtMs;
    this.#isBusy = new Uint8Array(settings.mobiles);
  }

  /**
   * The requests that are due. Both times run from the same start; `clockMs` is the epoch time that goes into timestamps.
   */
  due(nowMs: number, clockMs: number): LoadRequest[] {
    const requests = this.#repeat(nowMs, clockMs);
    for (let room = this.#room(nowMs); room > 0; room--) {
      const mobile = this.#chooseMobile();
      if (mobile === undefined) break;
      this.#isBusy[mobile] = 1;
      this.score.sent += 1;
      requests.push(this.#request({ mobile, firstSentAtMs: nowMs, tries: 1 }, nowMs, clockMs));
    }
    return requests;
  }

  /** `undefined` if it answers none of the requests. */
  received(payload: Uint8Array, nowMs: number): Answer | undefined {
    const request = this.#answered(payload);
    if (request === undefined) {
      this.score.invalid += 1;
      return undefined;
    }
    const { reply, outstanding } = request;
    this.#forget(outstanding);
    const { tries } = outstanding;
    const latencyMs = nowMs - outstanding.firstSentAtMs;
    if (!isAccepted(reply.code)) {
      this.score.denied.set(reply.code, (this.score.denied.get(reply.code) ?? 0) + 1);
      return { latencyMs, tries, accepted: undefined };
    }
    this.score.accepted += 1;
    const { homeAddress, lifetimeSeconds } = reply;
    const { nai } = this.#settings.nameOf(outstanding.mobile);
    const { identification } = outstanding;
    return { latencyMs, tries, accepted: { homeAddress, nai, identification, lifetimeSeconds } };
  }

  /** The registrations given up since the last call. */
  takeGivenUp(): readonly GivenUp[] {
    const taken = this.#givenUp;
    this.#givenUp = [];
    return taken;
  }

  /** Sends nothing more; outstanding requests can still be answered. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Whether nothing is due any more and nothing is outstanding. */
  isOver(nowMs: number): boolean {
    return this.#outstanding.size === 0 && this.#isSendingOver(nowMs);
  }

  #isSendingOver(nowMs: number): boolean {
    const { maximumRequests, durationMs } = this.#settings;
    return this.#isStopped || this.score.sent >= maximumRequests || nowMs >= this.#startedAtMs + durationMs;
  }

  /** How many requests may go now, by the rate, the window and the end. */
  #room(nowMs: number): number {
    if (this.#isSendingOver(nowMs)) return 0;
    const { mobiles, window, maximumRequests } = this.#settings;
    const due = Math.min(this.#scheduled(nowMs), maximumRequests) - this.score.sent;
    return Math.min(due, Math.min(window, mobiles) - this.#outstanding.size);
  }

  /** How many requests should have been sent by now; the first is sent at once. */
  #scheduled(nowMs: number): number {
    const { ratePerSecond } = this.#settings;
    if (ratePerSecond === undefined) return Number.POSITIVE_INFINITY;
    return Math.floor(((nowMs - this.#startedAtMs) / 1000) * ratePerSecond) + 1;
  }

  /** The next mobile in turn; one that still waits for an answer is skipped. */
  #chooseMobile(): number | undefined {
    const { mobiles } = this.#settings;
    for (let tried = 0; tried < mobiles; tried++) {
      const mobile = this.#nextMobile;
      this.#nextMobile = (mobile + 1) % mobiles;
      if (this.#isBusy[mobile] === 0) return mobile;
    }
    return undefined;
  }

  #request(
    attempt: Pick<Outstanding, "mobile" | "firstSentAtMs" | "tries">,
    nowMs: number,
    clockMs: number,
  ): LoadRequest {
    const { order, associations, identifications, nameOf } = this.#settings;
    let identification = identifications.next(clockMs);
    while (this.#outstanding.has(lowBits(identification))) identification = identifications.next(clockMs);
    const { mobile } = attempt;
    const { homeAddress, nai } = nameOf(mobile);
    this.#outstanding.set(lowBits(identification), { ...attempt, identification, sentAtMs: nowMs });
    return { mobile, payload: buildRequest({ ...order, homeAddress, identification }, nai, associations) };
  }

  #answered(payload: Uint8Array): { reply: RegistrationReply; outstanding: Outstanding } | undefined {
    const decoded = decodeRegistrationReply(payload);
    if (!decoded.ok) return undefined;
    const reply = decoded.message;
    const outstanding = this.#outstanding.get(lowBits(reply.identification));
    if (outstanding === undefined) return undefined;
    const doubt = doubtAbout(reply, outstanding.identification, this.#settings.associations);
    return doubt === undefined ? { reply, outstanding } : undefined;
  }

  /** RFC 5944 3.6.3: a request that was not answered in time is sent again with a new timestamp, or given up. */
  #repeat(nowMs: number, clockMs: number): LoadRequest[] {
    const { answerTimeoutMs, maximumTries } = this.#settings;
    const requests: LoadRequest[] = [];
    for (const outstanding of this.#outstanding.values()) {
      if (outstanding.sentAtMs > nowMs - answerTimeoutMs) break;
      const { mobile, firstSentAtMs, tries } = outstanding;
      if (tries < maximumTries && !this.#isStopped) {
        this.#outstanding.delete(lowBits(outstanding.identification));
        this.score.repeated += 1;
        requests.push(this.#request({ mobile, firstSentAtMs, tries: tries + 1 }, nowMs, clockMs));
      } else {
        this.#forget(outstanding);
        this.score.unanswered += 1;
        this.#givenUp.push({ ...this.#settings.nameOf(mobile), latencyMs: nowMs - firstSentAtMs, tries });
      }
    }
    return requests;
  }

  #forget({ mobile, identification }: Outstanding): void {
    this.#outstanding.delete(lowBits(identification));
    this.#isBusy[mobile] = 0;
  }
}
