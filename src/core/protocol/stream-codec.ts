/**
 * Messages on streams, as bodies of stream frames (core/protocol/stream-frame.ts): one byte of type, then the fields. Member
 * ids are one byte of length and UTF-8, mobile keys and NAIs two bytes of length and UTF-8. Nothing follows the last field:
 * members agree on a version before the first message.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *
 * Rows (type 1), and Handover (type 12) without the number; rows are UTF-8, as in the store
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                            Number                             |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Number of Rows                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Row Length (of each row)                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Row ...
 *
 * Ack (type 2), Synchronized (type 5)
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                            Number                             |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Digests (type 3), one for each of the 1024 buckets; Level is 0, or 1 where the receiver should hold the same
 *
 *   +-+-+-+-+-+-+-+-+
 *   |     Level     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                            Digest                             |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Differing (type 4)
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |       Number of Buckets       |    Bucket (of each bucket)    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Owned (type 6); Last is 0, or 1 on the final page. Owned Checked (type 7) has no fields
 *
 *   +-+-+-+-+-+-+-+-+
 *   |     Last      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Number of Entries                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                   Generation (of each entry)                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...
 *
 * Moved (type 8); NAI Length 0: the mobile has none
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Generation                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Known Until (epoch milliseconds, all ones: ever)      |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Has Address Since (epoch milliseconds, all ones: it is gone)  |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Home Address                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |          NAI Length           |  NAI ...                      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Owner Length  |  Owner ...                    | Backups Count |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Backup Length |  Backup ... (of each backup)
 *
 * Holding (type 9); Signed Time is in two's complement
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Of Length   |  Of ...                       |     Last      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Number of Versions                      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                Replay Resets (of each version)                |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Signed Time                          |
 *   |                          (16 bytes)                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                            Counter                            |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |               Accepted At (epoch milliseconds)                |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Decided Length|  Decided By ...                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...
 *
 * Want (type 10), and Sent (type 11) with nothing but Of
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Of Length   |  Of ...       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Number of Mobiles                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Mobile Length (of each)     |  Mobile ...
 *
 * Forget (type 13); Signed Time is in two's complement
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Number of Rows                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Generation (of each row)                   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Replay Resets                         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Signed Time                          |
 *   |                          (16 bytes)                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                            Counter                            |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |               Accepted At (epoch milliseconds)                |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Decided Length|  Decided By ...                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...
 *
 * Temporary (type 14)
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Number of Bindings                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                 Request Id (of each binding)                  |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Minimum Generation                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                     Foreign Agent Address                     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      Foreign Agent Port       |     Destination Address ...   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  ... Destination Address      |       Destination Port        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Owner Length  |  Owner ...    |        Request Length         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Registration Request ...                                     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Number of Ended                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |               Request Id (of each that has ended)             |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Claim (type 15)
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Home Address                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Claimant Length|  Claimant ...                                 |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...
 *
 * Holder (type 16)
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                         Home Address                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   | Has Address Since (epoch milliseconds, all ones: it is gone)  |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Mobile Length         |  Mobile ...
 */

import { isMobileKey, type MemberId, type MobileKey } from "../names.ts";
import { ByteReader, ByteWriter, FrameFormatError } from "./byte-cursor.ts";
import { DIGEST_BUCKETS, type HeldVersion, type StreamMessage, type TemporaryCopy } from "./stream-messages.ts";

/** Bytes that are no message. */
export class StreamMessageError extends Error {
  override readonly name = "StreamMessageError";
}

const TYPES = [
  "rows",
  "ack",
  "digests",
  "differing",
  "synchronized",
  "owned",
  "owned-checked",
  "moved",
  "holding",
  "want",
  "sent",
  "handover",
  "forget",
  "temporary",
  "claim",
  "holder",
] as const satisfies readonly StreamMessage["type"][];

