/**
 * The store's place on disk, and whose it is:
 *
 *     DIRECTORY/boot.sqlite         the number of the last start; locked for as long as a process has the store open
 *     DIRECTORY/pid                 which process that is
 *     DIRECTORY/data/log.sqlite     changes, in order (with -wal and -shm)
 *     DIRECTORY/data/tables.sqlite  rows (with -wal and -shm)
 *     DIRECTORY/data/closed         the store was closed, and everything is in the two databases
 *     DIRECTORY/new/                a `data` in the making
 *     DIRECTORY/salvaged/           a `data` that is about to take the place of a damaged one
 *     DIRECTORY/data.damaged-TIME/  a `data` whose place another one has taken
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkIntegrity, explaining, openDatabase, type SqliteDatabase } from "./database.ts";
import type { StorePaths } from "./paths.ts";
import { BOOT_MIGRATIONS, LOG_MIGRATIONS, type Migrations, migrate, TABLES_MIGRATIONS } from "./schema.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";

const SALVAGED = "salvaged";
const DAMAGED = ".damaged-";

const LOG_PAGE_BYTES = 4_096;
/** Each row that the fold writes costs a whole page, twice. Smaller still, and too much of a page would be empty. */
const TABLES_PAGE_BYTES = 2_048;
/** Boot counts travel as 32 bits: a clock that is off by decades leaves room for the starts after it. */
const LATEST_BOOT_SECONDS = 2 ** 32 - 2 ** 20;

/** Who a store belongs to. */
export interface StoreOwner {
  readonly cluster: string;
  readonly node: string;
}

export function createDirectory({ directory }: StorePaths): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StoreError(
      "STORE_UNAVAILABLE",
      `cannot create the store directory ${directory}: ${(error as Error).message}`,
    );
  }
}

/** Held by one process at a time; the kernel lets go of it however the process ends. */
export class StoreLock {
  readonly #database: SqliteDatabase;
  readonly #paths: StorePaths;

