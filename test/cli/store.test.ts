import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../src/adapters/store/sqlite-store.ts";
import { rowFromReadable } from "../../src/core/bindings/readable-row.ts";
import { anyhome } from "./anyhome.ts";

const location = (owner: string) => ({
  mobile: "ip:10.64.1.8",
  homeAddress: "10.64.1.8",
  homeAddressSinceMs: 7,
  owner,
  backups: [],
  generation: 2,
  knownUntilMs: null,
  ingress: null,
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-show-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("the rows of a store are shown while its home agent runs, folded or not, and what can't be read as bytes", async () => {
  const directory = temporaryDirectory();
  const { promise: written, resolve } = Promise.withResolvers<void>();
  const store = await openSqliteStore({
    directory,
    cluster: "alpha",
    node: "ha1",
    listener: {
      durable: (position) => {
        if (position === 4) resolve();
      },
      failed: (_, reason) => expect.fail(reason),
      recovered: () => undefined,
    },
  });
  onTestFinished(() => store.close());
  const put = (position: number, key: string, row: Uint8Array | null) =>
    store.append([{ position, table: "location", key, row }]);
  put(1, "ip:10.64.1.8", rowFromReadable("location", location("ha2")));
  put(2, "ip:10.64.1.9", rowFromReadable("location", location("ha2")));
  put(3, "ip:10.64.1.9", null);
  put(4, "odd", Uint8Array.of(1, 2));
  await written;
  const shown = async () => JSON.parse((await anyhome(["store", "show", directory, "-o", "json"])).stdout);
  const rows = [
    { table: "location", key: "ip:10.64.1.8", row: location("ha2") },
    { table: "location", key: "odd", row: { problem: "it ends before its fields do", bytes: "0102" } },
  ];
  expect(await shown()).toEqual(rows);
  await store.close();
  expect(await shown()).toEqual(rows);
  expect((await anyhome(["store", "show", directory])).stdout).toContain('ip:10.64.1.8  {"mobile":"ip:10.64.1.8"');
  const tables = new Database(join(directory, "data/tables.sqlite"), { readonly: true });
  expect(tables.prepare("SELECT count(*) FROM location").pluck().get()).toBe(2);
  tables.close();
});

test("a directory without a store is told of", async () => {
  const { exitCode, stderr } = await anyhome(["store", "show", temporaryDirectory()]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("tables.sqlite");
});
