/**
 * Registration Request and Registration Reply, RFC 5944 3.3 and 3.4.
 *
 * Request (24 bytes, then extensions)
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Type = 1    |S|B|D|M|G|r|T|x|          Lifetime             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Home Address                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                           Home Agent                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Care-of Address                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Identification                         |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Extensions ...
 *
 * Reply (20 bytes, then extensions): Type = 3, Code, Lifetime, Home Address, Home Agent, Identification.
 */
import type { Extension } from "./extension.ts";
import type { Ipv4Address } from "./ipv4.ts";

/** Flag bits of a Registration Request, by the letters of RFC 5944 3.3. */
export const RequestFlag = {
  /** Simultaneous bindings: keep the previous ones. */
  S: 0x80,
  /** Broadcast datagrams wanted. */
  B: 0x40,
  /** Decapsulation by the mobile node: the care-of address is co-located. */
  D: 0x20,
  /** Minimal encapsulation wanted. */
  M: 0x10,
  /** GRE encapsulation wanted. */
  G: 0x08,
  /** Reverse tunnelling wanted (RFC 3024). */
  T: 0x02,
} as const;

/** The lifetime value that means "infinity", RFC 5944 3.3. */
export const INFINITE_LIFETIME = 0xffff;

/** What both directions have in common. */
interface RegistrationMessage {
  /** Seconds; 0 deregisters or denies, `INFINITE_LIFETIME` never ends. */
  readonly lifetimeSeconds: number;
  readonly homeAddress: Ipv4Address;
  readonly homeAgent: Ipv4Address;
  /** 64 bits, RFC 5944 5.7. */
  readonly identification: bigint;
}

/** The fixed part of a Registration Request. */
export interface RequestFields extends RegistrationMessage {
  /** `RequestFlag` bits; the reserved bits r and x may be set and are ignored (docs/rfc5944.md). */
  readonly flags: number;
  readonly careOfAddress: Ipv4Address;
}

/** The fixed part of a Registration Reply. */
export interface ReplyFields extends RegistrationMessage {
  readonly code: number;
}

/** A decoded message remembers its bytes: authenticators cover ranges of them. */
export interface Decoded {
  readonly bytes: Uint8Array;
  /** In the order of the message; those of unknown skippable types included. */
  readonly extensions: readonly Extension[];
  /**
   * Set when decoding stopped at a malformed extension: `extensions` then holds those before it. The engine may still
   * authenticate the mobile by them and answer 134 (RFC 5944 3.4).
   */
  readonly fault?: DecodeFault;
}

export interface RegistrationRequest extends RequestFields, Decoded {}
export interface RegistrationReply extends ReplyFields, Decoded {}

/** Why a datagram, or the rest of it, could not be understood. Reasons are stable: they name counters. */
export interface DecodeFault {
  readonly reason:
    /** Shorter than the fixed part of its type. */
    | "truncated-message"
    /** The first byte names no message expected here. */
    | "unknown-message-type"
    /** An extension's length points past the end of the datagram. */
    | "truncated-extension"
    /** A known extension whose content cannot be right (e.g. an authentication extension too short for its SPI). */
    | "malformed-extension"
    /** Type 0-127 that we do not know: the whole message is to be discarded silently, RFC 5944 1.8. */
    | "unsupported-extension";
  /** Byte offset in the datagram. */
  readonly offset: number;
}

export type DecodeResult<T> = { readonly ok: true; readonly message: T } | { readonly ok: false; readonly fault: DecodeFault };
