/**
 * A member's disk. What has been committed survives; what has not is lost with the power, but for a commit that is under
 * way: it is there as a whole or not at all, as SQLite sees to. It is unknown which of the two. What a disk does beyond
 * that is in disk-damage.ts.
 */
import type { LoggedChange } from "../core/bindings/row-change.ts";
import type { MobileKey } from "../core/names.ts";
import { type Damage, type DamageKind, damage } from "./disk-damage.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";
import { Stored } from "./stored.ts";

/** From a change to its place in the tables. Longer than it really is, so that the log has something to lose. */
const FOLD_DELAY_MS = 3000;
const UNDAMAGED: Damage = { visible: 0, forged: new Set() };

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
  /** Since when nothing has been added. */
  fairSinceMs = 0;
  #hangs = false;
  /** The commit that would have come to an end, if the disk did not hang. */
  #stuck: (() => void) | undefined;
  #commitBeganMs = 0;
  readonly #options: DiskOptions;
  readonly #stored = new Stored();
  #isFolding = false;
  #damage = UNDAMAGED;
  #written: LoggedChange[] = [];
  /** How many of them are in the commit that is under way. */
  #committing = 0;
  /** Tells commits that were begun before the power was lost. */
  #powerOn = 0;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** Nothing has been added to commits since. */
  wasFairSince(ms: number): boolean {
    return this.extraMs === 0 && this.fairSinceMs < ms;
  }

  /** The row that would be there after a start. */
  row(mobile: MobileKey): Uint8Array | undefined {
    return this.#stored.row("binding", mobile);
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
    this.#stored.clear();
    this.#damage = UNDAMAGED;
  }

  damage(kind: DamageKind): void {
    this.#damage = damage(kind, this.#stored, this.#options.random);
  }

  /** What a member starts with, and what had been done to it. */
  load(): ReturnType<Stored["salvage"]> & { readonly damage: Damage } {
    const done = this.#damage;
    this.#damage = UNDAMAGED;
    return { ...this.#stored.salvage(), damage: done };
  }

  /**
   * Returns the first position that is lost, `Infinity` if none is. A disk that is full has written nothing of the commit
   * that was under way; after an I/O error that is unknown.
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
    this.#stored.write(changes);
    if (this.#isFolding) return;
    this.#isFolding = true;
    const powerOn = this.#powerOn;
    this.#options.queue.after(FOLD_DELAY_MS, () => {
      this.#isFolding = false;
      if (this.#powerOn === powerOn) this.#stored.fold();
    });
  }
}
