/**
 * A whole cluster in one thread, under a seed: the unchanged core on simulated clocks, disks and networks. Nothing in here
 * takes real time, and the same seed gives the same run.
 */
import { deriveFrameKey } from "../core/auth/cluster-key.ts";
import type { Output } from "../core/home-agent/io.ts";
import type { MobileKey } from "../core/names.ts";
import { openFrame } from "../core/protocol/frame.ts";
import { decodeStreamMessage } from "../core/protocol/stream-codec.ts";
import { FrameSplitter, MAXIMUM_BODY_BYTES } from "../core/protocol/stream-frame.ts";
import type { Endpoint } from "../core/wire/ipv4.ts";
import { EventQueue } from "./event-queue.ts";
import { Memberships } from "./memberships.ts";
import { SimulatedNetwork } from "./network.ts";
import { type Loaded, SimulatedNode } from "./node.ts";
import { Random } from "./random.ts";
import { CLUSTER, type ClusterOptions, HOP_LIMIT, SECRET, settingsOf, VIRTUAL_ENDPOINT } from "./settings.ts";

/** From the moment in which a member is fit, or not any more, until routers send accordingly. */
const ROUTING_DELAY_MS = 200;

export interface WorldOptions extends ClusterOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Disks that say "written" before they have: what a lost fsync does. */
  readonly lyingDisks?: boolean;
}

/** Something that is told to those who check. */
export interface Reported {
  readonly node: SimulatedNode;
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export interface ReplySent {
  readonly from: string;
  readonly destination: Endpoint;
  readonly payload: Uint8Array;
}

export class World {
  readonly queue = new EventQueue();
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly nodes: readonly SimulatedNode[];
  readonly counts = new Map<string, number>();
  onReply: (reply: ReplySent) => void = () => undefined;
  onEvent: (reported: Reported) => void = () => undefined;
  /** The network never carries a request further than the hop limit, or this is told. */
  onViolation: (violation: string) => void = () => undefined;
  /** A member has relayed a request that it took in itself. */
  onRelayed: (ingress: SimulatedNode, request: Uint8Array) => void = () => undefined;
  /** A member has started with what its disk gave back. */
  onRestored: (node: SimulatedNode, loaded: Loaded) => void = () => undefined;
  /** Members that die when they have relayed a request (sim/orphans.ts). */
  readonly doomed = new Set<SimulatedNode>();
  /** When a disk last lost something. */
  diskLostAtMs = Number.NEGATIVE_INFINITY;
  /** What anycast delivers to: whoever routers believe to be fit. */
  announced: readonly SimulatedNode[] = [];
  readonly #options: WorldOptions;
  readonly #ids: readonly string[];
  readonly #memberships: Memberships;
  /** How often a request was relayed, by its ingress and its number there. */
  readonly #hops = new Map<string, number>();

  constructor(options: WorldOptions) {
    this.#options = options;
    const { queue } = this;
    const random = new Random(options.seed);
    this.random = random;
    const ids = Array.from({ length: options.nodes }, (_, index) => `ha${index + 1}`);
    this.#ids = ids;
    const memberships = new Memberships(ids, queue);
    this.#memberships = memberships;
    this.network = new SimulatedNetwork({
      queue,
      random,
      ids,
      node: (id) => this.node(id),
      areMembers: (one, other) => memberships.areMembers(one, other),
    });
    this.nodes = ids.map(
      (id) =>
        new SimulatedNode(id, {
          lyingDisk: options.lyingDisks ?? false,
          queue,
          random,
          settingsOf: (node, start) => {
            if (memberships.read(node)) this.#endStreamsOfStrangers(node);
            return settingsOf(node, start, { everyone: ids, ids: memberships.of(node) }, options);
          },
          handles: (node, input) => this.network.handles(node.id, input),
          perform: (node, output) => this.#perform(node, output),
          restored: (node, loaded) => this.onRestored(node, loaded),
          count: (what) => this.#count(what),
          event: (node, event, fields) => this.onEvent({ node, event, fields }),
        }),
    );
    for (const node of this.nodes) node.start();
    this.network.dial();
    this.#route();
  }

