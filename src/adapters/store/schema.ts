/** The schemas of the store's databases, as the list of steps that led to them. */

import { STORE_TABLES, type StoreTable } from "../../core/bindings/row-change.ts";
import { rowChecksum } from "../../core/bindings/stored-row.ts";
import type { SqliteDatabase } from "./database.ts";
import { rowInBytes } from "./json-rows.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";

/** `migrations[n]` leads from version n to version n + 1. Steps that were released are never changed; new ones are added at the end. */
export type Migrations = readonly string[];

/** Who a store belongs to. Both databases carry it, so that neither is ever paired with another store's. */
const META_COLUMNS = `
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id TEXT NOT NULL,
  cluster TEXT NOT NULL,
  node TEXT NOT NULL,
  created_at TEXT NOT NULL`;

/** `probe` is where a recovering store tries whether it can write again. */
const PROBE_TABLE = "CREATE TABLE probe (content BLOB NOT NULL) STRICT;";

/** Checksums are CRC-32 of table, key and row: SQLite itself does not notice a flipped bit inside a row. */
export const LOG_MIGRATIONS: Migrations = [
  `CREATE TABLE meta (${META_COLUMNS},
     boot_count INTEGER NOT NULL DEFAULT 0,
     trimmed_sequence INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE TABLE log (
     sequence INTEGER PRIMARY KEY,
     target TEXT NOT NULL,
     key TEXT NOT NULL,
     row TEXT,
     checksum INTEGER NOT NULL
   ) STRICT;
   ${PROBE_TABLE}`,
  `CREATE TABLE log_in_bytes (
     sequence INTEGER PRIMARY KEY,
     target TEXT NOT NULL,
     key TEXT NOT NULL,
     row BLOB,
     checksum INTEGER NOT NULL
   ) STRICT;
   INSERT INTO log_in_bytes
     SELECT sequence, target, key, bytes, row_checksum(target, key, bytes)
     FROM (SELECT sequence, target, key, row_in_bytes(target, row) AS bytes FROM log);
   DROP TABLE log;
   ALTER TABLE log_in_bytes RENAME TO log;`,
];

/** Tables with a rowid take new keys three times as fast as WITHOUT ROWID ones: only the short index entry goes to a random page. */
export const TABLES_MIGRATIONS: Migrations = [
  `CREATE TABLE meta (${META_COLUMNS},
     folded_sequence INTEGER NOT NULL DEFAULT 0
   ) STRICT;
   CREATE TABLE binding (key TEXT NOT NULL UNIQUE, row TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
   CREATE TABLE location (key TEXT NOT NULL UNIQUE, row TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
   ${PROBE_TABLE}`,
  STORE_TABLES.map(inBytes).join(""),
];

/** Rows were JSON in version 1. */
function inBytes(table: StoreTable): string {
  return `
   CREATE TABLE ${table}_in_bytes (key TEXT NOT NULL UNIQUE, row BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
   INSERT INTO ${table}_in_bytes
     SELECT key, bytes, row_checksum('${table}', key, bytes)
     FROM (SELECT key, row_in_bytes('${table}', row) AS bytes FROM ${table} ORDER BY rowid);
   DROP TABLE ${table};
   ALTER TABLE ${table}_in_bytes RENAME TO ${table};`;
}

export const BOOT_MIGRATIONS: Migrations = [
  `CREATE TABLE boot (id INTEGER PRIMARY KEY CHECK (id = 1), boot_count INTEGER NOT NULL) STRICT;
   INSERT INTO boot VALUES (1, 0);`,
];

/** Brings a database to the newest version, each step in a transaction of its own. */
export function migrate(database: SqliteDatabase, migrations: Migrations): void {
  const version = schemaVersion(database);
  refuseNewerSchema(database.name, version, migrations);
  if (version === migrations.length) return;
  database.function("row_in_bytes", rowInBytes);
  database.function("row_checksum", rowChecksum);
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    database
      .transaction(() => {
        database.exec(migration);
        database.pragma(`user_version = ${index + 1}`);
      })
      .immediate();
  }
}

/** For an existing database: refuses what can't be read, before anything is changed. */
export function checkSchema(database: SqliteDatabase, migrations: Migrations): void {
  const version = schemaVersion(database);
  if (version === 0) throw new StoreCorruptError(database.name, "it holds no store: the database is empty");
  refuseNewerSchema(database.name, version, migrations);
}

function refuseNewerSchema(file: string, version: number, migrations: Migrations): void {
  if (version <= migrations.length) return;
  throw new StoreError(
    "STORE_SCHEMA_NEWER",
    `${file} has schema version ${version}, and this program knows versions up to ${migrations.length}: ` +
      "it was written by a later version of the program; run that one, or a later one still",
  );
}

function schemaVersion(database: SqliteDatabase): number {
  return Number(database.pragma("user_version", { simple: true }));
}
