/** Extensions of registration messages: the kinds that Anyhome understands, and how they are found in a datagram. */
import type { DecodeFault } from "./decode-result.ts";
import { decodeLongExtension, decodeTlvExtension, type RawExtension } from "./extension-header.ts";
import type { Ipv4Address } from "./ipv4.ts";
import { decodeNai } from "./nai.ts";

/** Extension type numbers (IANA, "Extensions to Mobile IP Messages"). */
export const ExtensionType = {
  /** A single byte, without a length. */
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
  /** RFC 4433. */
  DynamicHomeAgent: 139,
} as const;

/** Where the extension stands in the datagram: `[offset, end)`. */
interface Located {
  readonly type: number;
  readonly offset: number;
  readonly end: number;
}

/**
 * RFC 5944 3.5.2 - 3.5.4. The authenticator covers the datagram's bytes `[0, coveredEnd)`, i.e. type, length and SPI of
 * this extension too.
 */
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

/** RFC 4433 3.4. */
export interface DynamicHomeAgentExtension extends Located {
  readonly kind: "dynamic-home-agent";
  readonly subtype: DynamicHomeAgentSubtype;
  readonly homeAgent: Ipv4Address;
}

/** RFC 4433 3.4.1: where the mobile wishes to be anchored; 3.4.2: where it should register instead. */
export type DynamicHomeAgentSubtype = "requested" | "redirected";

/** A skippable type (128-255) or subtype that is unknown; it is kept so that relays and traces can show it. */
export interface SkippedExtension extends Located {
  readonly kind: "skipped";
  readonly value: Uint8Array;
}

export type Extension =
  | AuthenticationExtension
  | NaiExtension
  | VendorExtension
  | DynamicHomeAgentExtension
  | SkippedExtension;

/** The extensions of a datagram, in their order. */
export type DecodedExtensions =
  /** Understood, except for what `fault` describes. */
  | { readonly ok: true; readonly extensions: readonly Extension[]; readonly fault?: DecodeFault }
  /** The whole message has to be discarded silently. */
  | { readonly ok: false; readonly fault: DecodeFault };

/** Types below this are not skippable, RFC 5944 1.8. */
const FIRST_SKIPPABLE_TYPE = 128;

const dynamicHomeAgentSubtypes: ReadonlyMap<number, DynamicHomeAgentSubtype> = new Map([
  [1, "requested"],
  [2, "redirected"],
]);

const ADDRESS_LENGTH = 4;
const SPI_LENGTH = 4;
const VENDOR_ID_LENGTH = 4;
const VENDOR_TYPE_LENGTH = 2;

/**
 * Reads the extensions from `start` to the end of the datagram.
 *
 * A malformed extension whose end is known does not hide those after it: the mobile can still be authenticated by them
 * and told what is wrong (134), and a type that forbids any answer still does so. The first fault is reported.
 */
export function decodeExtensions(bytes: Uint8Array, start: number): DecodedExtensions {
  const extensions: Extension[] = [];
  let fault: DecodeFault | undefined;
  let offset = start;
  while (offset < bytes.length) {
    const type = bytes[offset] ?? 0;
    if (type === ExtensionType.Pad) {
      offset += 1;
      continue;
    }
    const read = readers.get(type) ?? (type < FIRST_SKIPPABLE_TYPE ? undefined : readSkipped);
    if (read === undefined) return { ok: false, fault: { reason: "unsupported-extension", offset, type } };
    const raw = hasLongFormat(bytes, offset) ? decodeLongExtension(bytes, offset) : decodeTlvExtension(bytes, offset);
    if (raw === undefined) {
      fault ??= { reason: "truncated-extension", offset };
      break;
    }
    const extension = read(raw, offset);
    if (extension === undefined) fault ??= { reason: "malformed-extension", offset };
    else extensions.push(extension);
    offset = raw.end;
  }
  return fault === undefined ? { ok: true, extensions } : { ok: true, extensions, fault };
}

