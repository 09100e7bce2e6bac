import { statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";
import { type OpenedStore, openStore, temporaryDirectory, until } from "./store-fixture.ts";

const KEYS = 5_000;
const ROUND = 50_000;
const filler = "x".repeat(150);

function change(position: number): LoggedChange {
  return { position, table: "binding", key: `key ${position % KEYS}`, row: Buffer.from(`${position} ${filler}`) };
}

async function stream({ store, reports }: OpenedStore, from: number, through: number): Promise<void> {
  for (let position = from; position <= through; ) {
    const end = Math.min(position + 5_000, through + 1);
    store.append(Array.from({ length: end - position }, (_, index) => change(position + index)));
    position = end;
    await reports.untilDurable(position - 10_000);
  }
  await reports.untilDurable(through);
}

test("a stream of 200,000 changes leaves neither a long log nor a long WAL", { timeout: 180_000 }, async () => {
  const directory = temporaryDirectory();
  const opened = await openStore(directory);
  const log = new Database(join(directory, "data/log.sqlite"), { readonly: true });
  const bytes = (name: string): number => statSync(join(directory, "data", name)).size;
  const sizes: { log: number; logWal: number; tablesWal: number }[] = [];

  for (let round = 0; round < 4; round += 1) {
    await stream(opened, round * ROUND + 1, (round + 1) * ROUND);
    await until(() => opened.store.statistics().unfoldedChanges === 0, "everything is folded");
    await until(() => log.prepare("SELECT count(*) FROM log").pluck().get() === 0, "the log is trimmed");
    sizes.push({ log: bytes("log.sqlite"), logWal: bytes("log.sqlite-wal"), tablesWal: bytes("tables.sqlite-wal") });
  }
  log.close();

  // One round is some 12 MB of changes; each round could have left its own behind.
  const last = sizes.at(-1);
  expect(last?.log, JSON.stringify(sizes)).toBeLessThan(25_000_000);
  expect(last?.logWal, JSON.stringify(sizes)).toBeLessThan(25_000_000);
  expect(last?.tablesWal, JSON.stringify(sizes)).toBeLessThan(25_000_000);

  await opened.store.close();
  const { store } = await openStore(directory);
  const rows = Array.from(store.load(), ({ key, row }) => `${key}: ${row}`).sort();
  const expected = Array.from({ length: KEYS }, (_, index) => change(4 * ROUND - index));
  expect(rows).toEqual(expected.map(({ key, row }) => `${key}: ${row}`).sort());
});

test("a reader of the tables does not stop the fold, nor the fold the commits", async () => {
  const directory = temporaryDirectory();
  const opened = await openStore(directory);
  await stream(opened, 1, 1_000);
  await until(() => opened.store.statistics().unfoldedChanges === 0, "everything is folded");
  const rows = opened.store.load()[Symbol.iterator]();
  rows.next();
  await stream(opened, 1_001, 2_000);
  await until(() => opened.store.statistics().unfoldedChanges === 0, "everything is folded");
  rows.return?.();
});
