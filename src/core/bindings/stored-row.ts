/**
 * What is believed of a disk. Each row is written with a checksum of its table, its key and its content, so that a flipped
 * bit is noticed, and so is a row that stands in the place of another. The store and the simulated disk decide by the same
 * code.
 */
import { crc32 } from "node:zlib";
import { decodeBindingRow, encodeBindingRow } from "./binding-row.ts";
import { isNewerOwnership } from "./location.ts";
import { decodeLocationRow } from "./location-row.ts";
import { mergeBindings } from "./merge.ts";
import { STORE_TABLES, type StoreTable } from "./row-change.ts";

/** As it was read: it may hold anything. */
export interface StoredRecord {
  readonly table: string;
  readonly key: string;
  /** `null` in a log: the row was deleted. */
  readonly row: Uint8Array | null;
  readonly checksum: number;
}

interface IntactRecord extends StoredRecord {
  readonly table: StoreTable;
}

/** CRC-32: it finds every error of up to 32 bits in a row, and all but one in 2^32 of the others. */
export function rowChecksum(table: string, key: string, row: Uint8Array | string | null): number {
  return crc32(row ?? "", crc32(key, crc32(table)));
}

/** It reads back as it was written, and where it was written. */
export function isIntact(record: StoredRecord): record is IntactRecord {
  const { table, key, row, checksum } = record;
  // What a damaged database gives back may be of any type.
  const isSound = typeof key === "string" && (row === null || row instanceof Uint8Array);
  const isOfTable = (STORE_TABLES as readonly string[]).includes(table);
  return isSound && isOfTable && rowChecksum(table, key, row) === checksum;
}

/** The rows of a store that is made again. */
export interface SalvagedRows {
  get(table: StoreTable, key: string): Uint8Array | undefined;
  set(table: StoreTable, key: string, row: Uint8Array): void;
  delete(table: StoreTable, key: string): void;
}

const ALTERED = "does not read back as it was written";
const NOT_UNDERSTOOD = "can't be understood";
/** Enough to see what kind of damage it is. */
const MAXIMUM_PROBLEMS = 5;

/**
 * Takes whatever can be believed out of a store, beginning with its tables. What is left out may be an older copy than
 * others hold, or missing here: no different from what a member finds that was away, so comparison with its peers mends it.
 */
export class Salvage {
  readonly #rows: SalvagedRows;
  readonly #problems: string[] = [];
  #leftOut = 0;

  constructor(rows: SalvagedRows) {
    this.#rows = rows;
  }

  /** Rows and changes that could not be believed, as far as it is known that they were there. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** The first few of what was found, for people. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** A row of a table. */
  takeRow(record: StoredRecord): void {
    const { row } = record;
    if (row === null || !isIntact(record)) this.#leaveOut(record, ALTERED);
    else if (!isUnderstood(record.table, row)) this.#leaveOut(record, NOT_UNDERSTOOD);
    else {
      const { table, key } = record;
      const present = this.#rows.get(table, key);
      // A write that went astray has left the former row in its own place.
      if (present !== undefined) this.#leaveOut(record, "is there twice");
      this.#rows.set(table, key, present === undefined ? row : newer(table, present, row));
    }
  }

  /** A change of the log; they come in the order in which they were made, and after all rows. */
  takeChange(record: StoredRecord): void {
    const { row } = record;
    if (!isIntact(record)) this.#leaveOut(record, ALTERED);
    else if (row === null) this.#rows.delete(record.table, record.key);
    else if (isUnderstood(record.table, row)) this.#rows.set(record.table, record.key, row);
    else this.#leaveOut(record, NOT_UNDERSTOOD);
  }

  /** So many are known to have been there, and can't be read at all. */
  miss(count: number, problem: string): void {
    this.#leftOut += count;
    if (this.#problems.length < MAXIMUM_PROBLEMS) this.#problems.push(problem);
  }

  #leaveOut({ table, key }: StoredRecord, problem: string): void {
    this.miss(1, `the ${table} row ${JSON.stringify(key)} ${problem}`);
  }
}

function isUnderstood(table: StoreTable, row: Uint8Array): boolean {
  try {
    if (table === "binding") decodeBindingRow(row);
    else decodeLocationRow(row);
    return true;
  } catch {
    return false;
  }
}

function newer(table: StoreTable, one: Uint8Array, other: Uint8Array): Uint8Array {
  if (table === "binding") return encodeBindingRow(mergeBindings(decodeBindingRow(one), decodeBindingRow(other)));
  return isNewerOwnership(decodeLocationRow(one), decodeLocationRow(other)) ? one : other;
}
