/**
 * Copies of temporary bindings on a second member, so that a reply finds its foreign agent though the ingress died before
 * the reply came. The ingress tells its backup what it relays, and what has ended. When the ingress dies, or has restarted,
 * the backup relays what is left to the owner as its own, and gets the same reply: docs/replication.md.
 *
 * Nothing waits for a copy, none is acknowledged, none is on a disk: it is of use for seconds.
 */

import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { StreamMessage, TemporaryCopy } from "../protocol/stream-messages.ts";

/** In one message, and adopted in one go. */
const PAGE = 256;
const ENDED_PAGE = 4096;
/** A longer request has no copy: no mobile sends such, and strangers shall not fill the memory. */
export const MAXIMUM_REQUEST_BYTES = 1500;
/** What has ended is told with the next binding, or after this time. */
const ENDED_DELAY_MS = 10;

export interface TemporaryCopiesOptions {
  readonly self: MemberId;
  readonly peers: readonly MemberId[];
  /** Named by the operator as this member's backups. */
  readonly designated: readonly MemberId[];
  /** At most so many copies for others. */
  readonly maximum: number;
  /** How long a copy is kept: as long as the ingress waits for the reply, and its death takes to be noticed. */
  readonly lifetimeMs: number;
  readonly isAvailable: (member: MemberId) => boolean;
  readonly observer: Observer;
  readonly send: (to: MemberId, message: StreamMessage) => void;
  /** Relays the request as this member's own. */
  readonly adopt: (copy: TemporaryCopy, now: Now) => void;
}

interface Outgoing {
  readonly made: TemporaryCopy[];
  readonly ended: number[];
  /** When those that have ended are to be told at the latest; monotonic ms. */
  endedDueMs: number;
}

interface Held {
  readonly copy: TemporaryCopy;
  /** Monotonic ms. */
  readonly expiresAtMs: number;
}

export class TemporaryCopies {
  #options: TemporaryCopiesOptions;
  /** Who may be this member's backup, the first choice first. */
  #backups: readonly MemberId[] = [];
  /** By backup, as long as there is something to be told. */
  readonly #outgoing = new Map<MemberId, Outgoing>();
  /** The backup that has the copy of ours, by Request Id. */
  readonly #copiedTo = new Map<number, MemberId>();
  /** Of other ingresses, by Request Id, in the order in which they came. */
  readonly #held = new Map<MemberId, Map<number, Held>>();
  /** Of ingresses that are gone. */
  readonly #orphans: Held[] = [];

  constructor(options: TemporaryCopiesOptions) {
    this.#options = options;
    this.configure(options);
  }

  configure(changes: Pick<TemporaryCopiesOptions, "peers" | "designated" | "lifetimeMs">): void {
    this.#options = { ...this.#options, ...changes };
    const { self, peers, designated } = this.#options;
    this.#backups = [...new Set([...designated.filter((id) => peers.includes(id)), ...successors(self, peers)])];
  }

  // As the ingress

  /** This member has relayed a request. */
  made(copy: TemporaryCopy): void {
    const { observer } = this.#options;
    const backup = this.#backupFor(copy);
    if (backup === undefined || copy.request.length > MAXIMUM_REQUEST_BYTES) {
      observer.countBy("temporaries-not-copied", backup === undefined ? "no-backup" : "too-long");
      return;
    }
    observer.countBy("temporaries-copied", backup);
    this.#outgoingTo(backup).made.push(copy);
    this.#copiedTo.set(copy.requestId, backup);
  }

  /** The reply has been passed on, or none came. */
  ended(requestId: number, now: Now): void {
    const backup = this.#copiedTo.get(requestId);
    if (backup === undefined) return;
    this.#copiedTo.delete(requestId);
    const outgoing = this.#outgoingTo(backup);
    outgoing.ended.push(requestId);
    outgoing.endedDueMs = Math.min(outgoing.endedDueMs, now.monotonicMs + ENDED_DELAY_MS);
  }

