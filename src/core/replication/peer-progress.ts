/**
 * What is under way between this member and one peer, in both directions of replication.
 *
 * What wants an acknowledgement is numbered for each stream by itself. The position of a row in our journal won't do: all
 * that is sent while nothing changes here, such as a synchronization, would have the same.
 */
import type { MobileKey } from "../names.ts";
import type { ForgottenRow, StreamMessage } from "../protocol/stream-messages.ts";
import { PagedList } from "./paged-list.ts";

/** Rows sent and not acknowledged. Beyond it the peer is catching up: it gets no live rows until it has drained. */
export const WINDOW_ROWS = 16_384;
/** A peer that hasn't acknowledged for this long doesn't hold up replies any more. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 1000;
/** Rows in one message: some hundred kilobytes, far below what a stream takes in one piece. */
export const PAGE_ROWS = 256;

export type LinkState = "down" | "catching-up" | "streaming";

/**
 * Many rows, sent page by page as there is room for them. Rows are looked up when their turn comes: meanwhile they change.
 */
interface Backlog {
  /** `copies`: of what the peer owns. `owned`: of ours, what differs there. `strays`: what the peer may not know yet. */
  readonly kind: "copies" | "owned" | "strays";
  readonly mobiles: readonly MobileKey[];
  next: number;
  /** What is to be said once all of them are sent. */
  readonly end: () => StreamMessage | undefined;
}

