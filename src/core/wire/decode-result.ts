/**
 * Why a datagram, or the rest of it, could not be understood. Reasons are stable: they name counters.
 *
 * - `truncated-message`: shorter than the fixed part of its type.
 * - `unknown-message-type`: the first byte names no message expected here.
 * - `truncated-extension`: an extension's length points past the end of the datagram.
 * - `malformed-extension`: a known extension whose content cannot be right (e.g. too short for its SPI).
 * - `unsupported-extension`: its type is in 0-127 and unknown, so the whole message has to be discarded silently, RFC 5944
 * 1.8.
 */
export type DecodeFault = {
  /** Byte offset in the datagram. */
  readonly offset: number;
} & (
  | { readonly reason: "truncated-message" | "unknown-message-type" | "truncated-extension" | "malformed-extension" }
  | { readonly reason: "unsupported-extension" /** Of the extension. */; readonly type: number }
);

export type DecodeResult<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly fault: DecodeFault };
