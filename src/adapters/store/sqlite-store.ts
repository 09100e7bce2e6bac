/**
 * The store on SQLite. Changes wait in a queue on the main thread; while the log worker commits one group, the next one
 * collects, so groups grow with the load and a lone change waits for nothing. The tables follow the log in the background.
 *
 * Whatever goes wrong in a worker ends in one way: both workers are stopped, what was not acknowledged is dropped, the
 * listener hears `failed`; `recover` starts new workers, which first write for a test.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { LoggedChange } from "../../core/bindings/row-change.ts";
import { STORE_TABLES } from "../../core/bindings/row-change.ts";
import { isIntact } from "../../core/bindings/stored-row.ts";
import { checkData } from "./check-data.ts";
import {
  type FileIdentity,
  fileIdentity,
  freeBytes,
  openDatabase,
  type SqliteDatabase,
  toStoreError,
} from "./database.ts";
import { createDataIfAbsent, createDirectory, markClosed, StoreLock } from "./directory.ts";
import { type StorePaths, storePaths } from "./paths.ts";
import { Positions } from "./positions.ts";
import type { Store, StoredRow, StoreListener, StoreStatistics } from "./store.ts";
import { CLOSE_DEADLINE_MS, STORE_QUEUE_LIMIT } from "./store.ts";
import { StoreCorruptError, StoreError } from "./store-error.ts";
import { StoreWorkers } from "./workers.ts";

/** Changes in one commit: a larger group would not be faster, and the first of it would wait longer. */
const GROUP_LIMIT = 1_000;
/** One being committed and one at hand for when it is done; the rest collects here. */
const GROUPS_IN_FLIGHT = 2;
/** Bounds the log, and with it the time that the next start takes: past it, commits wait for the fold. */
const UNFOLDED_LIMIT = 250_000;
const FOLD_DELAY_MS = 1_000;

const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5_000;
/** A store that fails again sooner than this goes on with the retry delay it had. */
const STABLE_AFTER_MS = 10_000;

export interface SqliteStoreOptions {
  /** Created if missing. Its parent must be writable by this process then. */
  readonly directory: string;
  /** A store opens only for the cluster and node that it was made for. */
  readonly cluster: string;
  readonly node: string;
  readonly listener: StoreListener;
}

/**
 * Opens the store of this node, or makes it. Afterwards everything that was ever reported durable is in the tables.
 * @throws StoreError whose code tells what to do; no data was changed in that case
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const paths = storePaths(options.directory);
  createDirectory(paths);
  const lock = new StoreLock(paths);
  let anchor: SqliteDatabase | undefined;
  try {
    createDataIfAbsent(paths, options);
    const lastBootCount = checkData(paths, options);
    anchor = openAnchor(paths);
    const bootCount = lock.nextBootCount(lastBootCount);
    const store = new SqliteStore(paths, bootCount, lock, anchor, options.listener);
    await store.open();
    return store;
  } catch (error) {
    anchor?.close();
    lock.release();
    throw error;
  }
}

/**
 * When the last writing connection of a database closes, as it does when a worker ends, SQLite deletes the WAL. A reader
 * that stays prevents this; so a WAL that is missing without `markClosed` was lost by other hands, with changes in it.
 */
function openAnchor(paths: StorePaths): SqliteDatabase {
  const anchor = openDatabase(paths.log, { readonly: true });
  markClosed(paths, false);
  return anchor;
}

interface Group {
  readonly size: number;
  readonly sinceMs: number;
}

class SqliteStore implements Store {
  readonly #paths: StorePaths;
  readonly #lock: StoreLock;
  readonly #anchor: SqliteDatabase;
  readonly #listener: StoreListener;
  readonly #logFiles: readonly FileIdentity[];
  readonly #tablesFiles: readonly FileIdentity[];
  readonly bootCount: number;

  #state: "open" | "failed" | "recovering" = "failed";
  #workers: StoreWorkers | undefined;
  #stopped: Promise<void> = Promise.resolve();
  #recovery: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  readonly #positions = new Positions();
  #queue: LoggedChange[] = [];
  #queuedSinceMs = 0;
  #groups: Group[] = [];
  #pumpScheduled = false;
  #durablePosition = 0;
  #durableSequence = 0;

