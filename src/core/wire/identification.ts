/**
 * The Identification field, RFC 5944 5.7. Its low 32 bits go unchanged from the request to the reply; foreign agents and
 * mobiles match by them. Its high 32 bits are the clock or the nonce by which a mobile synchronises with its home agent.
 */

/** The part by which a reply is matched to its request, RFC 5944 5.7. */
export function lowBits(identification: bigint): number {
  return Number(BigInt.asUintN(32, identification));
}

/** The high 32 bits of one, the low 32 bits of another: how replies of RFC 5944 5.7.1 (code 133) and 5.7.2 are formed. */
export function joinIdentification(highBitsOf: bigint, lowBitsOf: bigint): bigint {
  return (BigInt.asUintN(64, highBitsOf) & ~0xffffffffn) | BigInt.asUintN(32, lowBitsOf);
}

/** `0x` and 16 hexadecimal digits. */
export function formatIdentification(identification: bigint): string {
  return `0x${BigInt.asUintN(64, identification).toString(16).padStart(16, "0")}`;
}
