/**
 * The two worker threads of an open store, started and ended together:
 *
 *     main thread ──append, trim──▶ log worker ──▶ log.sqlite
 *       ▲  ▲  │ ◀────committed──────┘                  │ (short reads)
 *       │  │  └─────────fold──────▶ fold worker ◀──────┘
 *       │  └───────────folded───────┘     └──▶ tables.sqlite
 */
import type { FileIdentity } from "./database.ts";
import type { FlatChanges } from "./log-file.ts";
import type { StorePaths } from "./paths.ts";
import type { StoreError } from "./store-error.ts";
import { WorkerHandle } from "./worker-handle.ts";
import type {
  FoldReport,
  FoldRequest,
  FoldWorkerData,
  LogReport,
  LogRequest,
  LogWorkerData,
} from "./worker-messages.ts";

export interface WorkersListener {
  committed(lastPosition: number, lastSequence: number, commitMs: number): void;
  folded(foldedSequence: number): void;
  failed(error: StoreError): void;
}

export interface WorkersOptions {
  readonly paths: StorePaths;
  /** The log's database and its WAL. */
  readonly logFiles: readonly FileIdentity[];
  readonly tablesFiles: readonly FileIdentity[];
  /** See LogFileOptions: one of the two is given. */
  readonly bootCount: number | undefined;
  readonly durableSequence: number | undefined;
}

export class StoreWorkers {
  readonly #log: WorkerHandle<LogRequest, LogReport>;
  readonly #fold: WorkerHandle<FoldRequest, FoldReport>;
  /** The end of the log when it was opened; the tables hold all of it. */
  readonly openedSequence: number;

  private constructor(
    log: WorkerHandle<LogRequest, LogReport>,
    fold: WorkerHandle<FoldRequest, FoldReport>,
    openedSequence: number,
  ) {
    this.#log = log;
    this.#fold = fold;
    this.openedSequence = openedSequence;
  }

  /** Opens the files, tries to write to both, and folds what the log holds. @throws StoreError */
  static async start(options: WorkersOptions, listener: WorkersListener): Promise<StoreWorkers> {
    const { paths, logFiles, tablesFiles, bootCount, durableSequence } = options;
    const log = new WorkerHandle<LogRequest, LogReport>("log worker", {
      path: paths.log,
      files: logFiles,
      bootCount,
      durableSequence,
    } satisfies LogWorkerData);
    let fold: WorkerHandle<FoldRequest, FoldReport> | undefined;
    try {
      const { lastSequence } = await log.opened;
      fold = new WorkerHandle<FoldRequest, FoldReport>("fold worker", {
        path: paths.tables,
        logPath: paths.log,
        files: [...tablesFiles, ...logFiles],
        lastSequence,
      } satisfies FoldWorkerData);
      const { foldedSequence } = await fold.opened;
      if (log.failure !== undefined) throw log.failure;
      const workers = new StoreWorkers(log, fold, foldedSequence);
      workers.#listen(listener);
      workers.trim(foldedSequence);
      return workers;
    } catch (error) {
      await Promise.all([log.stop(), fold?.stop()]);
      throw error;
    }
  }

  #listen(listener: WorkersListener): void {
    this.#log.onReport = ({ lastPosition, lastSequence, commitMs }) =>
      listener.committed(lastPosition, lastSequence, commitMs);
    this.#fold.onReport = ({ foldedSequence }) => listener.folded(foldedSequence);
    this.#log.onFailed = (error) => listener.failed(error);
    this.#fold.onFailed = (error) => listener.failed(error);
  }

  append(lastPosition: number, changes: FlatChanges): void {
    this.#log.post({ type: "append", lastPosition, changes });
  }

  fold(throughSequence: number): void {
    this.#fold.post({ type: "fold", throughSequence });
  }

  trim(throughSequence: number): void {
    this.#log.post({ type: "trim", throughSequence });
  }

  /** The tables first: what they hold by then is still trimmed from the log. */
  async close(): Promise<void> {
    await this.#fold.close();
    await this.#log.close();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#log.stop(), this.#fold.stop()]);
  }
}
