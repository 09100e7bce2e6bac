/** What a store holds, for people: read from its files without a change to them, whether or not its home agent runs. */
import { readableRow } from "../../core/bindings/readable-row.ts";
import { STORE_TABLES, type StoreTable } from "../../core/bindings/row-change.ts";
import { LayoutError } from "../../core/layout/byte-cursor.ts";
import { explaining, openDatabase, type SqliteDatabase } from "./database.ts";
import type { LogRow } from "./log-row.ts";
import { storePaths } from "./paths.ts";

export interface ReadableRow {
  readonly table: StoreTable;
  readonly key: string;
  /** As an object; where it can't be read, what is wrong and its bytes. */
  readonly row: unknown;
}

type Row = Uint8Array | string;

/**
 * All rows, in the order of tables and keys.
 * @throws StoreError where there is no store, or none that this program knows
 */
export function* readRows(directory: string): Generator<ReadableRow> {
  const { log: logPath, tables: tablesPath } = storePaths(directory);
  const tables = openDatabase(tablesPath, { readonly: true });
  try {
    // The log first: what is folded meanwhile is in both.
    const changes = changesOf(logPath);
    for (const table of STORE_TABLES)
      yield* explaining(tablesPath, () => [...rowsOf(tables, table, changes)]).map(([key, row]) => ({
        table,
        key,
        row: readable(table, row),
      }));
  } finally {
    tables.close();
  }
}

/** The newest of each row that may not be folded yet, by table and key; `null`: it is deleted. */
function changesOf(path: string): Map<string, Row | null> {
  const log = openDatabase(path, { readonly: true });
  try {
    return explaining(path, () => {
      const select = log.prepare<[], Pick<LogRow, "target" | "key" | "row">>(
        "SELECT target, key, row FROM log ORDER BY sequence",
      );
      return new Map(select.all().map(({ target, key, row }) => [`${target} ${key}`, row]));
    });
  } finally {
    log.close();
  }
}

function rowsOf(tables: SqliteDatabase, table: StoreTable, changes: ReadonlyMap<string, Row | null>): [string, Row][] {
  const folded = tables.prepare<[], [string, Row]>(`SELECT key, row FROM ${table}`).raw().all();
  const rows = new Map<string, Row>(folded);
  for (const [name, row] of changes) {
    if (!name.startsWith(`${table} `)) continue;
    const key = name.slice(table.length + 1);
    if (row === null) rows.delete(key);
    else rows.set(key, row);
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}

function readable(table: StoreTable, row: Row): unknown {
  // Of a store of version 1.
  if (typeof row === "string") return JSON.parse(row);
  try {
    return readableRow(table, row);
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
    return { problem: error.message, bytes: Buffer.from(row).toString("hex") };
  }
}
