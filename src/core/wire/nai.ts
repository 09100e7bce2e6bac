/** Network Access Identifiers, `user@realm`: RFC 4282 as carried by RFC 2794. */

/** RFC 4282 2.3: the longest NAI that AAA protocols can carry. */
const MAXIMUM_NAI_LENGTH = 253;

/** No spaces, control characters, or unassigned code points (RFC 4282 2.1 allows UTF-8), and a realm is not empty. */
const WELL_FORMED = /^[^\p{C}\p{Z}]*[^\p{C}\p{Z}@]$/u;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** `undefined` if the bytes are no NAI: empty, too long, not UTF-8, or not printable. */
export function decodeNai(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAXIMUM_NAI_LENGTH) return undefined;
  let nai: string;
  try {
    nai = utf8Decoder.decode(bytes);
  } catch {
    return undefined;
  }
  return WELL_FORMED.test(nai) ? nai : undefined;
}

/** `undefined` if the text is no NAI, by the rules of `decodeNai`. */
export function encodeNai(nai: string): Uint8Array | undefined {
  const bytes = utf8Encoder.encode(nai);
  return decodeNai(bytes) === nai ? bytes : undefined;
}

/** The form in which equal NAIs are equal strings: realms are domain names, so their case does not count (RFC 4282 2.4). */
export function canonicalNai(nai: string): string {
  const realmStart = nai.lastIndexOf("@") + 1;
  return realmStart === 0 ? nai : nai.slice(0, realmStart) + nai.slice(realmStart).toLowerCase();
}

/** The canonical realm; `undefined` for an NAI that is a bare user name. */
export function realmOf(nai: string): string | undefined {
  const realmStart = nai.lastIndexOf("@") + 1;
  return realmStart === 0 ? undefined : nai.slice(realmStart).toLowerCase();
}