/** Saves growing in most cases: no short message is longer, and rows are mostly ASCII. */
const EXPECTED_BYTES = 256;
const EXPECTED_ENTRY_BYTES = 64;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Throws a RangeError for numbers that have no room in their fields. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  const writer = new ByteWriter(expectedBytes(message)).u8(TYPES.indexOf(message.type) + 1);
  switch (message.type) {
    case "rows":
      writer.u64(message.number);
      writeList(writer, message.rows, writeRow);
      break;
    case "ack":
    case "synchronized":
      writer.u64(message.number);
      break;
    case "digests":
      writer.u8(Number(message.level));
      for (const digest of message.buckets) writer.u32(digest);
      break;
    case "differing":
      writer.u16(message.buckets.length);
      for (const bucket of message.buckets) writer.u16(bucket);
      break;
    case "owned":
      writer.u8(Number(message.last));
      writeList(writer, message.entries, ({ mobile, generation }) => writer.u32(generation).text(mobile));
      break;
    case "owned-checked":
      break;
    case "moved":
      writer.u32(message.generation);
      writer
        .time(message.knownUntilMs)
        .time(message.homeAddressSinceMs)
        .u32(message.homeAddress)
        .text(message.mobile)
        .text(message.nai ?? "");
      writer.shortText(message.owner).shortTexts(message.backups);
      break;
    case "holding":
      writer.shortText(message.of).u8(Number(message.last));
      writeList(writer, message.versions, writeVersion);
      break;
    case "want":
      writeList(writer.shortText(message.of), message.mobiles, writeMobile);
      break;
    case "sent":
      writer.shortText(message.of);
      break;
    case "handover":
      writeList(writer, message.rows, writeRow);
      break;
    case "forget":
      writeList(writer, message.rows, (row) => writeVersion(row, writer.u32(row.generation)));
      break;
    case "temporary":
      writeList(writer, message.made, writeTemporary);
      writeList(writer, message.ended, (requestId) => writer.u64(requestId));
      break;
    case "claim":
      writer.u32(message.homeAddress).shortText(message.claimant).text(message.mobile);
      break;
    case "holder":
      writer.u32(message.homeAddress).time(message.sinceMs).text(message.mobile);
      break;
  }
  return writer.written();
}

/** Throws `StreamMessageError`. */
export function decodeStreamMessage(body: Uint8Array): StreamMessage {
  const reader = new ByteReader(body);
  try {
    const message = decode(reader);
    if (reader.rest().length > 0) throw new StreamMessageError(`${message.type} message longer than its fields`);
    return message;
  } catch (error) {
    if (error instanceof FrameFormatError) throw new StreamMessageError(error.message);
    throw error;
  }
}

function decode(reader: ByteReader): StreamMessage {
  const typeNumber = reader.u8();
  const type = TYPES[typeNumber - 1];
  switch (type) {
    case "rows":
      return { type, number: readInteger(reader), rows: readList(reader, readRow) };
    case "ack":
    case "synchronized":
      return { type, number: readInteger(reader) };
    case "digests":
      return { type, level: readFlag(reader), buckets: Array.from({ length: DIGEST_BUCKETS }, () => reader.u32()) };
    case "differing":
      return { type, buckets: readBuckets(reader) };
    case "owned":
      return { type, last: readFlag(reader), entries: readList(reader, readEntry) };
    case "owned-checked":
      return { type };
    case "moved":
      return readMoved(reader);
    case "holding":
      return { type, of: readMember(reader), last: readFlag(reader), versions: readList(reader, readVersion) };
    case "want":
      return { type, of: readMember(reader), mobiles: readList(reader, readMobile) };
    case "sent":
      return { type, of: readMember(reader) };
    case "handover":
      return { type, rows: readList(reader, readRow) };
    case "forget":
      return { type, rows: readList(reader, readForgottenRow) };
    case "temporary":
      return { type, made: readList(reader, readTemporary), ended: readList(reader, readInteger) };
    case "claim":
      return { type, homeAddress: reader.address(), claimant: readMember(reader), mobile: readMobile(reader) };
    case "holder":
      return { type, homeAddress: reader.address(), sinceMs: readTime(reader), mobile: readMobile(reader) };
    default:
      throw new StreamMessageError(`unknown message type ${typeNumber}`);
  }
}

function readMoved(reader: ByteReader): StreamMessage {
  const generation = reader.u32();
  const knownUntilMs = readTime(reader);
  const homeAddressSinceMs = readTime(reader);
  const homeAddress = reader.address();
  const mobile = readMobile(reader);
  const nai = reader.text();
  const owner = readMember(reader);
  const backups = reader.shortTexts().map(checkMember);
  return {
    type: "moved",
    mobile,
    homeAddress,
    nai: nai === "" ? undefined : nai,
    homeAddressSinceMs,
    owner,
    backups,
    generation,
    knownUntilMs,
  };
}

function readEntry(reader: ByteReader) {
  const generation = reader.u32();
  return { mobile: readMobile(reader), generation };
}

