/** What the store's tests share. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished, vi } from "vitest";
import { openSqliteStore } from "../../../src/adapters/store/sqlite-store.ts";
import type { Store, StoredRow, StoreListener } from "../../../src/adapters/store/store.ts";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";

const DEADLINE_MS = 20_000;
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "anyhome-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Remembers what a store reports. */
export class StoreReports implements StoreListener {
  durablePosition = 0;
  readonly durableReports: number[] = [];
  readonly failures: { readonly firstPosition: number; readonly reason: string }[] = [];
  recoveries = 0;

  durable(position: number): void {
    this.durablePosition = position;
    this.durableReports.push(position);
  }

  failed(firstPosition: number, reason: string): void {
    this.failures.push({ firstPosition, reason });
  }

  recovered(): void {
    this.recoveries += 1;
  }

  async untilDurable(position: number): Promise<void> {
    await until(() => this.durablePosition >= position, `position ${position} is durable`);
  }
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    },
    { timeout: DEADLINE_MS, interval: 5 },
  );
}

export interface OpenedStore {
  readonly store: Store;
  readonly reports: StoreReports;
}

/** Closed at the end of the test, if it was not before. */
export async function openStore(directory: string, owner = { cluster: "alpha", node: "ha1" }): Promise<OpenedStore> {
  const reports = new StoreReports();
  const store = await openSqliteStore({ directory, ...owner, listener: reports });
  onTestFinished(() => store.close());
  return { store, reports };
}

/** Opens a store, writes changes, closes it. */
/** Of a start in between. */
export async function bootCountOf(directory: string): Promise<number> {
  const { store } = await openStore(directory);
  await store.close();
  return store.bootCount;
}

export async function fillStore(directory: string, changes: readonly LoggedChange[]): Promise<void> {
  const { store } = await openStore(directory);
  store.append(changes);
  await store.close();
}

/** `count` changes of as many keys, from `firstPosition` on. */
export function bindings(firstPosition: number, count: number): LoggedChange[] {
  return Array.from({ length: count }, (_, index) => {
    const position = firstPosition + index;
    return {
      position,
      table: "binding",
      key: `nai:user${position}@example.net`,
      row: Buffer.from(`{"position":${position}}`),
    };
  });
}

function textOf(row: Uint8Array | null): string {
  return row === null ? "null" : new TextDecoder().decode(row);
}

/** Rows in an order of their own, to be compared. */
export function sorted(rows: Iterable<StoredRow>): string[] {
  return Array.from(rows, ({ table, key, row }) => `${table} ${key} ${textOf(row)}`).sort();
}

export function asRows(changes: readonly LoggedChange[]): string[] {
  return changes.map(({ table, key, row }) => `${table} ${key} ${textOf(row)}`).sort();
}

export function overwrite(path: string, offset: number, bytes: Buffer): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

export function siblingFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * The command line that runs another one in a mount namespace of its own, with an empty file system of `size` (as in
 * `mount -o size=`) on `directory`; nothing of it outlives the command.
 */
export type OwnFileSystem = (directory: string, size: string) => readonly string[];

/** `undefined` if this machine doesn't let us. */
export function findOwnFileSystem(): OwnFileSystem | undefined {
  const script = 'mount -t tmpfs -o "size=$1,mode=700" none "$2" && shift 2 && exec "$@"';
  return [
    ["unshare", "--mount"],
    ["unshare", "--user", "--map-root-user", "--mount"],
  ]
    .map(
      (unshare): OwnFileSystem =>
        (directory, size) => [...unshare, "sh", "-c", script, "sh", size, directory],
    )
    .find((onOwnFileSystem) => {
      const [command = "", ...args] = onOwnFileSystem(tmpdir(), "1m");
      return spawnSync(command, [...args, "true"]).status === 0;
    });
}
