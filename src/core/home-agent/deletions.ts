/** Bindings that are deleted on an operator's word. Each deletion has one answer: once it lasts, or as soon as it can't. */
import type { Binding } from "../bindings/binding.ts";
import type { Journal } from "../bindings/journal.ts";
import { isTombstone } from "../bindings/mobility-bindings.ts";
import { revised, withoutReplayState } from "../bindings/revision.ts";
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { DeletionOutcome, DeletionRequest, Emit } from "./io.ts";
import type { Owner } from "./owner.ts";

interface Deletion extends DeletionRequest {
  readonly position: number;
  readonly deadlineMs: number;
}

/** Disks and backups that are in reach confirm within milliseconds, or it is found out that they are not. */
const CONFIRMATION_TIMEOUT_MS = 2000;

export class Deletions {
  readonly #self: MemberId;
  readonly #owner: Owner;
  readonly #journal: Journal;
  readonly #emit: Emit;
  /** In the order of their deadlines. */
  #waiting: Deletion[] = [];

  constructor(parts: {
    readonly self: MemberId;
    readonly owner: Owner;
    readonly journal: Journal;
    readonly emit: Emit;
  }) {
    this.#self = parts.self;
    this.#owner = parts.owner;
    this.#journal = parts.journal;
    this.#emit = parts.emit;
  }

  /** Ends a mobile's binding as if its lifetime were over. */
  begin(request: DeletionRequest, now: Now): void {
    const { identity, forgetReplay } = request;
    const binding = this.#owner.find(identity);
    const obstacle = this.#obstacle(binding, forgetReplay);
    if (binding === undefined || obstacle !== undefined) {
      this.#answer(request, obstacle ?? "not-owned");
      return;
    }
    const changed = forgetReplay
      ? withoutReplayState(binding, this.#self, now.wallMs)
      : revised(binding, { registration: { careOfAddresses: [] } }, this.#self, now.wallMs);
    const position = this.#owner.put(changed);
    this.#waiting.push({ ...request, position, deadlineMs: now.monotonicMs + CONFIRMATION_TIMEOUT_MS });
  }

  /** Monotonic ms. */
  get nextDeadlineMs(): number {
    return this.#waiting[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  /** Changes from this position on are lost. */
  storeFailed(firstPosition: number): void {
    this.#settle(({ position }) => (position >= firstPosition ? "store-failed" : undefined));
  }

  progress(now: Now): void {
    this.#settle((deletion) => {
      if (this.#isConfirmed(deletion)) return "deleted";
      return deletion.deadlineMs <= now.monotonicMs ? "unconfirmed" : undefined;
    });
  }

  #obstacle(binding: Binding | undefined, forgetReplay: boolean): DeletionOutcome | undefined {
    if (binding === undefined || (isTombstone(binding) && !forgetReplay)) return "not-owned";
    if (!this.#journal.writable) return "store-failed";
    return forgetReplay && !this.#owner.isCovered(binding.ownership) ? "too-few-backups" : undefined;
  }

  #isConfirmed({ identity, position, forgetReplay }: Deletion): boolean {
    if (!this.#journal.isDurable(position)) return false;
    const binding = this.#owner.find(identity);
    return !forgetReplay || (binding !== undefined && this.#owner.isAcknowledged(binding));
  }

  #settle(outcomeOf: (deletion: Deletion) => DeletionOutcome | undefined): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter((deletion) => {
      const outcome = outcomeOf(deletion);
      if (outcome !== undefined) this.#answer(deletion, outcome);
      return outcome === undefined;
    });
  }

  #answer({ token }: DeletionRequest, outcome: DeletionOutcome): void {
    this.#emit({ type: "deletion", token, outcome });
  }
}
