import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { STORE_QUEUE_LIMIT } from "../../../src/adapters/store/store.ts";
import {
  asRows,
  bindings,
  bootCountOf,
  fillStore,
  openStore,
  siblingFile,
  sorted,
  temporaryDirectory,
  until,
} from "./store-fixture.ts";

test("what was durable is loaded at the next open, in both tables", async () => {
  const directory = temporaryDirectory();
  const first = await openStore(directory);
  expect([...first.store.load()]).toEqual([]);
  first.store.append([
    { position: 1, table: "binding", key: "nai:a@example.net", row: Buffer.from('{"care-of":"192.0.2.1"}') },
    { position: 2, table: "location", key: "nai:a@example.net", row: Buffer.from('{"owner":"ha2"}') },
  ]);
  await first.reports.untilDurable(2);
  await first.store.close();

  const second = await openStore(directory);
  expect(sorted(second.store.load())).toEqual([
    'binding nai:a@example.net {"care-of":"192.0.2.1"}',
    'location nai:a@example.net {"owner":"ha2"}',
  ]);
});

test("the last change of a key wins, and null deletes", async () => {
  const directory = temporaryDirectory();
  await fillStore(directory, [
    { position: 1, table: "binding", key: "kept", row: Buffer.from("1") },
    { position: 2, table: "binding", key: "deleted", row: Buffer.from("1") },
    { position: 3, table: "binding", key: "kept", row: Buffer.from("2") },
    { position: 4, table: "binding", key: "deleted", row: null },
    { position: 5, table: "binding", key: "returned", row: null },
    { position: 6, table: "binding", key: "returned", row: Buffer.from("3") },
  ]);
  await fillStore(directory, [{ position: 1, table: "binding", key: "returned", row: Buffer.from("4") }]);

  const { store } = await openStore(directory);
  expect(sorted(store.load())).toEqual(["binding kept 2", "binding returned 4"]);
});

test.each([
  ["characters beyond ASCII", "nai:jörg@bücher.example", '{"name":"日本語 🏠"}'],
  ["an empty row and an empty key", "", ""],
  ["a NUL character", "a\0b", "c\0d"],
  ["a row of 1 MiB", "large", "x".repeat(1 << 20)],
])("a row comes back as it was written: %s", async (_, key, text) => {
  const row = Buffer.from(text);
  const directory = temporaryDirectory();
  await fillStore(directory, [{ position: 1, table: "binding", key, row }]);
  const { store } = await openStore(directory);
  expect([...store.load()]).toEqual([{ table: "binding", key, row }]);
});

test("close commits what is queued", async () => {
  const directory = temporaryDirectory();
  const changes = bindings(1, 5_000);
  const { store, reports } = await openStore(directory);
  store.append(changes);
  await store.close();
  expect(reports.durablePosition).toBe(5_000);
  const next = await openStore(directory);
  expect(sorted(next.store.load())).toEqual(asRows(changes));
});

test("changes that arrive during a commit share the next one", async () => {
  const { store, reports } = await openStore(temporaryDirectory());
  for (const change of bindings(1, 3_000)) store.append([change]);
  await reports.untilDurable(3_000);
  // 1,000 per group; the first group may have left with less.
  expect(store.statistics().commits).toBeLessThanOrEqual(4);
  expect(store.statistics().committedChanges).toBe(3_000);
  expect(reports.durableReports).toEqual([...reports.durableReports].sort((a, b) => a - b));
});

