import { setTimeout as delay } from "node:timers/promises";
import { INFINITE_LIFETIME, type RegistrationReply } from "../core/wire/registration-message.ts";
import { isAccepted } from "../core/wire/reply-code.ts";
import { type RegisterResult, type RegisterSettings, register } from "./register.ts";
import type { RegistrationOrder } from "./registration-attempt.ts";

/** A part of the lifetime that is left for retransmissions, should the home agent be hard to reach (RFC 5944 3.6.3). */
const RENEWED_AFTER = 0.5;
/** Whoever was denied may ask again: what was in the way may be gone. */
const RETRY_MS = 5000;

export interface KeptRegistration {
  /** Each time that a request was accepted. */
  readonly accepted: (reply: RegistrationReply) => void;
  /** Each time that one was denied, or not answered. */
  readonly failed: (outcome: RegisterResult) => void;
  /** Ends it; the mobile is deregistered then. */
  readonly signal: AbortSignal;
}

/** Registers a mobile, and again before the lifetime is over, until it is told to end. Rejects with a system error. */
export async function keepRegistered(
  order: RegistrationOrder,
  settings: RegisterSettings,
  { accepted, failed, signal }: KeptRegistration,
): Promise<void> {
  while (!signal.aborted) {
    const outcome = await register(order, settings);
    const { result } = outcome;
    let waitMs = RETRY_MS;
    if (result.kind === "answered" && isAccepted(result.reply.code)) {
      accepted(result.reply);
      const lifetimeSeconds = Math.min(result.reply.lifetimeSeconds, order.lifetimeSeconds);
      waitMs = lifetimeSeconds === INFINITE_LIFETIME ? LONGEST_TIMER_MS : lifetimeSeconds * 1000 * RENEWED_AFTER;
    } else failed(outcome);
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
  await register({ ...order, lifetimeSeconds: 0 }, { ...settings, maximumTries: 1 });
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;
