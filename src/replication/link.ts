/** What is under way between this member and one peer, in both directions of replication. */
import type { MobileKey } from "../registration/binding.ts";
import type { StreamMessage } from "./message.ts";

/** Rows sent and not acknowledged. Beyond it the peer is catching up: it gets no live rows until it has drained. */
export const WINDOW_ROWS = 16_384;
/** A peer that hasn't acknowledged for this long doesn't hold up replies any more. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 1000;
/** Rows in one message: some hundred kilobytes, far below what a stream takes in one piece. */
export const PAGE_ROWS = 256;

export type LinkState = "down" | "catching-up" | "streaming";

export class Link {
  #up = false;
  /** Rows changed at or before it were changed before live rows flowed: only a synchronization covers them. */
  #startPosition = 0;
  #acknowledged = 0;
  #synchronizedAt = Number.POSITIVE_INFINITY;
  #lagging = false;
  #unacknowledged: { readonly position: number; readonly rows: number; readonly sentMs: number }[] = [];
  #unacknowledgedRows = 0;
  /** Rows to go out with the next flush. */
  #queue: string[] = [];
  /** Keys of rows that a synchronization has yet to send. */
  #backlog: MobileKey[] = [];
  /** Theirs is on our disk once ours is. */
  #owedAcknowledgements: { readonly theirs: number; readonly ours: number }[] = [];
  /** The peer has told all that it owns and we back up, and has checked all that we own. */
  peerSynchronized = false;
  peerChecked = false;

  get state(): LinkState {
    if (!this.#up) return "down";
    return this.isSynchronized && !this.#lagging ? "streaming" : "catching-up";
  }

  get isUp(): boolean {
    return this.#up;
  }

  get isLagging(): boolean {
    return this.#lagging;
  }

  /** Live rows flow, so that a row sent now will be acknowledged soon. */
  get isAvailable(): boolean {
    return this.#up && !this.#lagging;
  }

  get isSynchronized(): boolean {
    return this.#acknowledged >= this.#synchronizedAt;
  }

  get unacknowledgedRows(): number {
    return this.#unacknowledgedRows + this.#queue.length + this.#backlog.length;
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
    this.#synchronizedAt = Number.POSITIVE_INFINITY;
    this.#unacknowledged = [];
    this.#unacknowledgedRows = 0;
    this.#queue = [];
    this.#backlog = [];
    this.#owedAcknowledgements = [];
    this.peerSynchronized = false;
    this.peerChecked = false;
  }

  /** The peer has, on its disk, the row whose last change is at `position`. */
  covers(position: number): boolean {
    if (!this.isAvailable) return false;
    return position > this.#startPosition ? this.#acknowledged >= position : this.isSynchronized;
  }

  /** A row changed just now. Dropped while the peer lags: the synchronization that follows will find it. */
  enqueue(row: string): void {
    if (this.isAvailable) this.#queue.push(row);
  }

  startBacklog(mobiles: readonly MobileKey[]): void {
    this.#backlog = [...mobiles];
  }

  /** The next page of the backlog, if there is one and room for it. */
  takeBacklog(): readonly MobileKey[] {
    if (this.#unacknowledgedRows + this.#queue.length > WINDOW_ROWS / 2) return [];
    return this.#backlog.splice(0, PAGE_ROWS);
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
      const covered = this.#queue.length === 0 ? position : 0;
      this.#sent(covered, rows.length, monotonicMs);
      messages.push({ type: "rows", position: covered, rows });
    }
    if (this.#unacknowledgedRows > WINDOW_ROWS) this.#lagging = true;
    return messages;
  }

  /** All that the peer must hold has been sent, once what is sent so far is acknowledged. */
  synchronized(position: number, monotonicMs: number): StreamMessage {
    this.#synchronizedAt = position;
    this.#sent(position, 0, monotonicMs);
    return { type: "synchronized", position };
  }

  acknowledged(position: number): void {
    while (this.#unacknowledged[0] !== undefined && this.#unacknowledged[0].position <= position) {
      this.#unacknowledgedRows -= this.#unacknowledged.shift()?.rows ?? 0;
    }
    this.#acknowledged = Math.max(this.#acknowledged, position);
  }

  /** Answers whether the peer has just become too slow to wait for. */
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
    let position: number | undefined;
    while (this.#owedAcknowledgements[0] !== undefined && isDurable(this.#owedAcknowledgements[0].ours)) {
      position = this.#owedAcknowledgements.shift()?.theirs;
    }
    return position === undefined ? undefined : { type: "ack", position };
  }

  #sent(position: number, rows: number, sentMs: number): void {
    this.#unacknowledged.push({ position, rows, sentMs });
    this.#unacknowledgedRows += rows;
  }
}
