/** The durable side of a home agent: a log of row changes that is on disk before anything is acknowledged, and the tables it folds into. */
import type { LoggedChange, StoreTable } from "../../core/bindings/row-change.ts";

export interface StoredRow {
  readonly table: StoreTable;
  readonly key: string;
  readonly row: Uint8Array;
}

/** Called on the thread that opened the store, never from inside one of the store's own methods. */
export interface StoreListener {
  /** Everything up to `position` survives a power loss from now on. */
  durable(position: number): void;
  /**
   * Changes from `firstPosition` on are not on disk, and none will be written until `recover` was called and `recovered`
   * has been heard: order is kept, nothing slips in behind a gap. Like anything unacknowledged, a change of the group that
   * failed may still be found after a crash that comes before `recovered`; never after it.
   */
  failed(firstPosition: number, reason: string): void;
  /** The store can write again; the next append may follow. */
  recovered(): void;
}

/** Implemented by SQLite (adapters/store/sqlite-store.ts) and by memory (adapters/store/memory-store.ts, for tests and the simulator). */
export interface Store {
  /** This start's number, kept on disk: larger at every open, and than that of any store that was in its place before. */
  readonly bootCount: number;
  /**
   * All rows, once, before the first append; in no particular order.
   * @throws StoreCorruptError in the middle of the iteration, when a row does not read back as it was written
   */
  load(): Iterable<StoredRow>;
  /**
   * Queues changes and returns at once; what is queued is committed in groups. Positions go on from the last append's; the
   * first append after `recovered` may start anywhere above the last durable position. Between `failed` and `recovered`
   * changes are ignored. The queue is bounded: the append that exceeds `STORE_QUEUE_LIMIT` ends in `failed`, so whoever
   * admits work watches `statistics().queuedChanges`.
   * @throws RangeError if positions leave a gap or go back
   */
  append(changes: readonly LoggedChange[]): void;
  /** After `failed`: tries to write again, until it works or the store is closed. */
  recover(): void;
  /** Figures for status and metrics. */
  statistics(): StoreStatistics;
  /**
   * Commits what is queued, folds, and closes. What could not be committed was reported by `failed` before.
   * @throws StoreError STORE_UNAVAILABLE if the disk doesn't answer within `CLOSE_DEADLINE_MS`. A thread then hangs in a system
   * call, and only SIGKILL can end the process. Everything that was reported durable is on disk.
   */
  close(): Promise<void>;
}

/** How many changes may wait for their commit: several seconds' worth on a slow disk, some 50 MB of memory at most. */
export const STORE_QUEUE_LIMIT = 65_536;

/** Even a slow disk commits and folds a full queue in this time. */
export const CLOSE_DEADLINE_MS = 10_000;

export interface StoreStatistics {
  /** Changes handed over but not yet durable. */
  readonly queuedChanges: number;
  /** How long the oldest of them has been waiting; grows while the disk hangs. */
  readonly oldestQueuedMs: number;
  /** Changes on disk in the log, not yet folded into the tables. */
  readonly unfoldedChanges: number;
  /** Since the store was opened. */
  readonly committedChanges: number;
  /** Group commits since the store was opened. */
  readonly commits: number;
  /** Duration of the last group commit. */
  readonly lastCommitMs: number;
  /** How often `failed` was reported since the store was opened. */
  readonly failures: number;
  /** Why nothing can be written at present, in the words of the last attempt; absent while the store works. */
  readonly failure?: string;
  /** Free space of the file system that holds the store; `undefined` if it can't be told. */
  readonly freeBytes: number | undefined;
}
