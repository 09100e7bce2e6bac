/**
 * An attacker without a key that listens between all members and sends recorded frames again: much later, after restarts,
 * and to other members than they were for. It also sends requests of unknown mobiles. Nothing may follow from any of this.
 */
import type { Message } from "../core/protocol/datagrams.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import { ipv4, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { MessageWriter } from "../core/wire/message-writer.ts";
import { ntpFromEpochMs } from "../core/wire/ntp-timestamp.ts";
import { encodeRequestFields } from "../core/wire/registration-message.ts";
import type { SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";
import { NAI_ASSOCIATION, VIRTUAL_ENDPOINT } from "./settings.ts";
import type { World } from "./world.ts";

/** Between two attacks. */
const PAUSE_MS = { least: 50, most: 400 };
const FRAMES_AT_ONCE = 4;
/** The newest ones are the most credible. */
const NEWEST = 40;
/** To another member than they were for. */
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
    world.network.onFrameArrived = (to, frame) => this.#recorded.get(to)?.push(frame);
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
      this.#forge(victim);
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

  /** To whatever is no mobile's, a member gives no more than its own time. */
  #forge(victim: SimulatedNode): void {
    victim.input({ type: "tick" });
    const relayed = this.#world.counts.get("relayed-requests");
    const source = { address: ipv4("198.51.100.67"), port: 6667 };
    const payload = forgedRequest(victim.now.wallMs + this.#random.next());
    victim.input({ type: "datagram", payload, source, destination: VIRTUAL_ENDPOINT });
    if (this.#world.counts.get("relayed-requests") !== relayed)
      this.violations.push(`${victim.id} relayed a request of a mobile that nobody knows`);
  }

  get #believed(): number {
    const counted = MESSAGE_TYPES.map((type) => this.#world.counts.get(`frames-received ${type}`) ?? 0);
    return counted.reduce((sum, count) => sum + count, 0);
  }

  #violated(what: string): void {
    this.violations.push(`at ${this.#world.queue.nowMs.toFixed(0)} ms: a recorded frame ${what}`);
  }
}

function forgedRequest(nowMs: number): Uint8Array {
  return new MessageWriter(
    encodeRequestFields({
      flags: 0,
      lifetimeSeconds: 1800,
      homeAddress: UNSPECIFIED,
      homeAgent: VIRTUAL_ENDPOINT.address,
      careOfAddress: ipv4("198.51.100.67"),
      identification: ntpFromEpochMs(nowMs),
    }),
  )
    .appendNai("nobody@nowhere.example")
    .appendAuthentication(ExtensionType.MobileHomeAuthentication, NAI_ASSOCIATION.spi, () => new Uint8Array(16))
    .finish();
}

/** What a member makes of the others; not whether something has come in their name. */
function standingsOf({ agent }: SimulatedNode): string {
  const standings = [...agent.peers].map(({ isUnproven, incarnation, ...standing }) => ({
    ...standing,
    incarnation: String(incarnation),
  }));
  return JSON.stringify(standings);
}
