/** The row of a location in the store. */
import { ByteReader, ByteWriter, LayoutError } from "../layout/byte-cursor.ts";
import { record } from "../layout/record.ts";
import { naiOf } from "../names.ts";
import { LOCATION_FIELDS, type Location } from "./location.ts";

export const LOCATION_ROW = record(LOCATION_FIELDS);

const EXPECTED_BYTES = 160;

export function encodeLocationRow(location: Location): Uint8Array {
  const writer = new ByteWriter(EXPECTED_BYTES);
  LOCATION_ROW.write(writer, location);
  return writer.written();
}

/** Throws a LayoutError. */
export function decodeLocationRow(row: Uint8Array): Location {
  const reader = new ByteReader(row);
  const fields = LOCATION_ROW.read(reader);
  if (!reader.isAtEnd) throw new LayoutError("a row longer than its fields");
  return { ...fields, nai: naiOf(fields.mobile) };
}
