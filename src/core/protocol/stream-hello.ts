/**
 * The first frame of each side on a stream. TLS has proved by then that the peer holds the key of this pair of members; the
 * hello says whether they can talk, and which of two connections is the newer.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |      'A'      |      'H'      |  Version = 1  |   Reserved    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                          Boot Count                           |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Cluster Length |  Cluster ...  | Member Length |  Member ...   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                Sent At (epoch milliseconds)                   |
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Later versions may append fields.
 */

import type { MemberId } from "../names.ts";
import { ByteReader, ByteWriter, FrameFormatError } from "./byte-cursor.ts";

export interface Hello {
  readonly cluster: string;
  readonly member: MemberId;
  readonly bootCount: number;
  /** Epoch ms; absent from members of the first version. */
  readonly sentAtMs?: number;
}

export type HelloResult =
  | { readonly ok: true; readonly hello: Hello }
  | { readonly ok: false; readonly fault: "malformed-hello" | "newer-version" };

/** With room for what later versions may append. */
export const MAXIMUM_HELLO_BYTES = 1024;

const MAGIC = 0x4148; // "AH"
const VERSION = 1;
const EXPECTED_BYTES = 64;

export function encodeHello({ cluster, member, bootCount, sentAtMs }: Hello): Uint8Array {
  const writer = new ByteWriter(EXPECTED_BYTES).u16(MAGIC).u8(VERSION).u8(0).u32(bootCount);
  writer.shortText(cluster).shortText(member);
  return (sentAtMs === undefined ? writer : writer.u64(sentAtMs)).written();
}

export function decodeHello(body: Uint8Array): HelloResult {
  const reader = new ByteReader(body);
  try {
    if (reader.u16() !== MAGIC) return { ok: false, fault: "malformed-hello" };
    const version = reader.u8();
    if (version > VERSION) return { ok: false, fault: "newer-version" };
    if (version < VERSION) return { ok: false, fault: "malformed-hello" };
    reader.u8();
    const bootCount = reader.u32();
    const hello = { bootCount, cluster: reader.shortText(), member: reader.shortText() };
    const isFirstVersion = reader.rest().length === 0;
    return { ok: true, hello: isFirstVersion ? hello : { ...hello, sentAtMs: reader.u64() } };
  } catch (error) {
    if (error instanceof FrameFormatError) return { ok: false, fault: "malformed-hello" };
    throw error;
  }
}