  #foldTimer: NodeJS.Timeout | undefined;
  #foldRequestedSequence = 0;
  #foldedSequence = 0;

  #retryDelayMs = 0;
  #recoveredAtMs = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;
  #failures = 0;
  #committedChanges = 0;
  #commits = 0;
  #lastCommitMs = 0;

  constructor(paths: StorePaths, bootCount: number, lock: StoreLock, anchor: SqliteDatabase, listener: StoreListener) {
    this.#paths = paths;
    this.#lock = lock;
    this.#anchor = anchor;
    this.#listener = listener;
    this.#logFiles = [fileIdentity(paths.log), fileIdentity(`${paths.log}-wal`)];
    this.#tablesFiles = [fileIdentity(paths.tables)];
    this.bootCount = bootCount;
  }

  async open(): Promise<void> {
    await this.#startWorkers(this.bootCount, undefined);
  }

  *load(): Iterable<StoredRow> {
    const path = this.#paths.tables;
    const database = openDatabase(path, { readonly: true });
    try {
      for (const table of STORE_TABLES) {
        const rows = database
          .prepare<[], [string, Uint8Array, number]>(`SELECT key, row, checksum FROM ${table}`)
          .raw()
          .iterate();
        for (const [key, row, checksum] of rows) {
          if (!isIntact({ table, key, row, checksum })) {
            throw new StoreCorruptError(
              path,
              `the ${table} row ${JSON.stringify(key)} does not read back as it was written`,
            );
          }
          yield { table, key, row };
        }
      }
    } catch (error) {
      throw toStoreError(path, error);
    } finally {
      database.close();
    }
  }

  append(changes: readonly LoggedChange[]): void {
    if (this.#state !== "open" || this.#closed !== undefined || changes.length === 0) return;
    this.#positions.take(changes);
    if (this.#queue.length === 0) this.#queuedSinceMs = performance.now();
    for (const change of changes) this.#queue.push(change);
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    // Everything that one turn of the event loop appends goes into one group.
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  recover(): void {
    if (this.#state !== "failed" || this.#closed !== undefined) return;
    this.#state = "recovering";
    this.#recovery = this.#retry();
  }

  statistics(): StoreStatistics {
    const inFlight = this.#groups.reduce((sum, group) => sum + group.size, 0);
    const oldest = this.#groups[0]?.sinceMs ?? (this.#queue.length > 0 ? this.#queuedSinceMs : undefined);
    return {
      queuedChanges: this.#queue.length + inFlight,
      oldestQueuedMs: oldest === undefined ? 0 : performance.now() - oldest,
      unfoldedChanges: this.#durableSequence - this.#foldedSequence,
      committedChanges: this.#committedChanges,
      commits: this.#commits,
      lastCommitMs: this.#lastCommitMs,
      failures: this.#failures,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      freeBytes: freeBytes(this.#paths.data),
    };
  }

  close(): Promise<void> {
    this.#closed ??= Promise.race([this.#close(), this.#closeDeadline()]);
    return this.#closed;
  }

  async #startWorkers(bootCount: number | undefined, durableSequence: number | undefined): Promise<void> {
    const options = {
      paths: this.#paths,
      logFiles: this.#logFiles,
      tablesFiles: this.#tablesFiles,
      bootCount,
      durableSequence,
    };
    const workers = await StoreWorkers.start(options, {
      committed: (lastPosition, lastSequence, commitMs) => this.#committed(lastPosition, lastSequence, commitMs),
      folded: (foldedSequence) => this.#folded(foldedSequence),
      failed: (error) => this.#fail(error.message),
    });
    this.#workers = workers;
    this.#durableSequence = workers.openedSequence;
    this.#foldedSequence = workers.openedSequence;
    this.#foldRequestedSequence = workers.openedSequence;
    this.#state = "open";
    this.#failure = undefined;
  }

  #pump(): void {
    if (this.#state !== "open") return;
    if (this.#queue.length > STORE_QUEUE_LIMIT) {
      this.#fail(`the disk is too slow: ${this.#queue.length} changes wait to be written`);
      return;
    }
    const unfolded = this.#durableSequence - this.#foldedSequence;
    while (this.#queue.length > 0 && this.#groups.length < GROUPS_IN_FLIGHT && unfolded < UNFOLDED_LIMIT) {
      const changes = this.#queue.splice(0, GROUP_LIMIT);
      this.#groups.push({ size: changes.length, sinceMs: this.#queuedSinceMs });
      this.#workers?.append(
        changes.at(-1)?.position ?? 0,
        changes.flatMap((change) => [change.table, change.key, change.row]),
      );
    }
    if (this.#queue.length === 0 && this.#groups.length === 0) this.#drained?.();
  }

  #committed(lastPosition: number, lastSequence: number, commitMs: number): void {
    const group = this.#groups.shift();
    this.#commits += 1;
    this.#committedChanges += group?.size ?? 0;
    this.#lastCommitMs = commitMs;
    this.#durablePosition = lastPosition;
    this.#durableSequence = lastSequence;
    this.#pump();
    this.#scheduleFold();
    this.#listener.durable(lastPosition);
  }

  /** With a delay, so that what changes several times in a short while is written once. */
  #scheduleFold(): void {
    const folding = this.#foldRequestedSequence > this.#foldedSequence;
    if (folding || this.#foldTimer !== undefined || this.#durableSequence === this.#foldedSequence) return;
    this.#foldTimer = setTimeout(() => {
      this.#foldTimer = undefined;
      this.#foldRequestedSequence = this.#durableSequence;
      this.#workers?.fold(this.#durableSequence);
    }, FOLD_DELAY_MS);
  }