/** Whether the extension is ignored silently, because its type, subtype or vendor is unknown. */
export function isPassedOver({ kind, type }: Extension): boolean {
  return kind === "skipped" || type === ExtensionType.NormalVendor;
}

/**
 * RFC 3115 2.1 gives the critical vendor extension the long format. RFC 4433 3.4 draws the one for dynamic home agents in
 * it as well, although its type is skippable; other implementations write the short format, whose length of 5 is no
 * subtype.
 */
function hasLongFormat(bytes: Uint8Array, offset: number): boolean {
  const [type, subtype = 0, lengthHigh, lengthLow] = bytes.subarray(offset, offset + 4);
  if (type !== ExtensionType.DynamicHomeAgent) return type === ExtensionType.CriticalVendor;
  return dynamicHomeAgentSubtypes.has(subtype) && lengthHigh === 0 && lengthLow === ADDRESS_LENGTH;
}

/** Decodes one extension that starts at `offset`; `undefined` if its content can't be right. */
type Reader = (raw: RawExtension & { readonly subtype?: number }, offset: number) => Extension | undefined;

const readers: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [ExtensionType.MobileHomeAuthentication, readAuthentication],
  [ExtensionType.MobileForeignAuthentication, readAuthentication],
  [ExtensionType.ForeignHomeAuthentication, readAuthentication],
  [ExtensionType.Nai, readNai],
  [ExtensionType.CriticalVendor, (raw, offset) => readVendor(raw, raw.data, offset)],
  // RFC 3115 2.2: two reserved bytes come first.
  [ExtensionType.NormalVendor, (raw, offset) => readVendor(raw, raw.data.subarray(2), offset)],
  [ExtensionType.DynamicHomeAgent, readDynamicHomeAgent],
]);

function readAuthentication({ type, data, end }: RawExtension, offset: number): AuthenticationExtension | undefined {
  if (data.length < SPI_LENGTH) return undefined;
  const authenticator = data.subarray(SPI_LENGTH);
  return {
    kind: "authentication",
    type,
    offset,
    end,
    spi: readUint32(data, 0),
    coveredEnd: end - authenticator.length,
    authenticator,
  };
}

function readNai({ type, data, end }: RawExtension, offset: number): NaiExtension | undefined {
  const nai = decodeNai(data);
  return nai === undefined ? undefined : { kind: "nai", type, offset, end, nai };
}

function readVendor({ type, end }: RawExtension, content: Uint8Array, offset: number): VendorExtension | undefined {
  if (content.length < VENDOR_ID_LENGTH + VENDOR_TYPE_LENGTH) return undefined;
  const vendorType = ((content[VENDOR_ID_LENGTH] ?? 0) << 8) | (content[VENDOR_ID_LENGTH + 1] ?? 0);
  const value = content.subarray(VENDOR_ID_LENGTH + VENDOR_TYPE_LENGTH);
  return { kind: "vendor", type, offset, end, vendorId: readUint32(content, 0), vendorType, value };
}

function readDynamicHomeAgent(
  { type, subtype, data, end }: Parameters<Reader>[0],
  offset: number,
): DynamicHomeAgentExtension | SkippedExtension {
  const [subtypeNumber = 0, address] = subtype === undefined ? [data[0], data.subarray(1)] : [subtype, data];
  const use = dynamicHomeAgentSubtypes.get(subtypeNumber);
  if (use === undefined || address.length !== ADDRESS_LENGTH) return readSkipped({ type, data, end }, offset);
  const homeAgent = readUint32(address, 0) as Ipv4Address;
  return { kind: "dynamic-home-agent", type, offset, end, subtype: use, homeAgent };
}

function readSkipped({ type, data, end }: RawExtension, offset: number): SkippedExtension {
  return { kind: "skipped", type, offset, end, value: data };
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset);
}