function writeVersion(
  { replayResets, signedTime, counter, acceptedAtMs, decidedBy, mobile }: HeldVersion,
  writer: ByteWriter,
): void {
  writer.u32(replayResets).i128(signedTime).u64(counter).u64(acceptedAtMs).shortText(decidedBy).text(mobile);
}

function readForgottenRow(reader: ByteReader) {
  const generation = reader.u32();
  return { ...readVersion(reader), generation };
}

function readVersion(reader: ByteReader) {
  const replayResets = reader.u32();
  const signedTime = reader.i128();
  const counter = readInteger(reader);
  const acceptedAtMs = readInteger(reader);
  const decidedBy = readMember(reader);
  return { mobile: readMobile(reader), replayResets, signedTime, counter, acceptedAtMs, decidedBy };
}

function writeTemporary(copy: TemporaryCopy, writer: ByteWriter): void {
  writer.u64(copy.requestId).u32(copy.minimumGeneration).endpoint(copy.foreignAgent).endpoint(copy.destination);
  writer.shortText(copy.owner).u16(copy.request.length).bytes(copy.request);
}

function readTemporary(reader: ByteReader): TemporaryCopy {
  const requestId = readInteger(reader);
  const minimumGeneration = reader.u32();
  const foreignAgent = reader.endpoint();
  const destination = reader.endpoint();
  const owner = readMember(reader);
  // Its own bytes: it is kept, and the piece of the stream that it came in would be kept with it.
  const request = Uint8Array.from(reader.bytes(reader.u16()));
  return { requestId, minimumGeneration, foreignAgent, destination, owner, request };
}

function readBuckets(reader: ByteReader): number[] {
  const count = reader.u16();
  if (count > DIGEST_BUCKETS) throw new StreamMessageError(`${count} buckets`);
  return Array.from({ length: count }, () => {
    const bucket = reader.u16();
    if (bucket >= DIGEST_BUCKETS) throw new StreamMessageError(`unknown bucket ${bucket}`);
    return bucket;
  });
}

function writeRow(row: string, writer: ByteWriter): void {
  writer.longText(row);
}

function readRow(reader: ByteReader): string {
  return reader.longText();
}

function writeMobile(mobile: MobileKey, writer: ByteWriter): void {
  writer.text(mobile);
}

function readMobile(reader: ByteReader): MobileKey {
  const key = reader.text();
  if (!isMobileKey(key)) throw new StreamMessageError("text that is no mobile key");
  return key;
}

function readMember(reader: ByteReader): MemberId {
  return checkMember(reader.shortText());
}

function checkMember(member: MemberId): MemberId {
  if (member === "") throw new StreamMessageError("empty member id");
  return member;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new StreamMessageError(`flag of value ${flag}`);
  return flag === 1;
}

function readInteger(reader: ByteReader): number {
  return toInteger(reader.bigU64());
}

function readTime(reader: ByteReader): number {
  const timeMs = reader.bigU64();
  return timeMs === ALL_ONES ? Number.POSITIVE_INFINITY : toInteger(timeMs);
}

function toInteger(value: bigint): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new StreamMessageError("number beyond 2^53");
  return Number(value);
}

function writeList<T>(
  writer: ByteWriter,
  elements: readonly T[],
  write: (element: T, writer: ByteWriter) => void,
): void {
  writer.u32(elements.length);
  for (const element of elements) write(element, writer);
}

/** Elements have no less than a byte each, so the end of the body bounds a list whatever its count says. */
function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const elements: T[] = [];
  for (let missing = reader.u32(); missing > 0; missing--) elements.push(read(reader));
  return elements;
}

function expectedBytes(message: StreamMessage): number {
  switch (message.type) {
    case "rows":
    case "handover":
      return message.rows.reduce((bytes, row) => bytes + 4 + row.length, EXPECTED_BYTES);
    case "digests":
      return EXPECTED_BYTES + 4 * message.buckets.length;
    case "owned":
      return EXPECTED_BYTES + EXPECTED_ENTRY_BYTES * message.entries.length;
    case "holding":
      return EXPECTED_BYTES + EXPECTED_ENTRY_BYTES * message.versions.length;
    case "forget":
      return EXPECTED_BYTES + EXPECTED_ENTRY_BYTES * message.rows.length;
    case "temporary":
      return message.made.reduce(
        (bytes, { request }) => bytes + EXPECTED_ENTRY_BYTES + request.length,
        EXPECTED_BYTES + 8 * message.ended.length,
      );
    default:
      return EXPECTED_BYTES;
  }
}
