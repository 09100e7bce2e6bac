/**
 * Replay protection of RFC 5944 5.7: whether a request's Identification is new, and what goes into that of the reply.
 *
 * Nonces are not stored. The nonce that a mobile must use next is a keyed hash of the Identification that it last had
 * accepted, so it changes with every accepted request, can't be computed in advance by others, and is known to every member
 * with the mobile's row and the cluster's key: one that takes the mobile over, or this one after a restart. A mobile
 * without a row gets a nonce of the hour. docs/rfc5944.md says why this is as good as a random one.
 */
import { createHmac, type KeyObject } from "node:crypto";
import type { ReplayProtection } from "../auth/association.ts";
import type { Registration } from "../bindings/binding.ts";
import type { MobileKey } from "../names.ts";
import { joinIdentification } from "../wire/identification.ts";
import { epochMsFromNtp, ntpFromEpochMs, timestampDifference } from "../wire/ntp-timestamp.ts";

/** A nonce for mobiles without a row is good for the rest of its hour and the next. */
const NONCE_BUCKET_MS = 3_600_000;

/** For how long after its acceptance a request could be taken for a new one by the same clock if it were forgotten. */
export function replayableMs(replay: ReplayProtection): number {
  // A timestamp may be ahead by the window when it is accepted, and behind by the window at the end.
  return 2 * (replay.style === "timestamps" ? replay.windowMs : NONCE_BUCKET_MS);
}

/** The mobile whose Identification is in question. */
export interface Subject {
  readonly replay: ReplayProtection;
  readonly mobile: MobileKey;
  /** What was last accepted from it. */
  readonly last: Registration | undefined;
}

export class IdentificationRules {
  readonly #nonceKey: KeyObject;

  /** `nonceKey`: the same on all members of the cluster. */
  constructor(nonceKey: KeyObject) {
    this.#nonceKey = nonceKey;
  }

  /**
   * `runningMs`: how long this member has been running. It may not know what others accepted before, and they may be gone,
   * so a timestamp from before its start proves no more than one from outside the window.
   */
  isFresh(subject: Subject, identification: bigint, nowMs: number, runningMs: number): boolean {
    const { replay, last } = subject;
    if (replay.style === "nonces") {
      return this.#acceptableNonces(subject, nowMs).some((nonce) => nonce === highBits(identification));
    }
    const aheadMs = epochMsFromNtp(identification, nowMs) - nowMs;
    if (aheadMs > replay.windowMs || aheadMs < -Math.min(replay.windowMs, runningMs)) return false;
    return last === undefined || timestampDifference(identification, latestTimestamp(last, replay.windowMs)) > 0n;
  }

  /**
   * Whether it is within the window by some clock that is no further than `skewMs` from this one. If it is outside, it can
   * only be a repetition, or come from a mobile whose clock is wrong.
   */
  isTimely(replay: ReplayProtection, identification: bigint, nowMs: number, skewMs: number): boolean {
    if (replay.style === "nonces") return true;
    return Math.abs(epochMsFromNtp(identification, nowMs) - nowMs) <= replay.windowMs + skewMs;
  }

  /**
   * For every reply except those to a mismatch. With nonces the high 32 bits are the nonce to use next (RFC 5944 5.7.2).
   */
  inReply(subject: Subject, identification: bigint, nowMs: number): bigint {
    if (subject.replay.style === "timestamps") return identification;
    const [nonce = 0n] = this.#acceptableNonces(subject, nowMs);
    return joinIdentification(nonce << 32n, identification);
  }

  /** For code 133: what the mobile needs to synchronize, our clock (RFC 5944 5.7.1) or the nonce to use next. */
  inMismatchReply(subject: Subject, identification: bigint, nowMs: number): bigint {
    if (subject.replay.style === "nonces") return this.inReply(subject, identification, nowMs);
    return joinIdentification(ntpFromEpochMs(nowMs), identification);
  }

  /** The valid nonces; the first is the one to hand out. */
  #acceptableNonces({ mobile, last }: Subject, nowMs: number): bigint[] {
    if (last !== undefined) return [this.#nonce("after", last.identification, mobile)];
    const bucket = BigInt(Math.floor(nowMs / NONCE_BUCKET_MS));
    return [this.#nonce("hour", bucket, mobile), this.#nonce("hour", bucket - 1n, mobile)];
  }

  #nonce(purpose: "after" | "hour", value: bigint, mobile: MobileKey): bigint {
    const input = `${purpose} ${BigInt.asUintN(64, value).toString(16)} ${mobile}`;
    return BigInt(createHmac("sha256", this.#nonceKey).update(input).digest().readUInt32BE(0));
  }
}

/**
 * What a timestamp must exceed. If the last accepted request had a nonce, because the mobile's association was changed, a
 * timestamp from before it could still be ahead of our clock by the window.
 */
function latestTimestamp(last: Registration, windowMs: number): bigint {
  return last.replayStyle === "timestamps" ? last.identification : ntpFromEpochMs(last.acceptedAtMs + windowMs);
}

function highBits(identification: bigint): bigint {
  return identification >> 32n;
}
