import { expect, test } from "vitest";
import { MemoryDisk, MemoryStore } from "../../../src/adapters/store/memory-store.ts";
import { STORE_QUEUE_LIMIT } from "../../../src/adapters/store/store.ts";
import { asRows, bindings, StoreReports, sorted } from "./store-fixture.ts";

test("nothing is durable before a commit, and a commit takes what it is told to", () => {
  const disk = new MemoryDisk();
  const reports = new StoreReports();
  const store = new MemoryStore(disk, reports);
  store.append(bindings(1, 5));
  expect([...disk.rows()]).toEqual([]);
  store.commit(2);
  expect(reports.durableReports).toEqual([2]);
  expect(sorted(disk.rows())).toEqual(asRows(bindings(1, 2)));
  store.commit();
  expect(reports.durableReports).toEqual([2, 5]);
  store.commit();
  expect(reports.durableReports).toEqual([2, 5]);
});

test("a crash loses what was not durable, and counts as a start", () => {
  const disk = new MemoryDisk();
  const reports = new StoreReports();
  const crashed = new MemoryStore(disk, reports);
  crashed.append(bindings(1, 5));
  crashed.commit(3);
  crashed.crash();
  crashed.append(bindings(6, 1));
  crashed.commit();
  expect(reports.durableReports).toEqual([3]);

  const next = new MemoryStore(disk, new StoreReports());
  expect(next.bootCount).toBe(2);
  expect(sorted(next.load())).toEqual(asRows(bindings(1, 3)));
});

test("a fault fails the commit and all that is behind it, until it is mended and the store was told to recover", () => {
  const disk = new MemoryDisk();
  const reports = new StoreReports();
  const store = new MemoryStore(disk, reports);
  store.append(bindings(1, 2));
  store.commit();
  store.append(bindings(3, 2));
  disk.fault = "no space left on device";
  store.commit();
  expect(reports.failures).toEqual([{ firstPosition: 3, reason: "no space left on device" }]);
  expect(store.statistics()).toMatchObject({ queuedChanges: 0, failures: 1, failure: "no space left on device" });

  store.append(bindings(5, 1));
  store.recover();
  store.retry();
  expect(reports.recoveries).toBe(0);
  disk.fault = undefined;
  store.retry();
  expect(reports.recoveries).toBe(1);

  store.append(bindings(7, 1));
  store.commit();
  expect(sorted(disk.rows())).toEqual(asRows([...bindings(1, 2), ...bindings(7, 1)]));
});

test("more changes than the queue takes fail", () => {
  const reports = new StoreReports();
  const store = new MemoryStore(new MemoryDisk(), reports);
  store.append(bindings(1, STORE_QUEUE_LIMIT + 1));
  store.commit();
  expect(reports.failures).toEqual([{ firstPosition: 1, reason: "too many changes wait to be written" }]);
});

test("positions leave no gap", () => {
  const store = new MemoryStore(new MemoryDisk(), new StoreReports());
  store.append(bindings(1, 2));
  expect(() => store.append(bindings(4, 1))).toThrow("position 4 does not follow position 2");
});

test("close commits", async () => {
  const disk = new MemoryDisk();
  const store = new MemoryStore(disk, new StoreReports());
  store.append(bindings(1, 2));
  await store.close();
  expect(sorted(disk.rows())).toEqual(asRows(bindings(1, 2)));
});
