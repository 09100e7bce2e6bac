/** The streams to other members: messages are said as bytes, and bytes that come in, cut anywhere, are read as messages. */
import { LayoutError } from "../layout/byte-cursor.ts";
import type { MemberId } from "../names.ts";
import { decodeStreamMessage, encodeStreamMessage } from "../protocol/stream-codec.ts";
import { FrameSplitter, FrameTooLargeError, MAXIMUM_BODY_BYTES } from "../protocol/stream-frame.ts";
import type { StreamMessage } from "../protocol/stream-messages.ts";
import type { Emit, StreamEnd } from "./io.ts";

export class PeerStreams {
  readonly #emit: Emit;
  /** Of the streams that are open. */
  readonly #splitters = new Map<MemberId, FrameSplitter>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  opened(peer: MemberId): void {
    this.#splitters.set(peer, new FrameSplitter(MAXIMUM_BODY_BYTES));
  }

  closed(peer: MemberId): void {
    this.#splitters.delete(peer);
  }

  /** Dropped where there is no stream. */
  send(to: MemberId, message: StreamMessage): void {
    if (!this.#splitters.has(to)) return;
    try {
      this.#emit({ type: "stream", to, bytes: encodeStreamMessage(message) });
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      this.end(to, "message-too-large");
    }
  }

  /** The messages that are complete with these bytes. What can't be read ends the stream: what follows it makes no sense. */
  read(from: MemberId, bytes: Uint8Array): StreamMessage[] {
    const messages: StreamMessage[] = [];
    const splitter = this.#splitters.get(from);
    if (splitter === undefined) return messages;
    splitter.push(bytes);
    try {
      for (let body = splitter.take(); body !== undefined; body = splitter.take())
        if (body.length > 0) messages.push(decodeStreamMessage(body));
    } catch (error) {
      if (error instanceof FrameTooLargeError) this.end(from, "frame-too-large");
      else if (error instanceof LayoutError) this.end(from, "malformed-message");
      else throw error;
    }
    return messages;
  }

  /** A stream with a gap is worse than none: what was said in it would never be said again. */
  end(peer: MemberId, reason: StreamEnd): void {
    if (this.#splitters.delete(peer)) this.#emit({ type: "end-stream", to: peer, reason });
  }
}
