/** The tables that the log folds into. Runs in the fold worker, which is their only writer; it reads the log through a connection of its own. */
import {
  assertInPlace,
  checkIntegrity,
  type FileIdentity,
  fileIdentity,
  openDatabase,
  probeWrite,
  rowChecksum,
  type SqliteDatabase,
} from "./database.ts";
import { migrate, TABLES_MIGRATIONS } from "./schema.ts";
import { STORE_TABLES } from "./store.ts";
import { StoreCorruptError } from "./store-error.ts";

/** Changes read from the log and folded in one transaction. */
const FOLD_BATCH = 2_000;
/** KiB: a fold touches random pages of the tables. */
const CACHE_KIB = 32_768;

export interface TablesFileOptions {
  readonly path: string;
  readonly logPath: string;
  /** The tables' and the log's database, as they were first opened. */
  readonly files: readonly FileIdentity[];
  /** The whole file is checked. */
  readonly verify: boolean;
  /** What the log holds: more than `trimmedSequence`, up to `lastSequence`. */
  readonly trimmedSequence: number;
  readonly lastSequence: number;
}

interface LogRow {
  readonly sequence: number;
  readonly target: string;
  readonly key: string;
  readonly row: string | null;
  readonly checksum: number;
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
    migrate(tables, TABLES_MIGRATIONS);
    if (options.verify) checkIntegrity(tables);
    probeWrite(tables);
    this.#files = [...options.files, fileIdentity(`${options.path}-wal`)];

    this.#foldedSequence = tables.prepare("SELECT folded_sequence FROM meta").pluck().get() as number;
    refuseMismatch(options, this.#foldedSequence);

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
      for (const { sequence, target, key, row, checksum } of rows) {
        const statement = statements.get(target);
        if (statement === undefined || rowChecksum(target, key, row) !== checksum) {
          throw new StoreCorruptError(
            options.logPath,
            `the change with sequence ${sequence} does not read back as it was written`,
          );
        }
        if (row === null) statement.remove.run(key);
        else statement.upsert.run(key, row, checksum);
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
    const last = changes.at(-1)?.sequence ?? 0;
    if (last !== this.#foldedSequence + changes.length || changes.length === 0) {
      throw new StoreCorruptError(this.#log.name, `changes after sequence ${this.#foldedSequence} are missing`);
    }
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

function refuseMismatch({ path, trimmedSequence, lastSequence }: TablesFileOptions, foldedSequence: number): void {
  if (foldedSequence < trimmedSequence) {
    throw new StoreCorruptError(
      path,
      `it is older than the log: it ends at sequence ${foldedSequence}, the log begins after ${trimmedSequence}`,
    );
  }
  if (foldedSequence > lastSequence) {
    throw new StoreCorruptError(
      path,
      `it is newer than the log: it ends at sequence ${foldedSequence}, the log at ${lastSequence}`,
    );
  }
}
