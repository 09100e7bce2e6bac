/**
 * Requests whose ingress dies in the moment after it has relayed them. The mobile keeps quiet then, and must be answered all
 * the same: temporary bindings are replicated.
 */
import type { Fault } from "./faults.ts";
import type { Attempt, Mobile } from "./mobile.ts";
import type { Mobiles } from "./mobiles.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** Until the ingress is known to be dead, and its backup has the reply; generously. */
const ANSWER_MS = 3000;
/** After another fault, or before it is well over, nothing is expected. */
const AFTERMATH_MS = 3000;
/** What was sent on a stream has mostly arrived by then, and the reply often has not. */
const KILL_AFTER_MS = { least: 3, most: 8 };

interface Orphan {
  readonly mobile: Mobile;
  readonly attempt: Attempt;
  /** A frame that speaks of it was lost, which no home agent makes good. */
  excused: boolean;
}

export class Orphans {
  /** What must never happen, and did. */
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #mobiles: Mobiles;
  readonly #plan: readonly Fault[];
  readonly #waiting = new Set<Orphan>();

  constructor(world: World, mobiles: Mobiles, plan: readonly Fault[]) {
    this.#world = world;
    this.#mobiles = mobiles;
    this.#plan = plan;
    world.onRelayed = (ingress, request) => this.#relayed(ingress, request);
    world.network.onFrameLost = (frame) => this.#lost(frame);
  }

  #relayed(ingress: SimulatedNode, request: Uint8Array): void {
    const { doomed, queue, random } = this.#world;
    if (!doomed.has(ingress)) return;
    queue.after(random.between(KILL_AFTER_MS.least, KILL_AFTER_MS.most), () => {
      const found = this.#mobiles.waitingFor(ingress.id).find(({ attempt }) => isEqual(attempt.payload, request));
      // Else another request will do.
      if (found === undefined || owns(ingress, found.mobile) || !this.#world.network.hasArrived(ingress)) return;
      if (!doomed.delete(ingress)) return;
      this.#world.kill(ingress);
      if (this.#isAlone()) this.#wait({ ...found, excused: false });
    });
  }

  /** Nothing else is out of order, nor will be soon. */
  #isAlone(): boolean {
    const { nowMs } = this.#world.queue;
    const near = this.#plan.filter(
      ({ atMs, lastsMs }) => atMs < nowMs + ANSWER_MS && atMs + lastsMs + AFTERMATH_MS > nowMs,
    );
    return near.length === 1;
  }

  #wait(orphan: Orphan): void {
    const { queue, nodes, acknowledgements } = this.#world;
    // With fewer members a registration has too few backups left, and is not answered.
    if (nodes.length < acknowledgements + 2) return;
    const { mobile, attempt } = orphan;
    mobile.silentUntilMs = queue.nowMs + ANSWER_MS;
    this.#waiting.add(orphan);
    queue.after(ANSWER_MS, () => {
      this.#waiting.delete(orphan);
      if (attempt.replies === 0 && !orphan.excused) {
        this.violations.push(
          `${mobile.name} at ${attempt.sentMs.toFixed(0)} ms: its ingress ${attempt.ingress} died alone, and nobody answered`,
        );
      }
    });
  }

  #lost(frame: Uint8Array): void {
    for (const orphan of this.#waiting) {
      const identification = Buffer.alloc(8);
      identification.writeBigUInt64BE(orphan.attempt.identification);
      if (Buffer.from(frame).includes(identification)) orphan.excused = true;
    }
  }
}

/** What was relayed has come back: the owner dies as well. */
function owns({ id, agent }: SimulatedNode, mobile: Mobile): boolean {
  return agent.findBinding(mobile)?.ownership.owner === id;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
