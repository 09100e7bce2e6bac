import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FailingDiskResult } from "./failing-disk-child.ts";
import {
  asRows,
  bindings,
  findOwnFileSystem,
  openStore,
  siblingFile,
  sorted,
  temporaryDirectory,
  until,
} from "./store-fixture.ts";

let startedWorkers: Worker[] = [];
const noteWorker = (worker: Worker): void => {
  startedWorkers.push(worker);
};
beforeEach(() => {
  startedWorkers = [];
  process.on("worker", noteWorker);
});
afterEach(() => {
  process.off("worker", noteWorker);
});

function run<Result>(scenario: string, command: readonly string[], directory: string): Result {
  const [program = "", ...args] = [
    ...command,
    process.execPath,
    siblingFile("failing-disk-child.ts"),
    scenario,
    directory,
  ];
  const child = spawnSync(program, args, { encoding: "utf8", timeout: 100_000 });
  if (child.status !== 0) throw new Error(`exit ${child.status}, signal ${child.signal}: ${child.stderr}`);
  expect(child.stderr).toBe("");
  return JSON.parse(child.stdout) as Result;
}

function expectOrderKept(result: FailingDiskResult, reason: RegExp): void {
  for (const failure of result.failures) {
    expect(failure.durablePosition).toBeGreaterThan(0);
    expect(failure.firstPosition).toBe(failure.durablePosition + 1);
    expect(failure.reason).toMatch(reason);
  }
  expect(result.failures).not.toHaveLength(0);
  expect(result.failureWhileRecovering).toMatch(reason);
  // Neither the group that failed, nor what was behind it, nor what was appended in between: only what followed `recovered`.
  expect(result.positionsFound).toEqual(Array.from({ length: result.lastPosition }, (_, index) => index + 1));
}

describe("a disk that fails", () => {
  const onOwnFileSystem = findOwnFileSystem();
  if (onOwnFileSystem === undefined)
    process.stderr.write("SKIPPED: no mount namespace here, so no full and no read-only disk\n");
  // Where CI is set they fail instead.
  const onOwnDisk = test.skipIf(onOwnFileSystem === undefined && process.env.CI === undefined);

  onOwnDisk("a full disk: failed, order kept; when there is space again, recovered", () => {
    const directory = temporaryDirectory();
    expectOrderKept(
      run<FailingDiskResult>("full", onOwnFileSystem?.(directory, "96m") ?? ["false"], directory),
      /full/,
    );
  });

  onOwnDisk("a read-only file system: refused, saying so", () => {
    const directory = temporaryDirectory();
    const command = onOwnFileSystem?.(directory, "96m") ?? ["false"];
    const { code, message } = run<{ code: string; message: string }>("read-only", command, directory);
    expect(code).toBe("STORE_UNAVAILABLE");
    expect(message).toMatch(/read.?only/i);
  });

  test("a write error: failed, order kept; when the disk works again, recovered", () => {
    // Past the limit each write gets EFBIG, which is to SQLite what EIO is: a write error.
    const limited = ["sh", "-c", 'ulimit -S -f 14000 && exec "$@"', "sh"];
    expectOrderKept(run<FailingDiskResult>("file-size-limit", limited, temporaryDirectory()), /disk I\/O error/);
  });
});

test("a deleted directory: failed with the next append, and no recovery by an empty store", async () => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 10));
  await reports.untilDurable(10);

  rmSync(join(directory, "data"), { recursive: true });
  store.append(bindings(11, 1));
  await until(() => reports.failures.length > 0, "the failure is reported");
  expect(reports.failures).toEqual([
    { firstPosition: 11, reason: `${join(directory, "data/log.sqlite")} was deleted while in use` },
  ]);
  expect(store.statistics().freeBytes).toBeUndefined();

  mkdirSync(join(directory, "data"));
  const attemptsBefore = startedWorkers.length;
  store.recover();
  await until(() => startedWorkers.length >= attemptsBefore + 3, "three attempts to recover");
  expect(reports.recoveries).toBe(0);
  await store.close();
});

test("a directory that was moved away: failed; moved back, recovered", async () => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 10));
  await reports.untilDurable(10);

  renameSync(join(directory, "data"), join(directory, "elsewhere"));
  store.append(bindings(11, 1));
  await until(() => reports.failures.length > 0, "the failure is reported");
  store.recover();
  renameSync(join(directory, "elsewhere"), join(directory, "data"));
  await until(() => reports.recoveries === 1, "the store recovers");

  store.append(bindings(11, 1));
  await store.close();
  const next = await openStore(directory);
  expect(sorted(next.store.load())).toEqual(asRows(bindings(1, 11)));
});

test("tables that disappear are noticed by the fold: the log is not trimmed into nothing", async () => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 10));
  await reports.untilDurable(10);
  rmSync(join(directory, "data/tables.sqlite"));
  await until(() => reports.failures.length > 0, "the failure is reported");
  expect(reports.failures).toEqual([
    { firstPosition: 11, reason: `${join(directory, "data/tables.sqlite")} was deleted while in use` },
  ]);
});

test.each([
  ["log", 0],
  ["fold", 1],
])("a %s worker that dies: failed, and recovered by a new one", async (_, index) => {
  const directory = temporaryDirectory();
  const { store, reports } = await openStore(directory);
  store.append(bindings(1, 10));
  await reports.untilDurable(10);

  await startedWorkers[index]?.terminate();
  await until(() => reports.failures.length > 0, "the failure is reported");
  expect(reports.failures).toEqual([
    { firstPosition: 11, reason: expect.stringMatching(/^the (log|fold) worker ended$/) },
  ]);
  expect(store.statistics()).toMatchObject({ failures: 1, failure: reports.failures[0]?.reason });

  store.recover();
  store.recover();
  await until(() => reports.recoveries > 0, "the store recovers");
  expect(store.statistics().failure).toBeUndefined();
  // The positions that failed may be used again or left out.
  store.append(bindings(15, 5));
  await reports.untilDurable(19);
  await store.close();
  const next = await openStore(directory);
  expect(sorted(next.store.load())).toEqual(asRows([...bindings(1, 10), ...bindings(15, 5)]));
  expect(reports.recoveries).toBe(1);
});

test("a store can be closed while it has failed, and while it recovers", async () => {
  const directory = temporaryDirectory();
  for (const recovering of [false, true]) {
    const { store, reports } = await openStore(directory);
    store.append(bindings(1, 10));
    await reports.untilDurable(10);
    await startedWorkers.at(-2)?.terminate();
    await until(() => reports.failures.length > 0, "the failure is reported");
    if (recovering) store.recover();
    await store.close();
  }
  const { store } = await openStore(directory);
  expect(sorted(store.load())).toEqual(asRows(bindings(1, 10)));
});
