/** Opening SQLite files the way the store needs them, and putting SQLite's errors into words. */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { StoreCorruptError, StoreError } from "./store-error.ts";

export type SqliteDatabase = Database.Database;

/** Larger than what a group commit or a fold needs, so that a store that recovers does not fail again at its next write. */
const PROBE_BYTES = 1 << 20;
/** A WAL file keeps its size when it starts over; what a burst has added beyond this is given back. */
const WAL_KEPT_BYTES = 64 << 20;

/** @throws StoreError with the file in its message; StoreCorruptError if it is no database */
export function openDatabase(
  file: string,
  options: { readonly readonly?: boolean; readonly timeoutMs?: number } = {},
): SqliteDatabase {
  return explaining(file, () => {
    const database = new Database(file, {
      fileMustExist: true,
      readonly: options.readonly ?? false,
      timeout: options.timeoutMs ?? 5_000,
    });
    try {
      // better-sqlite3 is built with NORMAL for WAL, which survives a crash of the process but not a power loss.
      database.pragma("synchronous = FULL");
      database.pragma("cell_size_check = ON");
      database.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
      // Reads the first page: what is not a database is found out here.
      database.pragma("schema_version");
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Reads every page of the file; about 1 s per GB. */
export function checkIntegrity(database: SqliteDatabase): void {
  explaining(database.name, () => {
    const findings = database.pragma("quick_check(3)") as readonly { readonly quick_check: string }[];
    const problems = findings.map((finding) => finding.quick_check).filter((finding) => finding !== "ok");
    if (problems.length > 0) throw new StoreCorruptError(database.name, problems.join("; ").replaceAll("\n", " "));
  });
}

/** Really writes, and makes the file grow if it must: a file system may show free space and still refuse. */
export function probeWrite(database: SqliteDatabase): void {
  explaining(database.name, () => {
    database.prepare("INSERT INTO probe VALUES (zeroblob(?))").run(PROBE_BYTES);
    database.prepare("DELETE FROM probe").run();
  });
  // After a failed fsync the kernel may take lost pages of the WAL for written. Copying the WAL into the database
  // writes and syncs afresh all that counts; after this nothing depends on what happened to the old WAL.
  emptyWal(database);
}

/** Moves everything into the database file. */
export function emptyWal(database: SqliteDatabase): void {
  explaining(database.name, () => {
    const [result] = database.pragma("wal_checkpoint(TRUNCATE)") as readonly { readonly busy: number }[];
    if (result?.busy !== 0)
      throw new StoreError("STORE_IN_USE", `${database.name}: another process is reading the database`);
  });
}

/** Runs `action`, turning whatever SQLite or the file system throws into a StoreError that names the file. */
export function explaining<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw toStoreError(file, error);
  }
}

export function toStoreError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof Database.SqliteError)) {
    const text = error instanceof Error ? error.message : String(error);
    return new StoreError("STORE_UNAVAILABLE", `${file}: ${text}`, { cause: error });
  }
  const text = `${error.message} (${error.code})`;
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) return new StoreCorruptError(file, text);
  const code = error.code === "SQLITE_BUSY" ? "STORE_IN_USE" : "STORE_UNAVAILABLE";
  // Of its smallest file SQLite says "I/O error" where there is no space.
  const space = error.code.startsWith("SQLITE_IOERR") && hasNoRoom(dirname(file)) ? ", the disk is full" : "";
  return new StoreError(code, `${file}: ${text}${space}`, { cause: error });
}

function hasNoRoom(path: string): boolean {
  const free = freeBytes(path);
  return free !== undefined && free < PROBE_BYTES;
}

/** Free space of the file system that has `path`; `undefined` if it can't be told, as when the directory is gone. */
export function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** A file as it was when it was opened. */
export interface FileIdentity {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

export function fileIdentity(path: string): FileIdentity {
  const { dev, ino } = statSync(path);
  return { path, device: dev, inode: ino };
}

/** Open files that were deleted or replaced go on accepting writes, into nothing: this is how it is noticed. */
export function assertInPlace(files: readonly FileIdentity[]): void {
  for (const file of files) {
    const found = statSync(file.path, { throwIfNoEntry: false });
    if (found?.ino === file.inode && found.dev === file.device) continue;
    throw new StoreError(
      "STORE_UNAVAILABLE",
      `${file.path} was ${found === undefined ? "deleted" : "replaced"} while in use`,
    );
  }
}
