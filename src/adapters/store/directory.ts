/**
 * The store's place on disk, and whose it is:
 *
 *     DIRECTORY/boot.sqlite         the number of the last start; locked for as long as a process has the store open
 *     DIRECTORY/pid                 which process that is
 *     DIRECTORY/data/log.sqlite     changes, in order (with -wal and -shm)
 *     DIRECTORY/data/tables.sqlite  rows (with -wal and -shm)
 *     DIRECTORY/data/closed         the store was closed, and everything is in the two databases
 *     DIRECTORY/new/                a `data` in the making
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { checkIntegrity, explaining, openDatabase, type SqliteDatabase } from "./database.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { BOOT_MIGRATIONS, LOG_MIGRATIONS, type Migrations, migrate, TABLES_MIGRATIONS } from "./schema.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";

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
   * The number of this start: the second in which it happens, so that a store that was lost and made anew counts on from there,
   * and more than the last in any case, should the clock have been set back. It is kept beside the data so that it goes on when
   * damaged data is put aside, and in the data too (`last`), should this file be lost: peers take a home agent with a lower
   * number for an old message of it.
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
  if (existsSync(paths.data)) return;
  const unfinished = join(paths.directory, "new");
  explaining(paths.directory, () => {
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { mode: 0o700 });
    const storeId = randomUUID();
    const made = {
      ...storePaths(paths.directory),
      log: join(unfinished, "log.sqlite"),
      tables: join(unfinished, "tables.sqlite"),
    };
    createDatabase(made.log, LOG_PAGE_BYTES, LOG_MIGRATIONS, owner, storeId);
    createDatabase(made.tables, TABLES_PAGE_BYTES, TABLES_MIGRATIONS, owner, storeId);
    writeFileSync(join(unfinished, "closed"), "", { mode: 0o600 });
    syncDirectory(unfinished);
    renameSync(unfinished, paths.data);
    syncDirectory(paths.directory);
    syncDirectory(dirname(paths.directory));
  });
}

function createDatabase(
  path: string,
  pageBytes: number,
  migrations: Migrations,
  owner: StoreOwner,
  storeId: string,
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

/** So that it is ours alone from the beginning; SQLite gives -wal and -shm the same permissions. */
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
