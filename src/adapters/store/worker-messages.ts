/** What the main thread and the two workers of the SQLite store say to each other. */
import type { FlatChanges, LogFileOptions } from "./log-file.ts";
import type { StoreErrorRecord } from "./store-error.ts";
import type { TablesFileOptions } from "./tables-file.ts";

export type LogWorkerData = LogFileOptions;

export type LogRequest =
  /** Commit these as one group. */
  | { readonly type: "append"; readonly lastPosition: number; readonly changes: FlatChanges }
  /** The tables hold everything up to here. */
  | { readonly type: "trim"; readonly throughSequence: number }
  | CloseRequest;

export type LogReport =
  | { readonly type: "opened"; readonly lastSequence: number }
  | {
      readonly type: "committed";
      readonly lastPosition: number;
      readonly lastSequence: number;
      readonly commitMs: number;
    }
  | WorkerEnd;

export type FoldWorkerData = TablesFileOptions;

export type FoldRequest =
  /** Never beyond what the main thread knows to be durable. */
  { readonly type: "fold"; readonly throughSequence: number } | CloseRequest;

export type FoldReport =
  /** Everything that the log holds is in the tables. */
  | { readonly type: "opened"; readonly foldedSequence: number }
  | { readonly type: "folded"; readonly foldedSequence: number }
  | WorkerEnd;

/** Finish what was asked for before, and close the file. */
export interface CloseRequest {
  readonly type: "close";
}

/** The worker's last report. */
export type WorkerEnd =
  | { readonly type: "closed" }
  /** Nothing was or will be written from the request that failed on. */
  | { readonly type: "failed"; readonly error: StoreErrorRecord };
