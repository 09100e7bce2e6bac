/**
 * Extensions of registration messages: the three formats of RFC 5944 1.9 - 1.11, and the kinds that Anyhome understands.
 */

/** Extension type numbers (IANA, "Extensions to Mobile IP Messages"). */
export const ExtensionType = {
  /** One byte, without a length. */
  Pad: 0,
  MobileHomeAuthentication: 32,
  MobileForeignAuthentication: 33,
  ForeignHomeAuthentication: 34,
  /** RFC 3115. */
  CriticalVendor: 38,
  /** RFC 2794. */
  Nai: 131,
  /** RFC 3115. */
  NormalVendor: 134,
} as const;

/** Where the extension stands in the datagram: `[offset, end)`. */
interface Located {
  readonly type: number;
  readonly offset: number;
  readonly end: number;
}

/** RFC 5944 3.5.2 - 3.5.4. The authenticator covers the datagram's bytes `[0, coveredEnd)`, i.e. type, length and SPI of this extension too. */
export interface AuthenticationExtension extends Located {
  readonly kind: "authentication";
  readonly spi: number;
  readonly coveredEnd: number;
  readonly authenticator: Uint8Array;
}

/** RFC 2794 2. */
export interface NaiExtension extends Located {
  readonly kind: "nai";
  readonly nai: string;
}

/** RFC 3115: critical (38) and normal (134). */
export interface VendorExtension extends Located {
  readonly kind: "vendor";
  readonly vendorId: number;
  readonly vendorType: number;
  readonly value: Uint8Array;
}

/** A skippable type (128-255) that we do not know; kept so that relays and traces can show it. */
export interface SkippedExtension extends Located {
  readonly kind: "skipped";
  readonly value: Uint8Array;
}

export type Extension = AuthenticationExtension | NaiExtension | VendorExtension | SkippedExtension;
