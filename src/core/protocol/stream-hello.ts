/**
 * The first frame of each side on a stream. TLS has proved by then that the peer holds the key of this pair of members; the
 * hello says whether they can talk, and which of two connections is the newer.
 */
import { ByteReader, type ByteWriter, LayoutError } from "../layout/byte-cursor.ts";
import { member, shortText, u32, u64 } from "../layout/kinds.ts";
import { type RecordOf, record } from "../layout/record.ts";
import { PREAMBLE_FIELDS, readPreamble, writePreamble } from "./preamble.ts";

const FIELDS = {
  bootCount: [u32, "Of this start of the sender."],
  cluster: [shortText, "The name of the cluster."],
  member: [member, "The sender's id."],
  sentAtMs: [u64, "The time that the sender goes by."],
} as const;
const HELLO = record(FIELDS);

export const HELLO_FIELDS = { ...PREAMBLE_FIELDS, ...FIELDS } as const;

export type Hello = RecordOf<typeof FIELDS>;

export type HelloResult =
  | { readonly ok: true; readonly hello: Hello }
  | { readonly ok: false; readonly fault: "malformed-hello" | "newer-version" };

/** With room for what later versions may append. */
export const MAXIMUM_HELLO_BYTES = 1024;

export function writeHello(writer: ByteWriter, hello: Hello): void {
  writePreamble(writer);
  HELLO.write(writer, hello);
}

/** Ignores what later versions may have appended. */
export function decodeHello(body: Uint8Array): HelloResult {
  const reader = new ByteReader(body);
  try {
    const fault = readPreamble(reader);
    if (fault !== undefined) return { ok: false, fault: fault === "noise" ? "malformed-hello" : fault };
    return { ok: true, hello: HELLO.read(reader) };
  } catch (error) {
    if (error instanceof LayoutError) return { ok: false, fault: "malformed-hello" };
    throw error;
  }
}
