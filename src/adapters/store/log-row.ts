import { isIntact, type StoredRecord } from "../../core/bindings/stored-row.ts";
import { recordInBytes } from "./json-rows.ts";
import { StoreCorruptError } from "./store-error.ts";

/** A change as it stands in the log. */
export interface LogRow {
  readonly sequence: number;
  readonly target: string;
  readonly key: string;
  /** Text in a store of version 1. */
  readonly row: Uint8Array | string | null;
  readonly checksum: number;
}

/** Sequences leave no gap, and what is read is what was written. @throws StoreCorruptError */
export function refuseAlteredChange(path: string, change: LogRow, previousSequence: number): void {
  const { sequence } = change;
  if (sequence !== previousSequence + 1) {
    throw new StoreCorruptError(path, `the change with sequence ${previousSequence + 1} is missing`);
  }
  if (!isIntact(recordOf(change))) {
    throw new StoreCorruptError(path, `the change with sequence ${sequence} does not read back as it was written`);
  }
}

export function recordOf({ target, key, row, checksum }: LogRow): StoredRecord {
  return recordInBytes({ table: target, key, row, checksum });
}