test("the number of the start grows with each open, also of a store that was lost, or with a clock that was set back", async () => {
  const directory = temporaryDirectory();
  vi.useFakeTimers({ toFake: ["Date"], now: 1_790_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const counts = [await bootCountOf(directory), await bootCountOf(directory)];
  vi.setSystemTime(1_780_000_000_000);
  counts.push(await bootCountOf(directory));
  rmSync(directory, { recursive: true });
  vi.setSystemTime(1_790_000_060_000);
  counts.push(await bootCountOf(directory));
  expect(counts).toEqual([1_790_000_000, 1_790_000_001, 1_790_000_002, 1_790_000_060]);
});

test("positions begin at 1 in each process, and leave no gap", async () => {
  const directory = temporaryDirectory();
  await fillStore(directory, bindings(1, 10));
  const { store, reports } = await openStore(directory);
  expect(() => store.append(bindings(2, 1))).toThrow(RangeError);
  store.append(bindings(1, 3));
  expect(() => store.append(bindings(3, 1))).toThrow(RangeError);
  expect(() => store.append(bindings(5, 1))).toThrow("position 5 does not follow position 3");
  store.append(bindings(4, 1));
  await reports.untilDurable(4);
});

test("statistics tell what waits, what is not folded yet, and how much space is left", async () => {
  const { store, reports } = await openStore(temporaryDirectory());
  store.append(bindings(1, 100));
  expect(store.statistics().queuedChanges).toBe(100);
  await reports.untilDurable(100);
  expect(store.statistics()).toMatchObject({ queuedChanges: 0, oldestQueuedMs: 0, committedChanges: 100, failures: 0 });
  expect(store.statistics().failure).toBeUndefined();
  expect(store.statistics().lastCommitMs).toBeGreaterThan(0);
  expect(store.statistics().freeBytes).toBeGreaterThan(0);
  await until(() => store.statistics().unfoldedChanges === 0, "everything is folded");
});

test("more changes than the queue takes end in failed, and the store recovers from it", async () => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 10));
  await reports.untilDurable(10);
  store.append(bindings(11, STORE_QUEUE_LIMIT + 1));
  await until(() => reports.failures.length === 1, "the overflow is reported");
  expect(reports.failures[0]).toEqual({
    firstPosition: 11,
    reason: `the disk is too slow: ${STORE_QUEUE_LIMIT + 1} changes wait to be written`,
  });
  expect(store.statistics().queuedChanges).toBe(0);

  store.recover();
  await until(() => reports.recoveries === 1, "the store recovers");
  store.append(bindings(11, 1));
  await store.close();
  const next = await openStore(directory);
  expect(sorted(next.store.load())).toEqual(asRows(bindings(1, 11)));
});

test("directories and files are for the owner alone", async () => {
  const directory = join(temporaryDirectory(), "var/lib/store");
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 1));
  await reports.untilDurable(1);
  const modes = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
    const { mode } = statSync(join(directory, name));
    return `${name} ${(mode & 0o777).toString(8)}`;
  });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(modes.sort()).toEqual([
    "boot.sqlite 600",
    "boot.sqlite-journal 600",
    "data 700",
    "data/log.sqlite 600",
    "data/log.sqlite-shm 600",
    "data/log.sqlite-wal 600",
    "data/tables.sqlite 600",
    "data/tables.sqlite-shm 600",
    "data/tables.sqlite-wal 600",
    "pid 600",
  ]);
});

test("a store whose making was cut short is made anew", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "new"));
  writeFileSync(join(directory, "new/log.sqlite"), "half a database");
  await fillStore(directory, bindings(1, 1));
  const { store } = await openStore(directory);
  expect(sorted(store.load())).toEqual(asRows(bindings(1, 1)));
});

test("close may be called twice, and afterwards nothing is written", async () => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  await Promise.all([store.close(), store.close()]);
  store.append(bindings(1, 1));
  store.recover();
  const next = await openStore(directory);
  expect([...next.store.load()]).toEqual([]);
  expect(reports.failures).toEqual([]);
});

test("the workers start from compiled files as they do from sources", () => {
  const root = siblingFile("../../..");
  const directory = temporaryDirectory();
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  spawnSync(process.execPath, [compiler, "-p", join(root, ".config/tsconfig.build.json"), "--outDir", directory]);
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(directory, "main.js"),
    `import { openSqliteStore } from "./adapters/store/sqlite-store.js";
     const listener = { durable: (position) => console.log("durable", position), failed() {}, recovered() {} };
     const store = await openSqliteStore({ directory: process.argv[2], cluster: "alpha", node: "ha1", listener });
     store.append([{ position: 1, table: "binding", key: "a", row: Buffer.from("1") }]);
     await store.close();`,
  );
  const run = spawnSync(process.execPath, [join(directory, "main.js"), join(directory, "data")], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  expect(run.stdout).toBe("durable 1\n");
});
