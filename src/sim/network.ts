/** What lies between members: datagrams that may be lost, doubled, late and overtaken, and streams that end when a path breaks. */
import type { Input } from "../core/home-agent/io.ts";
import { UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SimulatedNode } from "./node.ts";
import type { Random } from "./random.ts";

/** Of what is sent on streams, so much arrives in two pieces. */
const CUT = 0.1;
/** Until a member notices that its peer has ended a stream. */
const END_NOTICED_MS = 5;
/** The same, where nothing comes any more. */
const SILENCE_NOTICED_MS = 1000;

/** How bad the network is. */
interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly late: number;
  readonly latenessMs: number;
}
const FAIR: Weather = { loss: 0.01, duplication: 0.01, late: 0.02, latenessMs: 80 };
const STORM: Weather = { loss: 0.15, duplication: 0.1, late: 0.2, latenessMs: 300 };

export interface NetworkOptions {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly ids: readonly string[];
  readonly node: (id: string) => SimulatedNode;
  /** Who may have a stream with whom. */
  readonly areMembers: (one: string, other: string) => boolean;
}

export class SimulatedNetwork {
  onFrameLost: (frame: Uint8Array) => void = () => undefined;
  /** A member has got a frame. */
  onFrameArrived: (to: SimulatedNode, frame: Uint8Array) => void = () => undefined;
  readonly #options: NetworkOptions;
  #storms = 0;
  #calmSinceMs = Number.NEGATIVE_INFINITY;
  /** Directions in which nothing passes, as "FROM TO", and by how many faults. */
  readonly #cut = new Map<string, number>();
  readonly #mendedAtMs = new Map<string, number>();
  #healedAtMs = Number.NEGATIVE_INFINITY;
  /** Streams that are open, as "FROM TO" with the number of the connection. */
  readonly #streams = new Map<string, number>();
  /** The connection that each member knows of, as it is told by these inputs: what it says before goes by the former one. */
  readonly #known = new Map<string, number>();
  readonly #connectionOf = new WeakMap<Input, number>();
  readonly #lastDelivery = new Map<string, number>();
  #connections = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  cut(from: string, to: string): void {
    const direction = `${from} ${to}`;
    this.#cut.set(direction, (this.#cut.get(direction) ?? 0) + 1);
    // TCP needs both directions.
    this.#end(from, to, SILENCE_NOTICED_MS);
  }

  mend(from: string, to: string): void {
    const { nowMs } = this.#options.queue;
    const direction = `${from} ${to}`;
    const faults = (this.#cut.get(direction) ?? 0) - 1;
    if (faults > 0) this.#cut.set(direction, faults);
    else this.#cut.delete(direction);
    this.#mendedAtMs.set(direction, nowMs);
    this.#healedAtMs = nowMs;
  }

  /** No path has been broken since then. */
  wasWholeSince(ms: number): boolean {
    return this.#cut.size === 0 && this.#healedAtMs < ms;
  }

  /** These two have heard each other since then, as far as the network goes. */
  heardSince(one: string, other: string, ms: number): boolean {
    return [`${one} ${other}`, `${other} ${one}`].every(
      (direction) => !this.#cut.has(direction) && (this.#mendedAtMs.get(direction) ?? 0) <= ms,
    );
  }

  storm(): void {
    this.#storms++;
  }

  calm(): void {
    this.#storms--;
    this.#calmSinceMs = this.#options.queue.nowMs;
  }

  /** The network between members has been as good as it gets since then. */
  wasFairSince(ms: number): boolean {
    return this.#storms === 0 && this.#calmSinceMs < ms;
  }

  sendFrame(from: string, to: string, payload: Uint8Array): void {
    if (this.#cut.has(`${from} ${to}`)) return;
    const { queue, random, node } = this.#options;
    const { loss, duplication, late, latenessMs } = this.#weather;
    if (random.chance(loss)) {
      this.onFrameLost(payload);
      return;
    }
    const copies = random.chance(duplication) ? 2 : 1;
    const input: Input = { type: "frame", payload, source: { address: UNSPECIFIED, port: 4340 } };
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = random.chance(late) ? random.between(5, latenessMs) : random.between(0.1, 2);
      queue.after(delayMs, () => {
        const receiver = node(to);
        receiver.input(input);
        if (receiver.state !== "down") this.onFrameArrived(receiver, payload);
      });
    }
  }

  /** A member is about to learn of something: from a stream's opening on it speaks on that stream. */
  handles(id: string, input: Input): void {
    const connection = this.#connectionOf.get(input);
    if (input.type === "stream-opened" && connection !== undefined) this.#known.set(`${id} ${input.peer}`, connection);
  }

  /** False where there is no stream: what is sent is dropped. */
  send(from: string, to: string, bytes: Uint8Array): boolean {
    const route = `${from} ${to}`;
    const connection = this.#streams.get(route);
    if (connection === undefined || this.#known.get(route) !== connection) return false;
    for (const piece of this.#cutAnywhere(bytes)) {
      this.#inOrder(route, () => {
        if (this.#streams.get(route) === connection)
          this.#options.node(to).input({ type: "stream", peer: from, bytes: piece });
      });
    }
    return true;
  }

  /** Nothing that the member has said on its streams is still under way. */
  hasArrived({ id }: SimulatedNode): boolean {
    const { ids, queue } = this.#options;
    return ids.every((peer) => (this.#lastDelivery.get(`${id} ${peer}`) ?? 0) < queue.nowMs);
  }

  /** One of them ends the stream, or its system does. */
  end(one: string, other: string): void {
    this.#end(one, other, END_NOTICED_MS);
  }

  /** Members dial whom they have no stream to, again and again. */
  dial(): void {
    const { ids, node, areMembers, queue, random } = this.#options;
    for (const [index, one] of ids.entries()) {
      for (const other of ids.slice(index + 1)) {
        if (
          this.#streams.has(`${one} ${other}`) ||
          this.#cut.has(`${one} ${other}`) ||
          this.#cut.has(`${other} ${one}`) ||
          !areMembers(one, other)
        )
          continue;
        if (node(one).state !== "running" || node(other).state !== "running") continue;
        const connection = ++this.#connections;
        for (const [from, to] of [
          [one, other],
          [other, one],
        ] as const) {
          this.#streams.set(`${from} ${to}`, connection);
          this.#lastDelivery.delete(`${from} ${to}`);
        }
        for (const [self, peer] of [
          [one, other],
          [other, one],
        ] as const) {
          this.#inOrder(`${peer} ${self}`, () => {
            if (this.#streams.get(`${peer} ${self}`) !== connection) return;
            const opened: Input = { type: "stream-opened", peer };
            this.#connectionOf.set(opened, connection);
            node(self).input(opened);
          });
        }
      }
    }
    queue.after(random.between(50, 150), () => this.dial());
  }

  #end(one: string, other: string, noticedAfterMs: number): void {
    const { queue, random, node } = this.#options;
    if (!this.#streams.delete(`${one} ${other}`)) return;
    this.#streams.delete(`${other} ${one}`);
    for (const [self, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      const { life } = node(self);
      queue.after(random.between(0, noticedAfterMs), () => {
        const member = node(self);
        if (member.life === life && !this.#streams.has(`${self} ${peer}`))
          member.input({ type: "stream-closed", peer });
      });
    }
  }

  #inOrder(route: string, deliver: () => void): void {
    const { queue, random } = this.#options;
    // TCP sends again what is lost: to those who use it, it is late.
    const { loss, latenessMs } = this.#weather;
    const delayMs = random.chance(loss) ? random.between(5, latenessMs) : random.between(0.1, 3);
    const atMs = Math.max(queue.nowMs + delayMs, this.#lastDelivery.get(route) ?? 0);
    this.#lastDelivery.set(route, atMs);
    queue.at(atMs, deliver);
  }

  /** TCP hands over pieces, whatever was sent together. */
  #cutAnywhere(bytes: Uint8Array): Uint8Array[] {
    const { random } = this.#options;
    if (!random.chance(CUT)) return [bytes];
    const at = random.integer(bytes.length + 1);
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  get #weather(): Weather {
    return this.#storms > 0 ? STORM : FAIR;
  }
}
