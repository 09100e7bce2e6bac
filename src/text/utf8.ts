/** Text read from files: bytes that aren't UTF-8 are refused instead of being replaced. */

import { isUtf8 } from "node:buffer";

export type DecodedText =
  | { readonly ok: true; readonly text: string }
  /** `offset`: of the first byte that can't be. */
  | { readonly ok: false; readonly offset: number; readonly problem: string };

/** A byte-order mark is left in the text. */
export function decodeUtf8(bytes: Uint8Array): DecodedText {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return { ok: false, offset: 0, problem: "is UTF-16, not UTF-8" };
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (isUtf8(bytes)) return { ok: true, text };
  // What can't be decoded has become U+FFFD, which is encoded otherwise.
  const again = new TextEncoder().encode(text);
  return { ok: false, offset: bytes.findIndex((byte, index) => again[index] !== byte), problem: "is not UTF-8" };
}

/** Such as `U+00A0`, of the character that a text begins with. */
export function codePointName(text: string): string {
  return `U+${(text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}
