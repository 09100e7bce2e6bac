/** The durable side of a home agent: a log of row changes that is on disk before anything is acknowledged, and the tables it folds into. */

/** The tables of the store: `binding` rows are whole bindings, `location` rows say where a mobile owned elsewhere is found. */
export type StoreTable = "binding" | "location";

/** One row change. Rows are JSON documents; the store does not look inside them. */
export interface StoreChange {
  readonly table: StoreTable;
  readonly key: string;
  /** `null` deletes. */
  readonly row: string | null;
}

/** A change with its place in the log: 1, 2, 3 ... without gaps over the lifetime of the process. */
export interface LoggedChange extends StoreChange {
  readonly position: number;
}

export interface StoreListener {
  /** Everything up to `position` survives a power loss from now on. */
  durable(position: number): void;
  /**
   * Changes from `firstPosition` on are not on disk, and none will be written until `recover` was called and `recovered`
   * has been heard: order is kept, nothing slips in behind a gap.
   */
  failed(firstPosition: number, reason: string): void;
  /** The store can write again; the next append may follow. */
  recovered(): void;
}

/** Implemented by SQLite (store/sqlite-store.ts) and by memory (store/memory-store.ts, for tests and the simulator). */
export interface Store {
  /** This start's number: 1 the first time, kept on disk, larger at every open. */
  readonly bootCount: number;
  /** All rows, once, before the first append. */
  load(): Iterable<{ readonly table: StoreTable; readonly key: string; readonly row: string }>;
  /** Queues changes and returns at once; what is queued is committed in groups. */
  append(changes: readonly LoggedChange[]): void;
  /** After `failed`: tries to write again, until it works or the store is closed. */
  recover(): void;
  /** Figures for status and metrics. */
  statistics(): StoreStatistics;
  /** Commits what is queued, folds, and closes. */
  close(): Promise<void>;
}

export interface StoreStatistics {
  /** Changes handed over but not yet durable. */
  readonly queuedChanges: number;
  /** Changes on disk in the log, not yet folded into the tables. */
  readonly unfoldedChanges: number;
  /** Duration of the last group commit. */
  readonly lastCommitMs: number;
  readonly freeBytes: number;
}
