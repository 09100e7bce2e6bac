import { STORE_TABLES } from "../../core/bindings/row-change.ts";
import { rowChecksum } from "./database.ts";
import { StoreCorruptError } from "./store-error.ts";

/** A change as it stands in the log. */
export interface LogRow {
  readonly sequence: number;
  readonly target: string;
  readonly key: string;
  readonly row: string | null;
  readonly checksum: number;
}

/** Sequences leave no gap, and what is read is what was written. @throws StoreCorruptError */
export function refuseAlteredChange(path: string, change: LogRow, previousSequence: number): void {
  const { sequence, target, key, row, checksum } = change;
  if (sequence !== previousSequence + 1) {
    throw new StoreCorruptError(path, `the change with sequence ${previousSequence + 1} is missing`);
  }
  const isTable = (STORE_TABLES as readonly string[]).includes(target);
  if (!isTable || rowChecksum(target, key, row) !== checksum) {
    throw new StoreCorruptError(path, `the change with sequence ${sequence} does not read back as it was written`);
  }
}