  node(id: string): SimulatedNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** As many as every member waits for, or did a moment ago. */
  get acknowledgements(): number {
    return Math.min(this.#options.acknowledgements ?? 1, this.#memberships.fewest - 1);
  }

  get maximumMobilesPerAssociation(): number {
    return this.#options.maximumMobilesPerAssociation ?? Number.POSITIVE_INFINITY;
  }

  /** Changes the members in its configuration file, and has it read that: at once, as soon as it can, or when it starts. */
  reload(node: SimulatedNode, change: (members: readonly string[]) => readonly string[]): void {
    this.#memberships.configure(node.id, change);
    node.reconfigure();
  }

  /** No path has been broken since then, and all who run had the same members in mind. */
  wasWholeSince(ms: number): boolean {
    const running = () => this.nodes.filter(({ state }) => state !== "down").map(({ id }) => id);
    return this.network.wasWholeSince(ms) && this.#memberships.agreeSince(ms, running);
  }

  datagram(to: SimulatedNode, payload: Uint8Array, source: Endpoint): void {
    this.queue.after(this.random.between(0.2, 3), () =>
      to.input({ type: "datagram", payload, source, destination: VIRTUAL_ENDPOINT }),
    );
  }

  /** Members whose disk has this registration of the mobile, or a newer one. */
  disksWith(names: readonly (MobileKey | undefined)[], identification: bigint): number {
    return this.nodes.filter((node) => node.hasOnDisk(names, identification)).length;
  }

  kill(node: SimulatedNode): void {
    node.kill();
    for (const id of this.#ids) if (id !== node.id) this.network.end(node.id, id);
  }

  runFor(ms: number): void {
    this.queue.runUntil(this.queue.nowMs + ms);
  }

  #route(): void {
    this.announced = this.nodes.filter(({ ready, state }) => ready && state === "running");
    this.queue.after(ROUTING_DELAY_MS, () => this.#route());
  }

  #endStreamsOfStrangers(id: string): void {
    for (const peer of this.#ids) if (!this.#memberships.areMembers(id, peer)) this.network.end(id, peer);
  }

  #perform(node: SimulatedNode, output: Output): void {
    if (output.type === "reply") {
      this.onReply({ from: node.id, destination: output.destination, payload: output.payload });
    } else if (output.type === "frame") {
      if (output.isRelay) this.#relayed(node, output.to, output.payload);
      this.network.sendFrame(node.id, output.to, output.payload);
    } else if (output.type === "end-stream") {
      this.network.end(node.id, output.to);
    } else if (output.type === "stream") {
      if (this.network.send(node.id, output.to, output.bytes)) this.#countMessages(output.bytes);
    }
  }

  #countMessages(frames: Uint8Array): void {
    const splitter = new FrameSplitter(MAXIMUM_BODY_BYTES);
    splitter.push(frames);
    for (let body = splitter.take(); body !== undefined; body = splitter.take()) {
      const message = decodeStreamMessage(body);
      this.#count(`stream-messages ${message.type}`);
      if (message.type !== "rows") continue;
      this.#count("stream-rows", message.rows.length);
      this.#count(
        "stream-bytes",
        message.rows.reduce((sum, row) => sum + row.length, 0),
      );
    }
  }

  #relayed(node: SimulatedNode, to: string, payload: Uint8Array): void {
    this.#count("relay-frames");
    const frame = openFrame(payload, (sender) => deriveFrameKey(SECRET, CLUSTER, sender, to));
    if (typeof frame === "string") throw new Error(`${node.id} has sent a frame that is refused: ${frame}`);
    const { message } = frame;
    if (message.type !== "relay-request") return;
    const request = `${message.ingress} ${message.requestId}`;
    const hops = (this.#hops.get(request) ?? 0) + 1;
    this.#hops.set(request, hops);
    if (hops === 1) this.#count("relayed-requests");
    if (message.ingress === node.id) this.onRelayed(node, message.request);
    if (hops > HOP_LIMIT) this.onViolation(`request ${request} was relayed ${hops} times`);
  }

  #count(what: string, amount = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
  }
}
