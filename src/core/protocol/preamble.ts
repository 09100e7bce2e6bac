/** What cluster frames and hellos begin with: it tells them from noise, and one version from another before anything else is read. */
import type { ByteReader, ByteWriter } from "../layout/byte-cursor.ts";
import { u8, u16 } from "../layout/kinds.ts";
import { record } from "../layout/record.ts";

export const PREAMBLE_FIELDS = {
  magic: [u16, "0x4148, `AH`: tells it from noise."],
  version: [u8, "1. What is of a later version may be made otherwise from here on."],
} as const;

const PREAMBLE = record(PREAMBLE_FIELDS);
const OURS = { magic: 0x4148, version: 1 };

export function writePreamble(writer: ByteWriter): void {
  PREAMBLE.write(writer, OURS);
}

/** `undefined`: what follows is of our version. Throws a LayoutError. */
export function readPreamble(reader: ByteReader): "noise" | "newer-version" | undefined {
  const { magic, version } = PREAMBLE.read(reader);
  if (magic !== OURS.magic || version < OURS.version) return "noise";
  return version > OURS.version ? "newer-version" : undefined;
}
