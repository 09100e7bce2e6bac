import { joinIdentification } from "../core/wire/identification.ts";
import { epochMsFromNtp, ntpFromEpochMs, timestampDifference } from "../core/wire/ntp-timestamp.ts";
import type { ReplyFields } from "../core/wire/registration-message.ts";
import { ReplyCode } from "../core/wire/reply-code.ts";

export type ReplayStyle = "timestamps" | "nonces";

/** A random unsigned 32-bit number. */
export type Random32 = () => number;

/**
 * A millisecond in NTP fractions has slightly more than this many bits, which a clock in milliseconds leaves to be chosen
 * at random.
 */
const RANDOM_BITS = 22n;

/** Half a second, in NTP fractions: a clock of whole seconds is on average this much too early. */
const HALF_A_SECOND = 0x8000_0000n;

/** Chooses the Identification of a mobile node's requests, RFC 5944 5.7, and learns from the replies. */
export class IdentificationSource {
  readonly #style: ReplayStyle;
  readonly #random: Random32;
  #last: bigint | undefined;
  /** The home agent's clock minus ours, in NTP fractions. */
  #clockOffset = 0n;
  /** The high 32 bits that the home agent expects; low 32 bits zero. */
  #nonce: bigint | undefined;

  constructor(style: ReplayStyle, random: Random32) {
    this.#style = style;
    this.#random = random;
  }

  /** Timestamps exceed all earlier ones; nonces come with low bits that differ from the last ones. */
  next(nowMs: number): bigint {
    const identification = this.#style === "timestamps" ? this.#nextTimestamp(nowMs) : this.#nextNonce();
    this.#last = identification;
    return identification;
  }

  /** Learns from an authentic reply of the home agent. */
  learn({ code, identification }: ReplyFields, nowMs: number): void {
    if (this.#style === "nonces") {
      this.#nonce = joinIdentification(identification, 0n);
    } else if (code === ReplyCode.IdentificationMismatch) {
      const clock = joinIdentification(identification, HALF_A_SECOND);
      this.#clockOffset = timestampDifference(clock, ntpFromEpochMs(nowMs));
      // Timestamps may go back here, as later ones are not compared with a refused one (RFC 5944 5.7.1).
      this.#last = undefined;
    }
  }

  /** How far the home agent's clock is ahead of ours, as far as it has reported that. */
  clockOffsetMs(nowMs: number): number {
    return Math.round(epochMsFromNtp(ntpFromEpochMs(nowMs) + this.#clockOffset, nowMs) - nowMs);
  }

  #nextTimestamp(nowMs: number): bigint {
    const chance = BigInt.asUintN(Number(RANDOM_BITS), BigInt(this.#random()));
    const clock = ((ntpFromEpochMs(nowMs) + this.#clockOffset) >> RANDOM_BITS) << RANDOM_BITS;
    const timestamp = BigInt.asUintN(64, clock | chance);
    if (this.#last === undefined || timestampDifference(timestamp, this.#last) > 0n) return timestamp;
    return BigInt.asUintN(64, this.#last + 1n);
  }

  #nextNonce(): bigint {
    const nonce = this.#nonce ?? BigInt(this.#random()) << 32n;
    const lowBits = BigInt(this.#random());
    const candidate = joinIdentification(nonce, lowBits);
    return candidate === this.#last ? joinIdentification(nonce, lowBits + 1n) : candidate;
  }
}
