/** What is found out about a store before anything in it is changed. Reads every page of it; about 1 s per GB. */
import { existsSync, statSync } from "node:fs";
import { checkIntegrity, explaining, openDatabase, type SqliteDatabase } from "./database.ts";
import type { StoreOwner } from "./directory.ts";
import { type LogRow, refuseAlteredChange } from "./log-row.ts";
import type { StorePaths } from "./paths.ts";
import { checkSchema, LOG_MIGRATIONS, TABLES_MIGRATIONS } from "./schema.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";
import { refuseDamagedWal } from "./wal.ts";

/**
 * Refuses a store with lost or damaged files, of another owner or of a later version; nothing is changed. Returns the
 * number of the last start.
 * @throws StoreError
 */
export function checkData(paths: StorePaths, owner: StoreOwner): number {
  explaining(paths.data, () => refuseLostFiles(paths));
  const log = openDatabase(paths.log, { readonly: true });
  try {
    const tables = openDatabase(paths.tables, { readonly: true });
    try {
      explaining(paths.log, () => checkSchema(log, LOG_MIGRATIONS));
      explaining(paths.tables, () => checkSchema(tables, TABLES_MIGRATIONS));
      if (storeIdOf(log, owner) !== storeIdOf(tables, owner)) {
        throw new StoreCorruptError(paths.tables, `it belongs to another store than ${paths.log}`);
      }
      checkIntegrity(log);
      checkIntegrity(tables);
      const foldedSequence = explaining(paths.tables, () => number(tables, "SELECT folded_sequence FROM meta"));
      return explaining(paths.log, () => {
        refuseMismatch(paths, log, foldedSequence);
        refuseAlteredLog(log, foldedSequence);
        return number(log, "SELECT boot_count FROM meta");
      });
    } finally {
      tables.close();
    }
  } finally {
    log.close();
  }
}

function refuseLostFiles(paths: StorePaths): void {
  for (const path of [paths.log, paths.tables]) {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) throw new StoreCorruptError(path, "the file is missing");
    // SQLite would take it for a new database, and delete the WAL that belonged to it.
    if (size === 0) throw new StoreCorruptError(path, "the file is empty");
  }
  // The WAL holds the newest changes, unless the store was closed. SQLite would do without it and say nothing.
  const wal = `${paths.log}-wal`;
  if (existsSync(wal)) refuseDamagedWal(wal);
  else if (!existsSync(paths.closed)) {
    throw new StoreCorruptError(wal, "the file is missing, and with it the newest changes");
  }
}

/** @throws StoreError if it has another owner, or none */
export function storeIdOf(database: SqliteDatabase, owner: StoreOwner): string {
  return explaining(database.name, () => {
    const select = "SELECT store_id AS storeId, cluster, node FROM meta";
    const meta = database.prepare<[], StoreOwner & { storeId: string }>(select).get();
    if (meta === undefined) throw new StoreCorruptError(database.name, "it does not say which store it belongs to");
    if (meta.cluster === owner.cluster && meta.node === owner.node) return meta.storeId;
    throw new StoreError(
      "STORE_FOREIGN",
      `the store ${database.name} belongs to node ${meta.node} of cluster ${meta.cluster}, and this is node ${owner.node} of ` +
        `cluster ${owner.cluster}: give this node a directory of its own, or set its name and cluster back`,
    );
  });
}

function refuseMismatch(paths: StorePaths, log: SqliteDatabase, foldedSequence: number): void {
  const trimmedSequence = number(log, "SELECT trimmed_sequence FROM meta");
  const lastSequence = number(log, "SELECT coalesce(max(sequence), ?) FROM log", trimmedSequence);
  if (foldedSequence < trimmedSequence) {
    throw new StoreCorruptError(
      paths.tables,
      `it is older than the log: it ends at sequence ${foldedSequence}, the log begins after ${trimmedSequence}`,
    );
  }
  if (foldedSequence > lastSequence) {
    throw new StoreCorruptError(
      paths.tables,
      `it is newer than the log: it ends at sequence ${foldedSequence}, the log at ${lastSequence}`,
    );
  }
}

function refuseAlteredLog(log: SqliteDatabase, foldedSequence: number): void {
  const select = "SELECT sequence, target, key, row, checksum FROM log WHERE sequence > ? ORDER BY sequence";
  let previous = foldedSequence;
  for (const change of log.prepare<[number], LogRow>(select).iterate(foldedSequence)) {
    refuseAlteredChange(log.name, change, previous);
    previous = change.sequence;
  }
}

function number(database: SqliteDatabase, select: string, ...parameters: number[]): number {
  return (
    database
      .prepare<number[], number>(select)
      .pluck()
      .get(...parameters) ?? 0
  );
}
