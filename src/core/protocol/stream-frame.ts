/**
 * Frames of a stream: what cuts the bytes between two members into messages.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |              Length of the body, at most 4 MiB                |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Body: first a hello (core/protocol/stream-hello.ts), then messages   |
 *   |  (core/protocol/stream-codec.ts) ...                            |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * A frame without a body says that the sender is still there, and nothing else.
 */

/** What a receiver is ready to hold in memory for one message. Senders page. */
export const MAXIMUM_BODY_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 4;

/** The body is longer than the receiver takes. */
export class FrameTooLargeError extends Error {
  override readonly name = "FrameTooLargeError";

  constructor(bodyBytes: number) {
    super(`stream frame with a body of ${bodyBytes} bytes`);
  }
}

/** Throws `FrameTooLargeError`. */
export function encodeStreamFrame(body: Uint8Array): Uint8Array {
  if (body.length > MAXIMUM_BODY_BYTES) throw new FrameTooLargeError(body.length);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** Finds the frames in what arrives in pieces of any size. Never holds more than one unfinished frame, and one piece. */
export class FrameSplitter {
  #maximumBodyBytes: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** So many bytes have to be there before another look is worthwhile. */
  #neededBytes = HEADER_BYTES;

  constructor(maximumBodyBytes = MAXIMUM_BODY_BYTES) {
    this.#maximumBodyBytes = maximumBodyBytes;
  }

  /** From the next header on. */
  allow(maximumBodyBytes: number): void {
    this.#maximumBodyBytes = maximumBodyBytes;
  }

  /** The bodies that are complete now. Throws `FrameTooLargeError`, after which there is no going on. */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#neededBytes) return;
    let rest = Buffer.concat(this.#pieces, this.#bytes);
    this.#neededBytes = HEADER_BYTES;
    while (rest.length >= HEADER_BYTES) {
      const bodyBytes = rest.readUInt32BE();
      if (bodyBytes > this.#maximumBodyBytes) throw new FrameTooLargeError(bodyBytes);
      this.#neededBytes = HEADER_BYTES + bodyBytes;
      if (rest.length < this.#neededBytes) break;
      yield rest.subarray(HEADER_BYTES, this.#neededBytes);
      rest = rest.subarray(this.#neededBytes);
      this.#neededBytes = HEADER_BYTES;
    }
    this.#pieces = [rest];
    this.#bytes = rest.length;
  }
}