  /** This member did not run, and its backup may have taken its place. */
  stalled(): void {
    this.#copiedTo.clear();
  }

  flush(now: Now): void {
    for (const [backup, { made, ended, endedDueMs }] of this.#outgoing) {
      if (made.length === 0 && endedDueMs > now.monotonicMs) continue;
      this.#outgoing.delete(backup);
      while (made.length > 0 || ended.length > 0) {
        const page = made.splice(0, PAGE);
        // What ends within the same turn must not be said before it was made.
        this.#options.send(backup, {
          type: "temporary",
          made: page,
          ended: made.length === 0 ? ended.splice(0, ENDED_PAGE) : [],
        });
      }
    }
  }

  // As the backup

  told(ingress: MemberId, { made, ended }: StreamMessage<"temporary">, now: Now): void {
    const held = this.#held.get(ingress) ?? new Map<number, Held>();
    this.#held.set(ingress, held);
    const expiresAtMs = now.monotonicMs + this.#options.lifetimeMs;
    let room = this.#options.maximum - this.#size;
    for (const copy of made) {
      if (room-- <= 0) this.#options.observer.countBy("temporaries-not-copied", "overloaded");
      else held.set(copy.requestId, { copy: ownBytes(copy), expiresAtMs });
    }
    for (const requestId of ended) held.delete(requestId);
  }

  /** The member is dead, or a restart has made it forget what it was about to do: its requests are ours. */
  lost(ingress: MemberId): void {
    const held = this.#held.get(ingress);
    if (held === undefined || held.size === 0) return;
    this.#held.delete(ingress);
    this.#options.observer.event("requests-adopted", { member: ingress, requests: held.size });
    for (const orphan of held.values()) this.#orphans.push(orphan);
  }

  passTime(now: Now): void {
    for (const held of this.#held.values()) {
      for (const [requestId, { expiresAtMs }] of held) {
        if (expiresAtMs > now.monotonicMs) break;
        held.delete(requestId);
      }
    }
  }

  work(now: Now): void {
    for (const { copy, expiresAtMs } of this.#orphans.splice(0, PAGE)) {
      if (expiresAtMs <= now.monotonicMs) continue;
      this.#options.observer.count("requests-adopted");
      this.#options.adopt(copy, now);
    }
  }

  /** Monotonic ms. */
  get nextDueMs(): number {
    if (this.#orphans.length > 0) return Number.NEGATIVE_INFINITY;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { endedDueMs } of this.#outgoing.values()) earliestMs = Math.min(earliestMs, endedDueMs);
    return earliestMs;
  }

  #outgoingTo(backup: MemberId): Outgoing {
    const outgoing = this.#outgoing.get(backup) ?? { made: [], ended: [], endedDueMs: Number.POSITIVE_INFINITY };
    this.#outgoing.set(backup, outgoing);
    return outgoing;
  }

  get #size(): number {
    let size = this.#orphans.length;
    for (const held of this.#held.values()) size += held.size;
    return size;
  }

  /** The owner has the request anyway, so another member is better; but the owner is better than none. */
  #backupFor({ owner }: TemporaryCopy): MemberId | undefined {
    const { isAvailable } = this.#options;
    const other = this.#backups.find((id) => id !== owner && isAvailable(id));
    return other ?? (isAvailable(owner) ? owner : undefined);
  }
}

/** The request is a view of the piece of the stream that it came in, which would be kept with it. */
function ownBytes(copy: TemporaryCopy): TemporaryCopy {
  return { ...copy, request: Uint8Array.from(copy.request) };
}

/** All others, beginning behind this one: the same few members get all copies, so that they travel together. */
function successors(self: MemberId, peers: readonly MemberId[]): MemberId[] {
  const sorted = peers.toSorted();
  return [...sorted.filter((id) => id > self), ...sorted.filter((id) => id < self)];
}
