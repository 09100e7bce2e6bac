/** Reads the records of a recording, one after the other. */
import { createReadStream } from "node:fs";
import { deserialize } from "node:v8";
import { FrameSplitter, FrameTooLargeError } from "../../core/protocol/stream-frame.ts";
import { MAXIMUM_RECORD_BYTES, RECORDING_FORMAT, type RecordedItem, type RecordedStart } from "./recording.ts";

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
  const splitter = new FrameSplitter(MAXIMUM_RECORD_BYTES);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    splitter.push(piece as Buffer);
    for (let body = takeFrom(splitter); body !== undefined; body = takeFrom(splitter)) yield body;
  }
}

function takeFrom(splitter: FrameSplitter): Uint8Array | undefined {
  try {
    return splitter.take();
  } catch (error) {
    if (!(error instanceof FrameTooLargeError)) throw error;
    throw new RecordingError("this is no recording, or a damaged one");
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
