/**
 * Frames of a stream cut the bytes between two members into a hello (core/protocol/stream-hello.ts) and messages
 * (core/protocol/stream-codec.ts): four bytes with the length of the body, then the body. A frame without a body says that the
 * sender is still there, and nothing else.
 */
import { ByteWriter } from "../layout/byte-cursor.ts";

/** What a receiver is ready to hold in memory for one message. Senders page. */
export const MAXIMUM_BODY_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 4;
/** No short body is longer. */
const EXPECTED_BYTES = 256;

/** The body is longer than the receiver takes. */
export class FrameTooLargeError extends Error {
  override readonly name = "FrameTooLargeError";

  constructor(bodyBytes: number) {
    super(`stream frame with a body of ${bodyBytes} bytes`);
  }
}

/** A frame with what `writeBody` writes. Throws `FrameTooLargeError`. */
export function encodeStreamFrame(writeBody: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(EXPECTED_BYTES).u32(0);
  writeBody(writer);
  const frame = writer.written();
  const bodyBytes = frame.length - HEADER_BYTES;
  if (bodyBytes > MAXIMUM_BODY_BYTES) throw new FrameTooLargeError(bodyBytes);
  frame.writeUInt32BE(bodyBytes);
  return frame;
}

/** Finds the frames in what arrives in pieces of any size. Never holds more than one unfinished frame, and one piece. */
export class FrameSplitter {
  readonly #maximumBodyBytes: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** So many bytes have to be there before another look is worthwhile. */
  #neededBytes = HEADER_BYTES;

  constructor(maximumBodyBytes: number) {
    this.#maximumBodyBytes = maximumBodyBytes;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** The body of the next frame, as soon as it is complete. Throws `FrameTooLargeError`, after which there is no going on. */
  take(): Uint8Array | undefined {
    if (this.#bytes < this.#neededBytes) return undefined;
    const joined = this.rest();
    const bodyBytes = Buffer.from(joined.buffer, joined.byteOffset, HEADER_BYTES).readUInt32BE();
    if (bodyBytes > this.#maximumBodyBytes) throw new FrameTooLargeError(bodyBytes);
    this.#neededBytes = HEADER_BYTES + bodyBytes;
    if (this.#bytes < this.#neededBytes) return undefined;
    this.#pieces = [joined.subarray(this.#neededBytes)];
    this.#bytes -= this.#neededBytes;
    const body = joined.subarray(HEADER_BYTES, this.#neededBytes);
    this.#neededBytes = HEADER_BYTES;
    return body;
  }

  /** What has come and was not taken. */
  rest(): Uint8Array {
    const [first] = this.#pieces;
    if (first !== undefined && this.#pieces.length === 1) return first;
    const joined = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [joined];
    return joined;
  }
}
