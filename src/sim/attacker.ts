/**
 * Somebody without a key who listens between all members, and sends what was said again: much later, after restarts, and to
 * others than it was for. Nothing may follow from it.
 */
import type { Message } from "../core/protocol/datagrams.ts";
import { UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Between two attacks. */
const PAUSE_MS = { least: 50, most: 400 };
const FRAMES_AT_ONCE = 4;
/** The newest ones are the most credible. */
const NEWEST = 40;
/** To somebody else than they were for. */
const MISDIRECTED = 0.1;

const MESSAGE_TYPES: readonly Message["type"][] = ["heartbeat", "relay-request", "relay-reply"];

export class Attacker {
  /** What must never happen, and did. */
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #random: Random;
  /** By whom they were for. They have arrived: what the network has lost would not be said again, but late. */
  readonly #recorded = new Map<SimulatedNode, Uint8Array[]>();

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    for (const node of world.nodes) this.#recorded.set(node, []);
    world.onFrameArrived = (to, frame) => this.#recorded.get(to)?.push(frame);
    this.#strike();
  }

  #strike(): void {
    const { queue, nodes } = this.#world;
    const victim = this.#random.pick(nodes);
    const recordedFrom = this.#random.chance(MISDIRECTED) ? this.#random.pick(nodes) : victim;
    const frames = this.#recorded.get(recordedFrom) ?? [];
    const eligible = this.#random.chance(0.5) ? frames.slice(-NEWEST) : frames;
    // What waits for a member that doesn't run, or lags, has not been read yet.
    if (victim.state === "running" && !victim.isSlow && eligible.length > 0) {
      for (let count = 0; count < FRAMES_AT_ONCE; count++) this.#replay(victim, this.#random.pick(eligible));
    }
    queue.after(this.#random.between(PAUSE_MS.least, PAUSE_MS.most), () => this.#strike());
  }

  #replay(victim: SimulatedNode, payload: Uint8Array): void {
    // What time alone changes is not the frame's doing.
    victim.input({ type: "tick" });
    const before = { standings: standingsOf(victim), believed: this.#believed };
    victim.input({ type: "frame", payload, source: { address: UNSPECIFIED, port: 4340 } });
    if (standingsOf(victim) !== before.standings) this.#violated(`changed what ${victim.id} thinks of others`);
    else if (this.#believed !== before.believed) this.#violated(`was believed by ${victim.id}`);
  }

  get #believed(): number {
    const counted = MESSAGE_TYPES.map((type) => this.#world.counts.get(`frames-received ${type}`) ?? 0);
    return counted.reduce((sum, count) => sum + count, 0);
  }

  #violated(what: string): void {
    this.violations.push(`at ${this.#world.queue.nowMs.toFixed(0)} ms: a recorded frame ${what}`);
  }
}

/** What a member makes of the others; not whether something has come in their name. */
function standingsOf({ agent }: SimulatedNode): string {
  const standings = [...agent.peers].map(({ isUnproven, incarnation, ...standing }) => ({
    ...standing,
    incarnation: String(incarnation),
  }));
  return JSON.stringify(standings);
}
