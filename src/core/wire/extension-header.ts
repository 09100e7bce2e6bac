/**
 * The three header formats of extensions. The type number decides which one applies; a receiver that does not know a
 * skippable type reads it as type-length-value, which is why the short format agrees with that one up to the length.
 *
 * Type-length-value, RFC 5944 1.9                  Short, RFC 5944 1.11 (Length = 1 + data)
 *
 *    0                   1                   2        0                   1                   2
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |    Length     |    Data ...   |     Type      |    Length     |   Sub-Type    | Data ...
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Long, RFC 5944 1.10 (Length = data; only for types 0-127)
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |     Type      |   Sub-Type    |            Length             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Data ...
 */

/** One extension, cut out of a datagram. */
export interface RawExtension {
  readonly type: number;
  /** A view of the datagram, not a copy. */
  readonly data: Uint8Array;
  /** Offset in the datagram of the byte after the extension. */
  readonly end: number;
}

export interface RawSubtypedExtension extends RawExtension {
  readonly subtype: number;
}

const TLV_HEADER_LENGTH = 2;
const SHORT_HEADER_LENGTH = 3;
const LONG_HEADER_LENGTH = 4;

/** `undefined` where the header or the data would reach past the end of the datagram. */
export function decodeTlvExtension(bytes: Uint8Array, offset: number): RawExtension | undefined {
  const type = bytes[offset];
  const length = bytes[offset + 1];
  if (type === undefined || length === undefined) return undefined;
  const dataStart = offset + TLV_HEADER_LENGTH;
  const end = dataStart + length;
  return end > bytes.length ? undefined : { type, data: bytes.subarray(dataStart, end), end };
}

/** `undefined` where the extension would reach past the end of the datagram, or its length leaves no room for the subtype. */
export function decodeShortExtension(bytes: Uint8Array, offset: number): RawSubtypedExtension | undefined {
  const extension = decodeTlvExtension(bytes, offset);
  const subtype = extension?.data[0];
  if (extension === undefined || subtype === undefined) return undefined;
  return { type: extension.type, subtype, data: extension.data.subarray(1), end: extension.end };
}

/** `undefined` where the header or the data would reach past the end of the datagram. */
export function decodeLongExtension(bytes: Uint8Array, offset: number): RawSubtypedExtension | undefined {
  const [type, subtype, lengthHigh, lengthLow] = bytes.subarray(offset, offset + LONG_HEADER_LENGTH);
  if (type === undefined || subtype === undefined || lengthHigh === undefined || lengthLow === undefined)
    return undefined;
  const dataStart = offset + LONG_HEADER_LENGTH;
  const end = dataStart + ((lengthHigh << 8) | lengthLow);
  return end > bytes.length ? undefined : { type, subtype, data: bytes.subarray(dataStart, end), end };
}

/** Throws a RangeError if `data` is longer than 255 bytes. */
export function encodeTlvExtension(type: number, data: Uint8Array): Uint8Array {
  return concatenate([type, checkedLength(data.length, 0xff)], data);
}

/** Throws a RangeError if `data` is longer than 254 bytes. */
export function encodeShortExtension(type: number, subtype: number, data: Uint8Array): Uint8Array {
  return concatenate([type, checkedLength(data.length + SHORT_HEADER_LENGTH - TLV_HEADER_LENGTH, 0xff), subtype], data);
}

/** Throws a RangeError if `data` is longer than 65535 bytes. */
export function encodeLongExtension(type: number, subtype: number, data: Uint8Array): Uint8Array {
  const length = checkedLength(data.length, 0xffff);
  return concatenate([type, subtype, length >>> 8, length & 0xff], data);
}

function checkedLength(length: number, maximum: number): number {
  if (length > maximum) throw new RangeError(`extension of length ${length}, at most ${maximum} can be expressed`);
  return length;
}

function concatenate(header: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(header.length + data.length);
  bytes.set(header);
  bytes.set(data, header.length);
  return bytes;
}
