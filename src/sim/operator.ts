/** An operator, who lets mobiles in that are locked out, and ends bindings. */
import type { Mobile } from "./mobile.ts";
import type { World } from "./world.ts";

export class Operator {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Has the replay state of a mobile forgotten that is refused, as its last request was from a clock that was ahead. */
  letIn(mobile: Mobile): void {
    if (this.#delete(mobile, true) === undefined) return;
    mobile.forgottenAtMs = this.#world.queue.nowMs;
    mobile.mismatches = 0;
    mobile.clockOffsetMs = 0;
  }

  endBinding(mobile: Mobile): void {
    const isConfirmed = this.#delete(mobile, false);
    if (isConfirmed === undefined) return;
    mobile.deletedAtMs = this.#world.queue.nowMs;
    mobile.isDeletionConfirmed = isConfirmed;
  }

  /**
   * On the member that owns the mobile; not while members can't reach each other, when another one may own it as well.
   * Returns what tells later whether it was confirmed; `undefined` if it was refused.
   */
  #delete({ nai, homeAddress }: Mobile, forgetReplay: boolean): (() => boolean) | undefined {
    if (!this.#world.wasWholeSince(this.#world.queue.nowMs)) return undefined;
    for (const node of this.#world.nodes) {
      if (node.state !== "running") continue;
      const token = node.deleteBinding({ nai, homeAddress }, forgetReplay);
      if (token !== undefined) return () => node.confirmedDeletions.has(token);
    }
    return undefined;
  }
}
