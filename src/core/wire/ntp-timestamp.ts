/**
 * Timestamps in the 64-bit format of NTP, as the Identification field carries them (RFC 5944 5.7.1): seconds since 1900
 * in the high 32 bits, binary fraction of a second in the low 32.
 *
 * The seconds wrap in February 2036 and every 136 years after that. A timestamp therefore has a meaning only near a known
 * time, and comparisons are like those of sequence numbers: right as long as the two are less than 68 years apart.
 */

/** 1900-01-01 to 1970-01-01. */
const SECONDS_BEFORE_UNIX_EPOCH = 2_208_988_800;

/** NTP fractions per second. */
const FRACTIONS = 0x1_0000_0000;

/** `epochMs`: milliseconds since 1970; fractions of a millisecond are kept. */
export function ntpFromEpochMs(epochMs: number): bigint {
  const seconds = Math.floor(epochMs / 1000);
  const fraction = Math.round(((epochMs - seconds * 1000) / 1000) * FRACTIONS);
  return BigInt.asUintN(64, (BigInt(seconds + SECONDS_BEFORE_UNIX_EPOCH) << 32n) + BigInt(fraction));
}

/** Milliseconds since 1970, in the era that brings the timestamp nearest to `nearEpochMs`. */
export function epochMsFromNtp(timestamp: bigint, nearEpochMs: number): number {
  return nearEpochMs + (Number(timestampDifference(timestamp, ntpFromEpochMs(nearEpochMs))) * 1000) / FRACTIONS;
}

/** `later - earlier` in NTP fractions; negative if `later` is the earlier one. */
export function timestampDifference(later: bigint, earlier: bigint): bigint {
  return BigInt.asIntN(64, later - earlier);
}
