import { ExtensionType } from "./extension.ts";
import { encodeLongExtension, encodeTlvExtension } from "./extension-header.ts";
import { encodeNai } from "./nai.ts";

/**
 * Bytes of an authenticator: both algorithms in use are MD5. The length field is itself covered, so it must be known before
 * signing.
 */
const AUTHENTICATOR_LENGTH = 16;

/** The largest UDP payload over IPv4. */
const MAXIMUM_MESSAGE_LENGTH = 65507;

/** What an RFC 3115 extension carries. */
export interface VendorContent {
  readonly vendorId: number;
  readonly vendorType: number;
  readonly value: Uint8Array;
}

/**
 * Assembles a message: the fixed part, then extensions in the order of the calls, which is the order that
 * RFC 5944 3.6.1.3 and 3.8.3.3 ask for. Each call returns the writer.
 */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** `beginning` is the fixed part, or a message that gets more extensions. It is copied. */
  constructor(beginning: Uint8Array) {
    this.#push(beginning);
  }

  /** An extension in type-length-value format. Throws a RangeError if `value` is longer than 255 bytes. */
  append(type: number, value: Uint8Array): this {
    return this.#push(encodeTlvExtension(type, value));
  }

  /** RFC 2794 2. Throws a TypeError if the text is no NAI. */
  appendNai(nai: string): this {
    const value = encodeNai(nai);
    if (value === undefined) throw new TypeError(`not a network access identifier: ${JSON.stringify(nai)}`);
    return this.append(ExtensionType.Nai, value);
  }

  /** RFC 3115 2.1 (`critical`) or 2.2. Throws a RangeError if `value` does not fit. */
  appendVendor(criticality: "critical" | "normal", content: VendorContent): this {
    const reservedLength = criticality === "critical" ? 0 : 2;
    const data = new Uint8Array(reservedLength + 6 + content.value.length);
    const view = new DataView(data.buffer, reservedLength);
    view.setUint32(0, content.vendorId);
    view.setUint16(4, content.vendorType);
    data.set(content.value, reservedLength + 6);
    if (criticality === "normal") return this.append(ExtensionType.NormalVendor, data);
    return this.#push(encodeLongExtension(ExtensionType.CriticalVendor, 0, data));
  }

  /**
   * An authentication extension, RFC 5944 3.5.2 - 3.5.4. `sign` gets what the authenticator covers (RFC 5944 3.5.1):
   * everything before it, with type, length and SPI of this extension, and returns `AUTHENTICATOR_LENGTH` bytes.
   */
  appendAuthentication(type: number, spi: number, sign: (covered: Uint8Array) => Uint8Array): this {
    const header = new Uint8Array(6);
    const view = new DataView(header.buffer);
    view.setUint8(0, type);
    view.setUint8(1, 4 + AUTHENTICATOR_LENGTH);
    view.setUint32(2, spi);
    const covered = this.#push(header).finish();
    const authenticator = sign(covered);
    if (authenticator.length !== AUTHENTICATOR_LENGTH) {
      throw new RangeError(`authenticator of ${authenticator.length} bytes, expected ${AUTHENTICATOR_LENGTH}`);
    }
    return this.#push(authenticator);
  }

  /** The message so far. Throws a RangeError if it does not fit into a UDP datagram. */
  finish(): Uint8Array {
    if (this.#length > MAXIMUM_MESSAGE_LENGTH) throw new RangeError(`${this.#length} bytes exceed a UDP datagram`);
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}
