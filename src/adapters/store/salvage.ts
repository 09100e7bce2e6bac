/**
 * A damaged store is made again from everything in it that can be read and believed, so that its member can start, and get
 * the rest from its peers. The damaged one is kept as it is, beside the new one.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { STORE_TABLES, type StoreTable } from "../../core/bindings/row-change.ts";
import { rowChecksum, Salvage, type SalvagedRows } from "../../core/bindings/stored-row.ts";
import { storeIdOf } from "./check-data.ts";
import { openDatabase, type SqliteDatabase } from "./database.ts";
import { damagedCopies, replaceData, StoreLock, type StoreOwner } from "./directory.ts";
import { recordInBytes } from "./json-rows.ts";
import { type LogRow, recordOf } from "./log-row.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { readableRows } from "./readable-rows.ts";
import { checkSchema, LOG_MIGRATIONS, type Migrations, TABLES_MIGRATIONS } from "./schema.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";

/** A disk that damages its store so often isn't to be relied on, and is not to be filled with what it has damaged. */
const MAXIMUM_DAMAGED_COPIES = 3;

export interface SalvageReport {
  /** Where the damaged store is now. */
  readonly setAside: string;
  /** Rows in the new store. */
  readonly rows: number;
  /** Rows and changes that could not be believed, as far as it is known that there were any. */
  readonly leftOut: number;
  /** The first few of what was found. */
  readonly problems: readonly string[];
}

/** The lock and the count of starts are no rows: a damaged `boot.sqlite` is for an operator to decide about. */
export function canSalvage(directory: string, damage: StoreCorruptError): boolean {
  return dirname(damage.file) === storePaths(directory).data;
}

/**
 * Of a store that is closed.
 * @throws StoreError that belongs to another member or to a later version, that a process has open, or that there is no
 * room for
 */
export function salvageStore({ directory, ...owner }: StoreOwner & { readonly directory: string }): SalvageReport {
  const paths = storePaths(directory);
  const lock = new StoreLock(paths);
  try {
    const copies = damagedCopies(paths);
    if (copies.length >= MAXIMUM_DAMAGED_COPIES) {
      const problem = `the store is damaged again, after ${copies.join(", ")}: see to the disk, then remove these`;
      throw new StoreError("STORE_UNAVAILABLE", problem);
    }
    let report: Omit<SalvageReport, "setAside"> | undefined;
    const setAside = replaceData(paths, owner, (tables) => {
      report = tables.transaction(() => takeAll(paths, owner, tables)).immediate();
    });
    return { setAside, rows: 0, leftOut: 0, problems: [], ...report };
  } finally {
    lock.release();
  }
}

function takeAll(paths: StorePaths, owner: StoreOwner, into: SqliteDatabase): Omit<SalvageReport, "setAside"> {
  const salvage = new Salvage(rowsOf(into));
  const miss = (file: string) => (problem: string) => salvage.miss(1, `${file}: ${problem}`);
  const log = openOwn(paths.log, LOG_MIGRATIONS, owner, miss(paths.log));
  const tables = openOwn(paths.tables, TABLES_MIGRATIONS, owner, miss(paths.tables));
  try {
    if (tables !== undefined) {
      for (const table of STORE_TABLES) {
        const select = `SELECT rowid AS number, key, row, checksum FROM ${table} WHERE rowid >= ? ORDER BY rowid`;
        const rows = readableRows<NumberedRow>(tables.database, select, miss(paths.tables));
        for (const { key, row, checksum } of rows) salvage.takeRow(recordInBytes({ table, key, row, checksum }));
      }
    }
    if (log !== undefined && tables !== undefined && log.storeId !== tables.storeId) {
      miss(paths.log)("it belongs to another store than the tables");
    } else if (log !== undefined) takeLog(log.database, tables?.foldedSequence, salvage, miss(paths.log));
  } finally {
    log?.database.close();
    tables?.database.close();
  }
  const counts = STORE_TABLES.map((table) => into.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number);
  const rows = counts.reduce((sum, count) => sum + count, 0);
  return { rows, leftOut: salvage.leftOut, problems: salvage.problems };
}

/** `foldedSequence`: the changes up to it are in the tables; unknown where these can't be read. */
function takeLog(
  log: SqliteDatabase,
  foldedSequence: number | undefined,
  salvage: Salvage,
  miss: (problem: string) => void,
): void {
  const select =
    "SELECT sequence AS number, sequence, target, key, row, checksum FROM log WHERE sequence >= ? ORDER BY sequence";
  let previous = foldedSequence;
  for (const change of readableRows<LogRow & { readonly number: number }>(log, select, miss)) {
    const { sequence } = change;
    if (previous !== undefined) {
      if (sequence <= previous) continue;
      const missing = sequence - previous - 1;
      if (missing > 0)
        salvage.miss(missing, `the changes from sequence ${previous + 1} to ${sequence - 1} are missing`);
    }
    salvage.takeChange(recordOf(change));
    previous = sequence;
  }
}

type NumberedRow = Pick<LogRow, "key" | "row" | "checksum"> & { readonly number: number };

interface OwnDatabase {
  readonly database: SqliteDatabase;
  readonly storeId: string;
  readonly foldedSequence: number | undefined;
}

/** Nothing is taken out of a file that doesn't say that it is this member's. */
function openOwn(
  path: string,
  migrations: Migrations,
  owner: StoreOwner,
  miss: (problem: string) => void,
): OwnDatabase | undefined {
  let database: SqliteDatabase | undefined;
  try {
    if (!existsSync(path)) throw new StoreCorruptError(path, "the file is missing");
    database = openDatabase(path, { readonly: true });
    checkSchema(database, migrations);
    const storeId = storeIdOf(database, owner);
    const isTables = migrations === TABLES_MIGRATIONS;
    const folded = isTables ? database.prepare("SELECT folded_sequence FROM meta").pluck().get() : undefined;
    return { database, storeId, foldedSequence: typeof folded === "number" ? folded : undefined };
  } catch (error) {
    database?.close();
    if (error instanceof StoreError && !(error instanceof StoreCorruptError)) throw error;
    miss(error instanceof StoreCorruptError ? error.problem : (error as Error).message);
    return undefined;
  }
}

function rowsOf(database: SqliteDatabase): SalvagedRows {
  const statements = (table: StoreTable) => ({
    get: database.prepare<[string], Uint8Array>(`SELECT row FROM ${table} WHERE key = ?`).pluck(),
    set: database.prepare(`INSERT OR REPLACE INTO ${table} (key, row, checksum) VALUES (?, ?, ?)`),
    delete: database.prepare(`DELETE FROM ${table} WHERE key = ?`),
  });
  const of = { binding: statements("binding"), location: statements("location") };
  return {
    get: (table, key) => of[table].get.get(key),
    set: (table, key, row) => of[table].set.run(key, row, rowChecksum(table, key, row)),
    delete: (table, key) => of[table].delete.run(key),
  };
}
