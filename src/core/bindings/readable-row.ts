/** Rows as JSON, for people, and for stores that were written when rows were JSON. */
import { ByteWriter } from "../layout/byte-cursor.ts";
import type { Kind } from "../layout/kinds.ts";
import { fromReadable, toReadable } from "../layout/readable.ts";
import { BINDING_ROW, decodeBindingRow } from "./binding-row.ts";
import { decodeLocationRow, LOCATION_ROW } from "./location-row.ts";
import type { StoreTable } from "./row-change.ts";

const ROWS = {
  binding: { kind: BINDING_ROW as Kind<unknown>, decode: decodeBindingRow },
  location: { kind: LOCATION_ROW as Kind<unknown>, decode: decodeLocationRow },
} as const;

const EXPECTED_BYTES = 320;

/** Throws a LayoutError. */
export function readableRow(table: StoreTable, row: Uint8Array): unknown {
  const { kind, decode } = ROWS[table];
  return toReadable(kind.shape, decode(row));
}

/** Throws a LayoutError, and a RangeError for numbers that have no room in their fields. */
export function rowFromReadable(table: StoreTable, readable: unknown): Uint8Array {
  const { kind } = ROWS[table];
  const writer = new ByteWriter(EXPECTED_BYTES);
  kind.write(writer, fromReadable(kind.shape, readable));
  return writer.written();
}
