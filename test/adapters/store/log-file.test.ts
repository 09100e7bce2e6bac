import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { fileIdentity, openDatabase } from "../../../src/adapters/store/database.ts";
import { type FlatChanges, LogFile } from "../../../src/adapters/store/log-file.ts";
import { storePaths } from "../../../src/adapters/store/paths.ts";
import { StoreCorruptError } from "../../../src/adapters/store/store-error.ts";
import { fillStore, temporaryDirectory } from "./store-fixture.ts";

/** Of an empty store. */
async function logPath(): Promise<string> {
  const directory = temporaryDirectory();
  await fillStore(directory, []);
  return storePaths(directory).log;
}

function open(path: string, durableSequence?: number): LogFile {
  const files = [fileIdentity(path), fileIdentity(`${path}-wal`)];
  // As in a store, whose log is never without a reader: SQLite would remove the WAL on closing.
  const anchor = new Database(path, { readonly: true });
  anchor.pragma("schema_version");
  const log = new LogFile({ path, files, bootCount: durableSequence === undefined ? 1 : undefined, durableSequence });
  onTestFinished(() => {
    log.close();
    anchor.close();
  });
  return log;
}

function changes(first: number, count: number): FlatChanges {
  return Array.from({ length: count }, (_, index) => [
    "binding",
    `key ${first + index}`,
    Buffer.from("x".repeat(200)),
  ]).flat();
}

function sequences(path: string): unknown[] {
  const database = new Database(path, { readonly: true });
  const found = database.prepare("SELECT sequence FROM log ORDER BY sequence").pluck().all();
  database.close();
  return found;
}

test("what is beyond the last acknowledged change was reported as failed, and is removed before anything follows it", async () => {
  const path = await logPath();
  open(path).append(changes(1, 5));
  const reopened = open(path, 3);
  expect(sequences(path)).toEqual([1, 2, 3]);
  reopened.append(changes(4, 1));
  expect(sequences(path)).toEqual([1, 2, 3, 4]);
});

test("a log that lacks what was acknowledged does not recover", async () => {
  const path = await logPath();
  open(path).append(changes(1, 5));
  expect(() => open(path, 6)).toThrow(StoreCorruptError);
  expect(() => open(path, 6)).toThrow("it ends at sequence 5, though 6 had been written");
});

test("trimming goes in steps, and the sequence goes on where all was trimmed", async () => {
  const path = await logPath();
  const log = open(path);
  log.append(changes(1, 10));
  expect(log.trim(10, 6)).toBe(true);
  expect(sequences(path)).toEqual([7, 8, 9, 10]);
  expect(log.trim(10, 6)).toBe(false);
  expect(log.trim(10, 6)).toBe(false);
  expect(sequences(path)).toEqual([]);
  open(path, 10).append(changes(11, 1));
  expect(sequences(path)).toEqual([11]);
});

test("the WAL starts over instead of growing", async () => {
  const path = await logPath();
  const log = open(path);
  for (let group = 0; group < 200; group += 1) {
    log.append(changes(group * 1_000, 1_000));
    log.checkpointIfDue();
  }
  // 200,000 changes are some 50 MB.
  expect(statSync(`${path}-wal`).size).toBeLessThan(12_000_000);
});

test("every commit is synced to the disk: FULL, which in WAL mode is not the default", async () => {
  const database = openDatabase(await logPath());
  expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
  expect(database.pragma("synchronous", { simple: true })).toBe(2);
  database.close();
});
