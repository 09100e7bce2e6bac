/** Reads the records of a recording, one after the other. */
import { createReadStream } from "node:fs";
import { deserialize } from "node:v8";
import {
  LENGTH_BYTES,
  MAXIMUM_RECORD_BYTES,
  RECORDING_FORMAT,
  type RecordedItem,
  type RecordedStart,
} from "./recording.ts";

export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/**
 * The first item is the start. A daemon that was killed leaves the last record cut off: it is left out.
 *
 * @throws RecordingError if it is no recording, of another format, or damaged; what the file system says
 */
export async function* readRecording(path: string): AsyncGenerator<RecordedItem> {
  let isFirst = true;
  for await (const body of bodiesOf(path)) {
    const item = itemOf(body);
    if (isFirst && !isStart(item)) throw new RecordingError("this is no recording of this version of Anyhome");
    isFirst = false;
    yield item;
  }
  if (isFirst) throw new RecordingError("there is nothing in this recording");
}

/** Rejects as `readRecording` throws. */
export async function readStart(path: string): Promise<RecordedStart> {
  for await (const item of readRecording(path)) if (isStart(item)) return item;
  throw new RecordingError("there is nothing in this recording");
}

export function isStart(item: RecordedItem): item is RecordedStart {
  return "format" in item && item.format === RECORDING_FORMAT;
}

async function* bodiesOf(path: string): AsyncGenerator<Uint8Array> {
  let waiting = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    waiting = Buffer.concat([waiting, chunk as Buffer]);
    let at = 0;
    while (waiting.length - at >= LENGTH_BYTES) {
      const length = waiting.readUInt32BE(at);
      if (length > MAXIMUM_RECORD_BYTES) throw new RecordingError("this is no recording, or a damaged one");
      const end = at + LENGTH_BYTES + length;
      if (waiting.length < end) break;
      yield waiting.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    waiting = waiting.subarray(at);
  }
}

function itemOf(body: Uint8Array): RecordedItem {
  try {
    const item: unknown = deserialize(body);
    if (typeof item === "object" && item !== null) return item as RecordedItem;
  } catch {
    // The same as anything else that is no record.
  }
  throw new RecordingError("this is no recording, or a damaged one");
}
