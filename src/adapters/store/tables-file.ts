/** The tables that the log folds into. Runs in the fold worker, which is their only writer; it reads the log through a connection of its own. */

import { STORE_TABLES } from "../../core/bindings/row-change.ts";
import {
  assertInPlace,
  emptyWal,
  type FileIdentity,
  fileIdentity,
  openDatabase,
  probeWrite,
  type SqliteDatabase,
} from "./database.ts";
import { type LogRow, refuseAlteredChange } from "./log-row.ts";
import { migrate, TABLES_MIGRATIONS } from "./schema.ts";
import { StoreCorruptError } from "./store-error.ts";

/** Changes read from the log and folded in one transaction. */
const FOLD_BATCH = 2_000;
/** A fold touches random pages of the tables. */
const CACHE_KIB = 32_768;
/** 16 MiB: a page that several folds have changed is copied into the database once. */
const CHECKPOINT_PAGES = 8_192;

export interface TablesFileOptions {
  readonly path: string;
  readonly logPath: string;
  /** The tables' and the log's database, as they were first opened. */
  readonly files: readonly FileIdentity[];
  /** The end of the log. */
  readonly lastSequence: number;
}

export class TablesFile {
  readonly #tables: SqliteDatabase;
  readonly #log: SqliteDatabase;
  readonly #files: readonly FileIdentity[];
  readonly #readLog: (fromSequence: number, throughSequence: number) => LogRow[];
  readonly #write: (rows: readonly LogRow[], foldedSequence: number) => void;
  #foldedSequence: number;

  /** @throws StoreError */
  constructor(options: TablesFileOptions) {
    assertInPlace(options.files);
    const tables = openDatabase(options.path);
    this.#tables = tables;
    this.#log = openDatabase(options.logPath, { readonly: true });
    tables.pragma(`cache_size = ${-CACHE_KIB}`);
    tables.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    emptyWal(tables);
    migrate(tables, TABLES_MIGRATIONS);
    probeWrite(tables);
    this.#files = [...options.files, fileIdentity(`${options.path}-wal`)];

    this.#foldedSequence = tables.prepare("SELECT folded_sequence FROM meta").pluck().get() as number;
    const select = this.#log.prepare<[number, number], LogRow>(
      `SELECT sequence, target, key, row, checksum FROM log WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ${FOLD_BATCH}`,
    );
    // `all`, not `iterate`: a reader that stays open would keep the log's WAL from starting over.
    this.#readLog = (from, through) => select.all(from, through);
    const statements = new Map(
      STORE_TABLES.map((table) => [
        table as string,
        {
          upsert: tables.prepare(
            `INSERT INTO ${table} (key, row, checksum) VALUES (?, ?, ?)
             ON CONFLICT (key) DO UPDATE SET row = excluded.row, checksum = excluded.checksum`,
          ),
          remove: tables.prepare(`DELETE FROM ${table} WHERE key = ?`),
        },
      ]),
    );
    const noteFolded = tables.prepare("UPDATE meta SET folded_sequence = ?");
    this.#write = tables.transaction((rows: readonly LogRow[], foldedSequence: number) => {
      for (const { target, key, row, checksum } of rows) {
        const statement = statements.get(target);
        if (row === null) statement?.remove.run(key);
        else statement?.upsert.run(key, row, checksum);
      }
      noteFolded.run(foldedSequence);
    }).immediate;
  }

  get foldedSequence(): number {
    return this.#foldedSequence;
  }

  /** Folds the next batch of the log; on return it is on disk. True if there is more to fold. */
  fold(throughSequence: number): boolean {
    if (this.#foldedSequence >= throughSequence) return false;
    const changes = this.#readLog(this.#foldedSequence, throughSequence);
    let last = this.#foldedSequence;
    for (const change of changes) {
      refuseAlteredChange(this.#log.name, change, last);
      last = change.sequence;
    }
    if (changes.length === 0) throw new StoreCorruptError(this.#log.name, `changes after sequence ${last} are missing`);
    this.#write(newestPerKey(changes), last);
    assertInPlace(this.#files);
    this.#foldedSequence = last;
    return last < throughSequence;
  }

  close(): void {
    this.#log.close();
    this.#tables.close();
  }
}

/** A mobile that registered several times costs one write; in the order of keys, neighbours in the index share pages. */
function newestPerKey(changes: readonly LogRow[]): LogRow[] {
  const newest = new Map<string, LogRow>();
  for (const change of changes) newest.set(`${change.target} ${change.key}`, change);
  return [...newest.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}
