/**
 * One registration of a mobile node, from the first request to the answer: retransmission (RFC 5944 3.6.3) and
 * resynchronisation (RFC 5944 3.6.2.3, code 133). Sans-IO: each input is answered by what to do next.
 *
 *   start ─▶ send ─▶ waiting ──reply────────▶ done
 *              ▲        │ ├─133, once─┐
 *              └─timer──┘ │           ▼
 *              ▲          │        holding back until a second after the last request
 *              └──timer───┼───────────┘
 *                         └─timer, tries used up─▶ done
 */
import type { Ipv4Address } from "../core/wire/ipv4.ts";
import type { RegistrationReply, RequestFields } from "../core/wire/registration-message.ts";
import { ReplyCode } from "../core/wire/reply-code.ts";
import type { IdentificationSource, ReplayStyle } from "./identification-source.ts";
import { buildRequest, checkReply, type MobileAssociations, type ReplyDoubt } from "./mobile-messages.ts";

/** RFC 5944 3.6.3: "The minimum time between Registration Requests MUST NOT be less than 1 second." */
const MINIMUM_INTERVAL_MS = 1000;

/** Retransmissions of many mobiles that started together spread over this share of the interval. */
const JITTER = 0.25;

/** What to register; the Identification is chosen for each request. */
export interface RegistrationOrder extends Omit<RequestFields, "identification"> {
  readonly nai: string | undefined;
}

export interface AttemptSettings {
  readonly associations: MobileAssociations;
  readonly replayStyle: ReplayStyle;
  readonly identifications: IdentificationSource;
  /** Requests sent before giving up; after a resynchronisation the count starts again. */
  readonly maximumTries: number;
  /** A number in `[0, 1)`. */
  readonly random: () => number;
}

export type AttemptResult =
  | { readonly kind: "answered"; readonly reply: RegistrationReply; readonly roundTripMs: number }
  | { readonly kind: "unanswered"; readonly homeAgent: Ipv4Address };

export type AttemptStep =
  | { readonly kind: "send"; readonly payload: Uint8Array; readonly wakeAtMs: number }
  | { readonly kind: "wait"; readonly wakeAtMs: number }
  | { readonly kind: "done"; readonly result: AttemptResult };

/** A matching reply that was not believed, RFC 5944 3.6.2.1 ("SHOULD log the event as a security exception"). */
export interface DoubtedReply {
  readonly doubt: ReplyDoubt;
  readonly code: number | undefined;
}

export class RegistrationAttempt {
  readonly #order: RegistrationOrder;
  readonly #settings: AttemptSettings;
  readonly #firstIntervalMs: number;
  #identification = 0n;
  #payload: Uint8Array = new Uint8Array();
  #tries = 0;
  #sentAtMs = 0;
  #wakeAtMs = 0;
  #resynchronized = false;
  #requestsSent = 0;
  #lastDoubt: DoubtedReply | undefined;

  constructor(order: RegistrationOrder, settings: AttemptSettings) {
    this.#order = order;
    this.#settings = settings;
    this.#firstIntervalMs = MINIMUM_INTERVAL_MS * (1 + JITTER * settings.random());
  }

  get requestsSent(): number {
    return this.#requestsSent;
  }

  get resynchronized(): boolean {
    return this.#resynchronized;
  }

  /** The last matching reply that was not believed, if there was one. */
  get lastDoubt(): DoubtedReply | undefined {
    return this.#lastDoubt;
  }

  start(nowMs: number): AttemptStep {
    return this.#send(nowMs, "anew");
  }

  /** To be called when a datagram has arrived. */
  received(payload: Uint8Array, nowMs: number): AttemptStep {
    const checked = checkReply(payload, this.#identification, this.#settings.associations);
    if (!checked.believed) {
      if (checked.doubt !== "unmatched") this.#lastDoubt = { doubt: checked.doubt, code: checked.reply?.code };
      return { kind: "wait", wakeAtMs: this.#wakeAtMs };
    }
    const { reply } = checked;
    this.#settings.identifications.learn(reply, nowMs);
    if (reply.code === ReplyCode.IdentificationMismatch && !this.#resynchronized) return this.#resynchronize(nowMs);
    return { kind: "done", result: { kind: "answered", reply, roundTripMs: nowMs - this.#sentAtMs } };
  }

  /** To be called when the time of the last step has come. */
  wake(nowMs: number): AttemptStep {
    if (nowMs < this.#wakeAtMs) return { kind: "wait", wakeAtMs: this.#wakeAtMs };
    if (this.#tries >= this.#settings.maximumTries) {
      return { kind: "done", result: { kind: "unanswered", homeAgent: this.#order.homeAgent } };
    }
    // "When nonces are used, the unanswered Request is retransmitted unchanged" (RFC 5944 3.6.3).
    const repeats = this.#tries > 0 && this.#settings.replayStyle === "nonces";
    return this.#send(nowMs, repeats ? "unchanged" : "anew");
  }

  #resynchronize(nowMs: number): AttemptStep {
    this.#resynchronized = true;
    this.#tries = 0;
    this.#wakeAtMs = Math.max(nowMs, this.#sentAtMs + MINIMUM_INTERVAL_MS);
    return { kind: "wait", wakeAtMs: this.#wakeAtMs };
  }

  #send(nowMs: number, how: "anew" | "unchanged"): AttemptStep {
    if (how === "anew") {
      const { nai, ...fields } = this.#order;
      this.#identification = this.#settings.identifications.next(nowMs);
      this.#payload = buildRequest(
        { ...fields, identification: this.#identification },
        nai,
        this.#settings.associations,
      );
    }
    this.#tries += 1;
    this.#requestsSent += 1;
    this.#sentAtMs = nowMs;
    this.#wakeAtMs = nowMs + this.#intervalMs();
    return { kind: "send", payload: this.#payload, wakeAtMs: this.#wakeAtMs };
  }

  /** RFC 5944 3.6.3: at least twice the previous one, at most the requested lifetime, at least a second. */
  #intervalMs(): number {
    const doubled = this.#firstIntervalMs * 2 ** (this.#tries - 1);
    const longest = this.#order.lifetimeSeconds * 1000 || Number.POSITIVE_INFINITY;
    return Math.max(MINIMUM_INTERVAL_MS, Math.min(doubled, longest));
  }
}