export class Link {
  #up = false;
  /** Rows changed at or before it were changed before live rows flowed: only a synchronization covers them. */
  #startPosition = 0;
  #acknowledged = 0;
  /** Journal position up to which changes are on the peer's disk. */
  #covered = 0;
  #lastNumber = 0;
  #synchronizedAt = Number.POSITIVE_INFINITY;
  #unansweredDigests = 0;
  #lagging = false;
  #unacknowledged: {
    readonly number: number;
    /** Changes at or before it have been sent with this message or before it. */
    readonly covers: number;
    readonly rows: number;
    readonly sentMs: number;
  }[] = [];
  #unacknowledgedRows = 0;
  /** Rows to go out with the next flush. */
  #queue: Uint8Array[] = [];
  /** Rows of ours that the peer may have, and we don't any more: to be told with the next flush. */
  #forgotten: ForgottenRow[] = [];
  /** Buckets of the peer's rows in which the last comparison has found a difference. */
  #differing: ReadonlySet<number> = new Set();
  /** What is too much to be queued at once, in the order in which it is to be sent. */
  #backlog: Backlog[] = [];
  /** Theirs is on our disk once ours is. */
  #owedAcknowledgements: { readonly theirs: number; readonly ours: number }[] = [];
  /** The peer has told all that it owns and we back up. */
  peerSynchronized = false;
  /** What we own, told to the peer page by page; it answers each that it has checked. */
  readonly check = new PagedList<MobileKey>();

  get state(): LinkState {
    if (!this.#up) return "down";
    return this.isSynchronized && !this.#lagging ? "streaming" : "catching-up";
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** Live rows flow, so that a row sent now will be acknowledged soon. */
  get isAvailable(): boolean {
    return this.#up && !this.#lagging;
  }

  get isSynchronized(): boolean {
    return this.#acknowledged >= this.#synchronizedAt;
  }

  /** Sent or queued. */
  get rowsUnderWay(): number {
    return this.#unacknowledgedRows + this.#queue.length;
  }

  /** For what needn't go now: the other half is for registrations. */
  get hasRoom(): boolean {
    return this.rowsUnderWay <= WINDOW_ROWS / 2;
  }

  /** The same, and what a synchronization has yet to send. */
  get unacknowledgedRows(): number {
    return this.#backlog.reduce((sum, { mobiles, next }) => sum + mobiles.length - next, this.rowsUnderWay);
  }

  opened(position: number): void {
    this.closed();
    this.#up = true;
    this.#startPosition = position;
  }

  closed(): void {
    this.#up = false;
    this.#lagging = false;
    this.#acknowledged = 0;
    this.#covered = 0;
    this.#lastNumber = 0;
    this.#unansweredDigests = 0;
    this.#synchronizedAt = Number.POSITIVE_INFINITY;
    this.#unacknowledged = [];
    this.#unacknowledgedRows = 0;
    this.#queue = [];
    this.#forgotten = [];
    this.#differing = new Set();
    this.#backlog = [];
    this.#owedAcknowledgements = [];
    this.peerSynchronized = false;
    this.check.stop();
  }

  /** The peer has, on its disk, the row whose last change is at `position`. */
  covers(position: number): boolean {
    if (!this.isAvailable) return false;
    return position > this.#startPosition ? this.#covered >= position : this.isSynchronized;
  }

  /**
   * A row changed just now. Returns the number with which it will be acknowledged; `Infinity`: dropped while the peer lags,
   * and found by the synchronization that follows.
   */
  enqueue(row: Uint8Array): number {
    if (!this.isAvailable) return Number.POSITIVE_INFINITY;
    this.#queue.push(row);
    return this.#lastNumber + Math.ceil(this.#queue.length / PAGE_ROWS);
  }

  /** Where there are too many at once, or the peer lags, it learns of the rest by comparison. */
  forget(row: ForgottenRow): void {
    if (this.isAvailable && this.#forgotten.length < WINDOW_ROWS) this.#forgotten.push(row);
  }

  /**
   * What the peer owns was compared with what is held here. Returns the differing buckets that differed the time before as
   * well.
   */
  compared(differing: readonly number[]): readonly number[] {
    const before = this.#differing;
    this.#differing = new Set(differing);
    return differing.filter((bucket) => before.has(bucket));
  }

  digestsSent(): void {
    this.#unansweredDigests++;
  }

  /** An answer to digests of ours. False if newer ones are under way, which know of more: their answer counts. */
  digestsAnswered(): boolean {
    this.#unansweredDigests = Math.max(this.#unansweredDigests - 1, 0);
    return this.#unansweredDigests === 0;
  }

  /** One of each kind at a time. Returns what the former one had to say at its end, if it is superseded. */
  startBacklog(kind: Backlog["kind"], mobiles: readonly MobileKey[], end: Backlog["end"]): StreamMessage | undefined {
    const superseded = this.#backlog.find((backlog) => backlog.kind === kind);
    this.#backlog = this.#backlog.filter((backlog) => backlog !== superseded);
    this.#backlog.push({ kind, mobiles, next: 0, end });
    return superseded?.end();
  }

  /** The next page of the backlog, if there is one and room for it; `end` where it is the last. */
  takeBacklog(): (Pick<Backlog, "kind" | "mobiles"> & { readonly end: Backlog["end"] | undefined }) | undefined {
    const [first] = this.#backlog;
    if (first === undefined || !this.hasRoom) return undefined;
    const { kind, next } = first;
    first.next += PAGE_ROWS;
    const isLast = first.next >= first.mobiles.length;
    if (isLast) this.#backlog.shift();
    return { kind, mobiles: first.mobiles.slice(next, next + PAGE_ROWS), end: isLast ? first.end : undefined };
  }

  get hasBacklog(): boolean {
    return this.#backlog.length > 0;
  }

  /** What is to be sent now, in messages of limited size. */
  flush(position: number, monotonicMs: number): StreamMessage[] {
    const messages: StreamMessage[] = [];
    while (this.#queue.length > 0) {
      const rows = this.#queue.splice(0, PAGE_ROWS);
      // Only the last page stands for all: the acknowledgement of an earlier one says nothing of those behind it.
      const covers = this.#queue.length === 0 ? position : 0;
      messages.push({ type: "rows", number: this.#sent(covers, rows.length, monotonicMs), rows });
    }
    // Behind the rows: a row that was sent last before it was forgotten must not stay.
    while (this.#forgotten.length > 0) messages.push({ type: "forget", rows: this.#forgotten.splice(0, PAGE_ROWS) });
    if (this.#unacknowledgedRows > WINDOW_ROWS) this.#lagging = true;
    return messages;
  }

  /** All that the peer must hold has been sent, once what is sent so far is acknowledged. */
  synchronized(monotonicMs: number): StreamMessage {
    const number = this.#sent(0, 0, monotonicMs);
    this.#synchronizedAt = number;
    return { type: "synchronized", number };
  }

  acknowledged(number: number): void {
    while (this.#unacknowledged[0] !== undefined && this.#unacknowledged[0].number <= number) {
      const { rows, covers } = this.#unacknowledged[0];
      this.#unacknowledged.shift();
      this.#unacknowledgedRows -= rows;
      this.#covered = Math.max(this.#covered, covers);
    }
    this.#acknowledged = Math.max(this.#acknowledged, number);
  }

  /** Returns whether the peer has just become too slow to wait for. */
  checkLag(monotonicMs: number): boolean {
    const oldest = this.#unacknowledged[0];
    if (this.#lagging || oldest === undefined || monotonicMs - oldest.sentMs <= ACKNOWLEDGEMENT_TIMEOUT_MS)
      return false;
    this.#lagging = true;
    return true;
  }

  /** A lagging peer has drained: live rows flow again from here on, and a synchronization fills the gap. */
  resume(position: number): boolean {
    if (!this.#lagging || this.#unacknowledgedRows > WINDOW_ROWS / 4) return false;
    if (this.#unacknowledged.length > 0) return false;
    this.#lagging = false;
    this.#startPosition = position;
    this.#synchronizedAt = Number.POSITIVE_INFINITY;
    return true;
  }

  oweAcknowledgement(theirs: number, ours: number): void {
    this.#owedAcknowledgements.push({ theirs, ours });
  }

  /** What was taken in while our disk failed has been handed to it up to `position`. */
  recovered(position: number): void {
    this.#owedAcknowledgements = this.#owedAcknowledgements.map(({ theirs }) => ({ theirs, ours: position }));
  }

  /** The acknowledgement that can be given, now that our disk has everything up to `durable`. */
  takeAcknowledgement(isDurable: (position: number) => boolean): StreamMessage | undefined {
    let number: number | undefined;
    while (this.#owedAcknowledgements[0] !== undefined && isDurable(this.#owedAcknowledgements[0].ours)) {
      number = this.#owedAcknowledgements.shift()?.theirs;
    }
    return number === undefined ? undefined : { type: "ack", number };
  }

  #sent(covers: number, rows: number, sentMs: number): number {
    const number = ++this.#lastNumber;
    this.#unacknowledged.push({ number, covers, rows, sentMs });
    this.#unacknowledgedRows += rows;
    return number;
  }
}
