import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { migrate, TABLES_MIGRATIONS } from "../../../src/adapters/store/schema.ts";
import { openStore, sorted, temporaryDirectory } from "./store-fixture.ts";

/**
 * The schemas of version 1 as they were released. Never to be changed: this is what is on the disks out there. The
 * checksums are CRC-32 of table, key and row.
 */
const LOG_1 = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), store_id TEXT NOT NULL, cluster TEXT NOT NULL, node TEXT NOT NULL,
    created_at TEXT NOT NULL, boot_count INTEGER NOT NULL DEFAULT 0, trimmed_sequence INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE log (
    sequence INTEGER PRIMARY KEY, target TEXT NOT NULL, key TEXT NOT NULL, row TEXT, checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE probe (content BLOB NOT NULL) STRICT;
  INSERT INTO meta VALUES (1, 'a-store', 'alpha', 'ha1', '2025-01-31T12:00:00Z', 41, 2);
  INSERT INTO log VALUES (3, 'binding', 'ip:10.64.1.3', '{"made":"by version 1"}', 2478642038);
  INSERT INTO log VALUES (4, 'binding', 'ip:10.64.1.2', NULL, 853055970);
  PRAGMA user_version = 1;`;
const TABLES_1 = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), store_id TEXT NOT NULL, cluster TEXT NOT NULL, node TEXT NOT NULL,
    created_at TEXT NOT NULL, folded_sequence INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE binding (key TEXT NOT NULL UNIQUE, row TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
  CREATE TABLE location (key TEXT NOT NULL UNIQUE, row TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
  CREATE TABLE probe (content BLOB NOT NULL) STRICT;
  INSERT INTO meta VALUES (1, 'a-store', 'alpha', 'ha1', '2025-01-31T12:00:00Z', 2);
  INSERT INTO binding VALUES ('ip:10.64.1.1', '{"made":"by version 1"}', 1250353017);
  INSERT INTO binding VALUES ('ip:10.64.1.2', '{"made":"by version 1"}', 311981649);
  INSERT INTO location VALUES ('ip:10.64.1.4', '{"made":"by version 1"}', 3622660732);
  PRAGMA user_version = 1;`;

function make(path: string, schema: string): InstanceType<typeof Database> {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.exec(schema);
  return database;
}

function storeOfVersion1(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "data"));
  make(join(directory, "data/log.sqlite"), LOG_1).close();
  make(join(directory, "data/tables.sqlite"), TABLES_1).close();
  writeFileSync(join(directory, "data/closed"), "");
  return directory;
}

test("a store made by version 1 is opened, its rows and its log with it", async () => {
  const directory = storeOfVersion1();
  const { store } = await openStore(directory);
  expect(sorted(store.load())).toEqual([
    'binding ip:10.64.1.1 {"made":"by version 1"}',
    'binding ip:10.64.1.3 {"made":"by version 1"}',
    'location ip:10.64.1.4 {"made":"by version 1"}',
  ]);
  expect(store.bootCount).toBeGreaterThan(41);
});

test.each(["log.sqlite", "tables.sqlite"])(
  "a store of a later version is refused, naming the versions: %s",
  async (name) => {
    const directory = storeOfVersion1();
    const path = join(directory, "data", name);
    const database = new Database(path);
    database.pragma("user_version = 7");
    database.close();

    await expect(openStore(directory)).rejects.toMatchObject({
      code: "STORE_SCHEMA_NEWER",
      message: expect.stringContaining(`${path} has schema version 7, and this program knows versions up to 1`),
    });
  },
);

test("migrations run in order from the version that is there, each once", () => {
  const database = make(":memory:", TABLES_1);
  const migrations = [
    ...TABLES_MIGRATIONS,
    "ALTER TABLE binding ADD COLUMN note TEXT; UPDATE binding SET note = 'second'",
    "UPDATE binding SET note = note || ', third'",
  ];
  migrate(database, migrations);
  migrate(database, migrations);
  expect(database.prepare("SELECT DISTINCT note FROM binding").pluck().all()).toEqual(["second, third"]);
  expect(database.pragma("user_version", { simple: true })).toBe(3);
});

test("a migration that fails half way leaves the version before it", () => {
  const database = make(":memory:", TABLES_1);
  const migrations = [...TABLES_MIGRATIONS, "DELETE FROM binding; SELECT * FROM no_such_table"];
  expect(() => migrate(database, migrations)).toThrow("no such table");
  expect(database.prepare("SELECT count(*) FROM binding").pluck().get()).toBe(2);
  expect(database.pragma("user_version", { simple: true })).toBe(1);
});

test("migrations make an empty database what version 1 was", () => {
  const database = new Database(":memory:");
  migrate(database, TABLES_MIGRATIONS.slice(0, 1));
  const columns =
    'SELECT m.name AS t, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c';
  expect(database.prepare(columns).all()).toEqual(make(":memory:", TABLES_1).prepare(columns).all());
});
