/** Messages on a stream: one byte of type, then the fields of its table, as the body of a frame. */
import { ByteReader, LayoutError } from "../layout/byte-cursor.ts";
import { encodeStreamFrame } from "./stream-frame.ts";
import { STREAM_MESSAGES, type StreamMessage } from "./stream-messages.ts";

/** A whole frame. Throws `FrameTooLargeError`, and a RangeError for numbers that have no room in their fields. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  return encodeStreamFrame((writer) => {
    writer.u8(STREAM_MESSAGES.numberOf(message));
    STREAM_MESSAGES.write(writer, message);
  });
}

/** The body of a frame. Throws a LayoutError. Nothing may follow the last field: members agree on a version before the first message. */
export function decodeStreamMessage(body: Uint8Array): StreamMessage {
  const reader = new ByteReader(body);
  const message = STREAM_MESSAGES.read(reader.u8(), reader);
  if (!reader.isAtEnd) throw new LayoutError(`${message.type} message longer than its fields`);
  return message;
}