  #folded(foldedSequence: number): void {
    this.#foldedSequence = foldedSequence;
    this.#workers?.trim(foldedSequence);
    this.#scheduleFold();
    this.#pump();
  }

  #fail(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#failure = reason;
    this.#failures += 1;
    this.#queue = [];
    this.#groups = [];
    this.#positions.restartAfter(this.#durablePosition);
    clearTimeout(this.#foldTimer);
    this.#foldTimer = undefined;
    this.#stopped = this.#workers?.stop() ?? Promise.resolve();
    this.#workers = undefined;
    this.#drained?.();
    this.#listener.failed(this.#durablePosition + 1, reason);
  }

  async #retry(): Promise<void> {
    await this.#stopped;
    if (performance.now() - this.#recoveredAtMs > STABLE_AFTER_MS) this.#retryDelayMs = 0;
    while (!this.#closing.signal.aborted) {
      try {
        await delay(this.#retryDelayMs, undefined, { signal: this.#closing.signal });
        this.#retryDelayMs = Math.min(Math.max(RETRY_FIRST_MS, this.#retryDelayMs * 2), RETRY_LONGEST_MS);
        await this.#startWorkers(undefined, this.#durableSequence);
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#failure = (error as Error).message;
        continue;
      }
      this.#recoveredAtMs = performance.now();
      if (!this.#closing.signal.aborted) this.#listener.recovered();
      return;
    }
  }

  async #closeDeadline(): Promise<never> {
    await delay(CLOSE_DEADLINE_MS, undefined, { ref: false });
    const waiting = this.#groups.reduce((sum, { size }) => sum + size, this.#queue.length);
    const problem = `the disk has not answered for ${CLOSE_DEADLINE_MS / 1000} s`;
    throw new StoreError(
      "STORE_UNAVAILABLE",
      `the store can't be closed: ${problem}; ${waiting} changes are not on it`,
    );
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#recovery;
    if (this.#queue.length > 0 || this.#groups.length > 0) {
      await new Promise<void>((drained) => {
        this.#drained = drained;
      });
    }
    clearTimeout(this.#foldTimer);
    this.#workers?.fold(this.#durableSequence);
    await this.#workers?.close();
    await this.#stopped;
    this.#anchor.close();
    try {
      if (this.#state === "open") markClosed(this.#paths, true);
    } catch {
      // As after a crash, then: the store is complete, and its WAL is there.
    } finally {
      this.#lock.release();
    }
  }
}