  /** @throws StoreError */
  constructor(paths: StorePaths) {
    this.#paths = paths;
    try {
      explaining(paths.boot, () => createFile(paths.boot));
      this.#database = openDatabase(paths.boot, { timeoutMs: 200 });
    } catch (error) {
      throw sayingByWhom(paths, error);
    }
    try {
      explaining(paths.boot, () => this.#acquire());
    } catch (error) {
      this.#database.close();
      throw sayingByWhom(paths, error);
    }
  }

  #acquire(): void {
    this.#database.exec("BEGIN EXCLUSIVE");
    // In this locking mode the lock outlives the transaction.
    this.#database.pragma("locking_mode = EXCLUSIVE");
    this.#database.exec("COMMIT");
    checkIntegrity(this.#database);
    migrate(this.#database, BOOT_MIGRATIONS);
    writeFileSync(this.#paths.pid, `${process.pid}\n`, { mode: 0o600 });
  }

  /**
   * The number of this start: the second in which it happens, so that a store that was lost and made again counts on from
   * there, and more than the last in any case, should the clock have been set back. It is kept beside the data so that it
   * goes on when damaged data is put aside, and in the data too (`last`), should this file be lost: peers take a home agent
   * with a lower number for an old message of it.
   */
  nextBootCount(last: number): number {
    return explaining(this.#paths.boot, () => {
      const statement = this.#database.prepare<[number, number], number>(
        "UPDATE boot SET boot_count = max(boot_count + 1, ? + 1, ?) RETURNING boot_count",
      );
      const seconds = Math.min(Math.floor(Date.now() / 1000), LATEST_BOOT_SECONDS);
      const count = statement.pluck().get(last, seconds);
      if (count === undefined) throw new StoreCorruptError(this.#paths.boot, "it has no boot count");
      return count;
    });
  }

  release(): void {
    try {
      rmSync(this.#paths.pid, { force: true });
    } catch {
      // Without the lock it means nothing.
    } finally {
      this.#database.close();
    }
  }
}

function sayingByWhom(paths: StorePaths, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "STORE_IN_USE") return error;
  let holder = "another process";
  try {
    holder = `process ${readFileSync(paths.pid, "utf8").trim()}`;
  } catch {
    // The holder has not written it yet.
  }
  return new StoreError("STORE_IN_USE", `the store ${paths.directory} is already in use by ${holder}`);
}

/** Makes an empty store where there is none: all of it or nothing, so that a lost file is never taken for a new store. */
export function createDataIfAbsent(paths: StorePaths, owner: StoreOwner): void {
  explaining(paths.directory, () => {
    const salvaged = join(paths.directory, SALVAGED);
    // Power was lost in the middle of `replaceData`: it has come so far that nothing is left to decide, or it hasn't begun.
    if (!existsSync(paths.data) && existsSync(salvaged)) renameSync(salvaged, paths.data);
    rmSync(salvaged, { recursive: true, force: true });
    if (!existsSync(paths.data)) makeData(paths, owner, paths.data, () => undefined);
  });
}

/**
 * Puts a new store in the place of a damaged one, with what `fill` puts into its tables. Answers where the damaged one is.
 * @throws StoreError
 */
export function replaceData(paths: StorePaths, owner: StoreOwner, fill: (tables: SqliteDatabase) => void): string {
  return explaining(paths.directory, () => {
    const salvaged = join(paths.directory, SALVAGED);
    const damaged = damagedCopies(paths);
    let seconds = Math.floor(Date.now() / 1000);
    while (damaged.includes(`${paths.data}${DAMAGED}${seconds}`)) seconds += 1;
    const setAside = `${paths.data}${DAMAGED}${seconds}`;
    rmSync(salvaged, { recursive: true, force: true });
    makeData(paths, owner, salvaged, fill);
    renameSync(paths.data, setAside);
    renameSync(salvaged, paths.data);
    syncDirectory(paths.directory);
    return setAside;
  });
}

/** Stores that were set aside by `replaceData`. */
export function damagedCopies(paths: StorePaths): string[] {
  const prefix = `${basename(paths.data)}${DAMAGED}`;
  const names = existsSync(paths.directory) ? readdirSync(paths.directory) : [];
  return names.filter((name) => name.startsWith(prefix)).map((name) => join(paths.directory, name));
}

function makeData(
  paths: StorePaths,
  owner: StoreOwner,
  destination: string,
  fill: (tables: SqliteDatabase) => void,
): void {
  const unfinished = join(paths.directory, "new");
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  const storeId = randomUUID();
  const [log, tables] = [join(unfinished, "log.sqlite"), join(unfinished, "tables.sqlite")];
  createDatabase(log, LOG_PAGE_BYTES, LOG_MIGRATIONS, owner, storeId, () => undefined);
  createDatabase(tables, TABLES_PAGE_BYTES, TABLES_MIGRATIONS, owner, storeId, fill);
  writeFileSync(join(unfinished, "closed"), "", { mode: 0o600 });
  syncDirectory(unfinished);
  renameSync(unfinished, destination);
  syncDirectory(paths.directory);
  syncDirectory(dirname(paths.directory));
}

function createDatabase(
  path: string,
  pageBytes: number,
  migrations: Migrations,
  owner: StoreOwner,
  storeId: string,
  fill: (database: SqliteDatabase) => void,
): void {
  createFile(path);
  const database = openDatabase(path);
  try {
    database.pragma(`page_size = ${pageBytes}`);
    database.pragma("journal_mode = WAL");
    migrate(database, migrations);
    database
      .prepare(
        "INSERT INTO meta (id, store_id, cluster, node, created_at) VALUES (1, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%SZ'))",
      )
      .run(storeId, owner.cluster, owner.node);
    fill(database);
  } finally {
    database.close();
  }
}

/** Notes on disk that the log's WAL may be missing, or that it must be there. */
export function markClosed(paths: StorePaths, closed: boolean): void {
  explaining(paths.closed, () => {
    if (closed) writeFileSync(paths.closed, "", { mode: 0o600 });
    else rmSync(paths.closed, { force: true });
    syncDirectory(paths.data);
  });
}

/** Makes it ours alone from the beginning; SQLite gives -wal and -shm the same permissions. */
function createFile(path: string): void {
  // An existing file must not even be opened: closing it would drop the locks that this process has on it through SQLite.
  if (!existsSync(path)) closeSync(openSync(path, "wx", 0o600));
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
