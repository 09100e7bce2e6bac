/**
 * A member's disk. What has been committed survives; what has not is lost with the power, but for a commit that is under way:
 * it is there as a whole or not at all, as SQLite sees to (a torn one is not). Nobody knows which of the two.
 */
import type { LoggedChange } from "../core/bindings/row-change.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";

export interface DiskOptions {
  readonly queue: EventQueue;
  readonly random: Random;
  /** Says "written" at once, and writes later. */
  readonly lies: boolean;
  readonly durable: (position: number) => void;
}

export class SimulatedDisk {
  works = true;
  /** Added to each commit. */
  extraMs = 0;
  #hangs = false;
  /** The commit that would have come to an end, if the disk did not hang. */
  #stuck: (() => void) | undefined;
  #commitBeganMs = 0;
  readonly #options: DiskOptions;
  readonly #rows = new Map<string, string>();
  #written: LoggedChange[] = [];
  /** How many of them are in the commit that is under way. */
  #committing = 0;
  /** Tells commits that were begun before the power was lost. */
  #powerOn = 0;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  get rows(): ReadonlyMap<string, string> {
    return this.#rows;
  }

  get queued(): number {
    return this.#written.length;
  }

  get hangs(): boolean {
    return this.#hangs;
  }

  /** Of the commit that is under way. */
  get commitMs(): number {
    return this.#committing > 0 ? this.#options.queue.nowMs - this.#commitBeganMs : 0;
  }

  /** No commit comes to an end until it is released: an fsync that doesn't return. */
  hang(): void {
    this.#hangs = true;
  }

  release(): void {
    this.#hangs = false;
    const finish = this.#stuck;
    this.#stuck = undefined;
    finish?.();
  }

  append(changes: readonly LoggedChange[]): void {
    if (!this.works) throw new Error("appended while the store has failed");
    const { lies, queue, durable } = this.#options;
    this.#written.push(...changes);
    const last = changes.at(-1);
    if (lies && last !== undefined) queue.after(0, () => durable(last.position));
    this.#commit();
  }

  losePower(): void {
    this.#leaveCommitToChance();
    this.#written = [];
    this.#committing = 0;
    this.#powerOn++;
    this.works = true;
    this.#hangs = false;
    this.#stuck = undefined;
  }

  wipe(): void {
    this.#rows.clear();
  }

  /**
   * Answers the first position that is lost, `Infinity` if none is. A disk that is full has written nothing of the commit that
   * was under way; after an I/O error nobody knows.
   */
  fail(cause: "full" | "error"): number {
    this.works = false;
    if (cause === "error") this.#leaveCommitToChance();
    const lost = this.#written.splice(0);
    this.#committing = 0;
    this.#powerOn++;
    return lost[0]?.position ?? Number.POSITIVE_INFINITY;
  }

  #leaveCommitToChance(): void {
    const { lies, random } = this.#options;
    if (this.#committing > 0 && !lies && random.chance(0.5)) this.#store(this.#written.slice(0, this.#committing));
  }

  #commit(): void {
    if (this.#committing > 0 || this.#written.length === 0) return;
    const { queue, random, lies, durable } = this.#options;
    const powerOn = this.#powerOn;
    this.#committing = this.#written.length;
    this.#commitBeganMs = queue.nowMs;
    const delayMs = this.extraMs + (random.chance(0.02) ? random.between(20, 200) : random.between(0.3, 4));
    const finish = () => {
      if (this.#powerOn !== powerOn) return;
      if (this.#hangs) {
        this.#stuck = finish;
        return;
      }
      const committed = this.#written.splice(0, this.#committing);
      this.#committing = 0;
      this.#store(committed);
      const last = committed.at(-1);
      if (last !== undefined) durable(last.position);
      this.#commit();
    };
    queue.after(lies ? 1000 : delayMs, finish);
  }

  #store(changes: readonly LoggedChange[]): void {
    for (const { table, key, row } of changes) {
      if (row === null) this.#rows.delete(`${table} ${key}`);
      else this.#rows.set(`${table} ${key}`, row);
    }
  }
}
