/** The append-only log: the store's point of durability. Runs in the log worker, which is its only writer. */
import { rowChecksum } from "../../core/bindings/stored-row.ts";
import {
  assertInPlace,
  emptyWal,
  type FileIdentity,
  openDatabase,
  probeWrite,
  type SqliteDatabase,
} from "./database.ts";
import { LOG_MIGRATIONS, migrate } from "./schema.ts";
import { StoreCorruptError } from "./store-error.ts";

/** Past this many pages (8 MiB) the WAL is copied into the database, so that it starts over and stays small. */
const CHECKPOINT_PAGES = 2_048;

export interface LogFileOptions {
  readonly path: string;
  /** The database and its WAL, as they were first opened. */
  readonly files: readonly FileIdentity[];
  /** At the first open of the process: the number of this start, to be written down. */
  readonly bootCount: number | undefined;
  /** At a later open: what was acknowledged. It must be there; what is beyond was reported as failed, and is removed. */
  readonly durableSequence: number | undefined;
}

/** Changes as they come from the main thread: table, key, row; table, key, row ... (a flat array is the cheapest to copy between threads). */
export type FlatChanges = readonly (string | Uint8Array | null)[];

export class LogFile {
  readonly #database: SqliteDatabase;
  readonly #files: readonly FileIdentity[];
  #lastSequence: number;
  #trimmedSequence: number;
  readonly #insertGroup: (changes: FlatChanges) => void;
  readonly #trim: (throughSequence: number) => void;

  /** @throws StoreError */
  constructor(options: LogFileOptions) {
    assertInPlace(options.files);
    this.#files = options.files;
    this.#database = openDatabase(options.path);
    const database = this.#database;
    database.pragma("wal_autocheckpoint = 0");
    // First of all: where the disk is full, the WAL may be what fills it.
    emptyWal(database);
    migrate(database, LOG_MIGRATIONS);
    if (options.bootCount !== undefined) {
      database.prepare("UPDATE meta SET boot_count = ?").run(options.bootCount);
    }
    if (options.durableSequence !== undefined) {
      database.prepare("DELETE FROM log WHERE sequence > ?").run(options.durableSequence);
    }
    probeWrite(database);
    assertInPlace(this.#files);

    this.#trimmedSequence = database.prepare("SELECT trimmed_sequence FROM meta").pluck().get() as number;
    const last = database.prepare("SELECT max(sequence) FROM log").pluck().get() as number | null;
    this.#lastSequence = last ?? this.#trimmedSequence;
    if (options.durableSequence !== undefined && this.#lastSequence < options.durableSequence) {
      throw new StoreCorruptError(
        options.path,
        `it ends at sequence ${this.#lastSequence}, though ${options.durableSequence} had been written`,
      );
    }

    const insert = database.prepare("INSERT INTO log (sequence, target, key, row, checksum) VALUES (?, ?, ?, ?, ?)");
    this.#insertGroup = database.transaction((changes: FlatChanges) => {
      for (let index = 0, sequence = this.#lastSequence; index < changes.length; index += 3) {
        const [target, key, row] = changes.slice(index, index + 3) as [string, string, Uint8Array | null];
        insert.run(++sequence, target, key, row, rowChecksum(target, key, row));
      }
    }).immediate;
    const deleteThrough = database.prepare("DELETE FROM log WHERE sequence <= ?");
    const noteTrimmed = database.prepare("UPDATE meta SET trimmed_sequence = ?");
    this.#trim = database.transaction((throughSequence: number) => {
      deleteThrough.run(throughSequence);
      noteTrimmed.run(throughSequence);
    }).immediate;
  }

  /** The sequence counts changes over the whole life of the store. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** On return the changes are on disk. */
  append(changes: FlatChanges): void {
    this.#insertGroup(changes);
    assertInPlace(this.#files);
    this.#lastSequence += changes.length / 3;
  }

  /** Removes up to `limit` changes that the tables hold; true if there is more to remove. */
  trim(throughSequence: number, limit: number): boolean {
    const target = Math.min(throughSequence, this.#trimmedSequence + limit);
    if (target <= this.#trimmedSequence) return false;
    this.#trim(target);
    this.#trimmedSequence = target;
    return target < throughSequence;
  }

  /** Between commits, so that no acknowledgement waits for it. Frames that a reader still needs are left for the next time. */
  checkpointIfDue(): void {
    const [wal] = this.#database.pragma("wal_checkpoint(NOOP)") as readonly { readonly log: number }[];
    if (wal !== undefined && wal.log >= CHECKPOINT_PAGES) this.#database.pragma("wal_checkpoint(PASSIVE)");
  }

  /** Leaves everything in the database file and nothing in the WAL. */
  close(): void {
    emptyWal(this.#database);
    assertInPlace(this.#files);
    this.#database.close();
  }
}
