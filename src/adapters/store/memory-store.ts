/** A store in memory, whose disk obeys the test or the simulator that holds it: nothing becomes durable by itself. */

import { type LoggedChange, STORE_TABLES, type StoreChange, type StoreTable } from "../../core/bindings/row-change.ts";
import { Positions } from "./positions.ts";
import { STORE_QUEUE_LIMIT, type Store, type StoredRow, type StoreListener, type StoreStatistics } from "./store.ts";

/** What outlives a process: open it again and again. */
export class MemoryDisk {
  readonly #tables = new Map<StoreTable, Map<string, Uint8Array>>(STORE_TABLES.map((table) => [table, new Map()]));
  bootCount = 0;
  /** Why nothing can be written at present. */
  fault: string | undefined;

  write({ table, key, row }: StoreChange): void {
    const rows = this.#tables.get(table);
    if (row === null) rows?.delete(key);
    else rows?.set(key, row);
  }

  *rows(): Iterable<StoredRow> {
    for (const [table, rows] of this.#tables) {
      for (const [key, row] of rows) yield { table, key, row };
    }
  }
}

export class MemoryStore implements Store {
  readonly #disk: MemoryDisk;
  readonly #listener: StoreListener;
  readonly bootCount: number;
  #state: "open" | "failed" | "recovering" | "closed" = "open";
  readonly #positions = new Positions();
  #queue: LoggedChange[] = [];
  #durablePosition = 0;
  #commits = 0;
  #committedChanges = 0;
  #failures = 0;

  constructor(disk: MemoryDisk, listener: StoreListener) {
    this.#disk = disk;
    this.#listener = listener;
    disk.bootCount += 1;
    this.bootCount = disk.bootCount;
  }

  load(): Iterable<StoredRow> {
    return this.#disk.rows();
  }

  append(changes: readonly LoggedChange[]): void {
    if (this.#state !== "open") return;
    this.#positions.take(changes);
    this.#queue.push(...changes);
  }

  /**
   * One group commit: the oldest `count` changes of the queue reach the disk and are reported, all of them by default. It
   * fails if the disk has a fault, or if more was queued than a store takes.
   */
  commit(count = this.#queue.length): void {
    if (this.#state !== "open") return;
    const reason =
      this.#disk.fault ?? (this.#queue.length > STORE_QUEUE_LIMIT ? "too many changes wait to be written" : undefined);
    if (reason !== undefined) {
      this.#state = "failed";
      this.#failures += 1;
      this.#queue = [];
      this.#positions.restartAfter(this.#durablePosition);
      this.#listener.failed(this.#durablePosition + 1, reason);
      return;
    }
    const group = this.#queue.splice(0, count);
    const last = group.at(-1);
    if (last === undefined) return;
    for (const change of group) this.#disk.write(change);
    this.#commits += 1;
    this.#committedChanges += group.length;
    this.#durablePosition = last.position;
    this.#listener.durable(last.position);
  }

  recover(): void {
    if (this.#state === "failed") this.#state = "recovering";
  }

  /** One attempt of a store that was told to recover; it succeeds if the disk has no fault. */
  retry(): void {
    if (this.#state !== "recovering" || this.#disk.fault !== undefined) return;
    this.#state = "open";
    this.#listener.recovered();
  }

  /** The process is gone, and with it what was not durable: nothing is written or reported any more. */
  crash(): void {
    this.#state = "closed";
    this.#queue = [];
  }

  close(): Promise<void> {
    this.commit();
    this.#state = "closed";
    return Promise.resolve();
  }

  statistics(): StoreStatistics {
    return {
      queuedChanges: this.#queue.length,
      oldestQueuedMs: 0,
      unfoldedChanges: 0,
      committedChanges: this.#committedChanges,
      commits: this.#commits,
      lastCommitMs: 0,
      failures: this.#failures,
      ...(this.#disk.fault === undefined || this.#state === "open" ? {} : { failure: this.#disk.fault }),
      freeBytes: Number.MAX_SAFE_INTEGER,
    };
  }
}
