import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { migrate, TABLES_MIGRATIONS } from "../../../src/adapters/store/schema.ts";
import { readableRow } from "../../../src/core/bindings/readable-row.ts";
import { rowChecksum } from "../../../src/core/bindings/stored-row.ts";
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

/** As version 1 wrote them. */
const BINDING_1 =
  '{"mobile":"nai:bob@example.com","homeAddress":"10.79.1.0","nai":"bob@example.com","homeAddressSinceMs":1789999000000,' +
  '"dynamic":true,"createdAtMs":1789998000000,"registration":{"identification":"0xeeae4567dcd51000","replayStyle":"timestamps",' +
  '"authenticator":"491cd39e48003cc2d3a632a71672fedb","association":"realm example.com","code":0,"lifetimeSeconds":600,' +
  '"acceptedAtMs":1790000000000,"replayResets":1,"forgottenUntilMs":1789999999000,"counter":3,"decidedBy":"ha1","careOfAddresses":[{"careOfAddress":"192.0.2.7",' +
  '"flags":40,"lifetimeSeconds":600,"expiresAtMs":null,"foreignAgent":"192.0.2.1:434","ingress":"ha2",' +
  '"identification":"0xeeae4567dcd51000"}],"replayableUntilMs":1790000015000,"retainUntilMs":null,"reservedUntilMs":0},' +
  '"ownership":{"owner":"ha1","backups":["ha2"],"generation":4}}';
const LOCATION_1 =
  '{"mobile":"ip:10.64.1.9","homeAddress":"10.64.1.9","homeAddressSinceMs":null,"owner":"ha2","backups":["ha3"],"generation":2,' +
  '"knownUntilMs":1790000700000,"ingress":{"foreignAgent":{"port":434,"address":"192.0.2.1"},"careOfAddress":"192.0.2.7",' +
  '"lifetimeSeconds":600,"expiresAtMs":1790000600000,"identification":"0xeeae4567dcd51000"}}';
const LOCATION_1_ALONE =
  '{"mobile":"ip:10.64.1.8","homeAddress":"10.64.1.8","homeAddressSinceMs":7,"owner":"ha2","backups":[],"generation":2,"knownUntilMs":null}';

test("rows of version 1, which were JSON, are what they were, in the tables and in the log", async () => {
  const directory = storeOfVersion1();
  const insert = (name: string, statement: string, target: string, key: string, row: string) => {
    const database = new Database(join(directory, "data", name));
    database.prepare(statement).run({ target, key, row, checksum: rowChecksum(target, key, row) });
    database.close();
  };
  const intoLog = "INSERT INTO log VALUES (5, @target, @key, @row, @checksum)";
  const into = (table: string) => `INSERT INTO ${table} VALUES (@key, @row, @checksum)`;
  const named = (row: string) => (JSON.parse(row) as { mobile: string }).mobile;
  insert("log.sqlite", intoLog, "binding", named(BINDING_1), BINDING_1);
  insert("tables.sqlite", into("location"), "location", named(LOCATION_1), LOCATION_1);
  insert("tables.sqlite", into("location"), "location", named(LOCATION_1_ALONE), LOCATION_1_ALONE);

  const { store } = await openStore(directory);
  const rows = new Map(Array.from(store.load(), ({ key, row }) => [key, row]));
  const rowOf = (json: string) => rows.get(named(json)) ?? new Uint8Array();
  const { nai: _, ...binding } = JSON.parse(BINDING_1);
  expect(readableRow("binding", rowOf(BINDING_1))).toEqual(binding);
  const location = JSON.parse(LOCATION_1);
  const ingress = { ...location.ingress, foreignAgent: "192.0.2.1:434" };
  expect(readableRow("location", rowOf(LOCATION_1))).toEqual({ ...location, ingress });
  expect(readableRow("location", rowOf(LOCATION_1_ALONE))).toEqual({ ...JSON.parse(LOCATION_1_ALONE), ingress: null });
  await store.close();
  const again = await openStore(directory);
  expect(Array.from(again.store.load())).toHaveLength(rows.size);
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
      message: expect.stringContaining(`${path} has schema version 7, and this program knows versions up to 2`),
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
  expect(database.pragma("user_version", { simple: true })).toBe(TABLES_MIGRATIONS.length + 2);
});

test("a migration that fails half way leaves the version before it", () => {
  const database = make(":memory:", TABLES_1);
  const migrations = [...TABLES_MIGRATIONS, "DELETE FROM binding; SELECT * FROM no_such_table"];
  expect(() => migrate(database, migrations)).toThrow("no such table");
  expect(database.prepare("SELECT count(*) FROM binding").pluck().get()).toBe(2);
  expect(database.pragma("user_version", { simple: true })).toBe(TABLES_MIGRATIONS.length);
});

test("migrations make an empty database what version 1 was", () => {
  const database = new Database(":memory:");
  migrate(database, TABLES_MIGRATIONS.slice(0, 1));
  const columns =
    'SELECT m.name AS t, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c';
  expect(database.prepare(columns).all()).toEqual(make(":memory:", TABLES_1).prepare(columns).all());
});
