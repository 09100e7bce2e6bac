/**
 * A whole cluster in one thread, under a seed: the unchanged core on simulated clocks, disks and networks. Nothing in here
 * takes real time, and the same seed gives the same run.
 */

import type { MobileAssociation } from "../auth/association.ts";
import { AssociationTable } from "../auth/association-table.ts";
import type { HomeAgentSettings } from "../cluster/home-agent.ts";
import type { Input, Output } from "../cluster/io.ts";
import { type Endpoint, type Ipv4Range, ipv4, UNSPECIFIED } from "../wire/ipv4.ts";
import { EventQueue } from "./event-queue.ts";
import { SimulatedNode } from "./node.ts";
import { Random } from "./random.ts";

export const VIRTUAL_ENDPOINT: Endpoint = { address: ipv4("10.64.0.1"), port: 434 };
const KEY = new TextEncoder().encode("1234567812345678");
const SECRET = new Uint8Array(32).fill(1);

export const ASSOCIATION: MobileAssociation = {
  spi: 256,
  algorithm: "hmac-md5",
  key: KEY,
  replay: { style: "timestamps", windowMs: 7000 },
  mobiles: { by: "home-addresses", range: { first: ipv4("10.64.1.0"), last: ipv4("10.79.255.254") } },
};
export const NAI_ASSOCIATION: MobileAssociation = {
  ...ASSOCIATION,
  spi: 257,
  mobiles: { by: "realm", realm: "example.com" },
};

/** Of cluster/frame.ts. */
const FRAME_TYPE_OFFSET = 3;
const HEARTBEAT = 1;

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Loss, duplication, reordering and delay of datagrams; delay alone of streams. */
  readonly lossyNetwork: boolean;
  /** Of `acks` and `copies` in the configuration. */
  readonly acknowledgements?: number;
  readonly copies?: number;
  /** Disks that say "written" before they have: what a lost fsync does. */
  readonly lyingDisks?: boolean;
  /** All members hand out the same dynamic home addresses, which no configuration allows. */
  readonly sharedPool?: boolean;
}

export interface ReplySent {
  readonly from: string;
  readonly destination: Endpoint;
  readonly payload: Uint8Array;
}

export class World {
  readonly queue = new EventQueue();
  readonly random: Random;
  readonly nodes: readonly SimulatedNode[];
  readonly counts = new Map<string, number>();
  onReply: (reply: ReplySent) => void = () => undefined;
  readonly #options: WorldOptions;
  readonly #ids: readonly string[];
  /** Directions in which nothing passes, as "FROM TO". */
  readonly #cut = new Set<string>();
  /** Streams that are open, as "FROM TO" with the number of the connection. */
  readonly #streams = new Map<string, number>();
  readonly #lastDelivery = new Map<string, number>();
  #connections = 0;
  #healedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.#ids = Array.from({ length: options.nodes }, (_, index) => `ha${index + 1}`);
    this.nodes = this.#ids.map(
      (id) =>
        new SimulatedNode(id, {
          lyingDisk: options.lyingDisks ?? false,
          queue: this.queue,
          random: this.random,
          settingsOf: (node, bootCount) => this.#settings(node, bootCount),
          perform: (node, output) => this.#perform(node, output),
          count: (what) => this.counts.set(what, (this.counts.get(what) ?? 0) + 1),
        }),
    );
    for (const node of this.nodes) node.start();
    this.#dial();
  }

  node(id: string): SimulatedNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** What anycast delivers to: whoever is announced, and reached by the foreign agent. */
  get announced(): readonly SimulatedNode[] {
    return this.nodes.filter(({ ready, state }) => ready && state === "running");
  }

  datagram(to: SimulatedNode, payload: Uint8Array, source: Endpoint): void {
    this.queue.after(this.random.between(0.2, 3), () =>
      to.input({ type: "datagram", payload, source, destination: VIRTUAL_ENDPOINT }),
    );
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
    // TCP needs both directions.
    this.#close(from, to, 1000);
  }

  heal(): void {
    this.#cut.clear();
    this.#healedAtMs = this.queue.nowMs;
  }

  /** No path has been broken since then. */
  wasWholeSince(ms: number): boolean {
    return this.#cut.size === 0 && this.#healedAtMs < ms;
  }

  kill(node: SimulatedNode): void {
    node.kill();
    for (const id of this.#ids) if (id !== node.id) this.#close(node.id, id, 5);
  }

  runFor(ms: number): void {
    this.queue.runUntil(this.queue.nowMs + ms);
  }

  #perform(node: SimulatedNode, output: Output): void {
    if (output.type === "reply") {
      this.onReply({ from: node.id, destination: output.destination, payload: output.payload });
    } else if (output.type === "frame") {
      const { payload, to } = output;
      if (payload[FRAME_TYPE_OFFSET] !== HEARTBEAT) this.#count("relay-frames");
      this.#datagramTo(node.id, to, { type: "frame", payload, source: { address: UNSPECIFIED, port: 4340 } });
    } else if (output.type === "stream") {
      const route = `${node.id} ${output.to}`;
      const connection = this.#streams.get(route);
      if (connection === undefined) return;
      this.#count("stream-messages");
      if (output.message.type === "rows") {
        this.#count("stream-rows", output.message.rows.length);
        this.#count(
          "stream-bytes",
          output.message.rows.reduce((sum, row) => sum + row.length, 0),
        );
      }
      const { message } = output;
      this.#inOrder(route, () => {
        if (this.#streams.get(route) === connection)
          this.node(output.to).input({ type: "stream", peer: node.id, message });
      });
    }
  }

  #count(what: string, amount = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
  }

  #datagramTo(from: string, to: string, input: Input): void {
    if (this.#cut.has(`${from} ${to}`)) return;
    const lossy = this.#options.lossyNetwork;
    if (lossy && this.random.chance(0.01)) return;
    const copies = lossy && this.random.chance(0.01) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = lossy && this.random.chance(0.02) ? this.random.between(5, 80) : this.random.between(0.1, 2);
      this.queue.after(delayMs, () => this.node(to).input(input));
    }
  }

  #inOrder(route: string, deliver: () => void): void {
    const atMs = Math.max(this.queue.nowMs + this.random.between(0.1, 3), this.#lastDelivery.get(route) ?? 0);
    this.#lastDelivery.set(route, atMs);
    this.queue.at(atMs, deliver);
  }

  /** Members dial whom they have no stream to, again and again. */
  #dial(): void {
    for (const [index, one] of this.#ids.entries()) {
      for (const other of this.#ids.slice(index + 1)) {
        if (
          this.#streams.has(`${one} ${other}`) ||
          this.#cut.has(`${one} ${other}`) ||
          this.#cut.has(`${other} ${one}`)
        )
          continue;
        if (this.node(one).state !== "running" || this.node(other).state !== "running") continue;
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
            if (this.#streams.get(`${peer} ${self}`) === connection)
              this.node(self).input({ type: "stream-opened", peer });
          });
        }
      }
    }
    this.queue.after(this.random.between(50, 150), () => this.#dial());
  }

  #close(one: string, other: string, noticedAfterMs: number): void {
    if (!this.#streams.delete(`${one} ${other}`)) return;
    this.#streams.delete(`${other} ${one}`);
    for (const [self, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      const { life } = this.node(self);
      this.queue.after(this.random.between(0, noticedAfterMs), () => {
        const node = this.node(self);
        if (node.life === life && !this.#streams.has(`${self} ${peer}`)) node.input({ type: "stream-closed", peer });
      });
    }
  }

  #settings(id: string, bootCount: number): HomeAgentSettings {
    const self = this.#ids.indexOf(id);
    const members = this.#ids.map((member, index) => ({ id: member, weight: 100, pool: [this.#slice(index)] }));
    return {
      cluster: "sim",
      secret: SECRET,
      self: id,
      members,
      bootCount,
      virtualEndpoint: VIRTUAL_ENDPOINT,
      heartbeatIntervalMs: 200,
      peerTimeoutMs: 800,
      relayTimeoutMs: 2000,
      hopLimit: 3,
      maximumPending: 1000,
      loadFactor: 1.25,
      replication: {
        copies: this.#options.copies ?? 2,
        acknowledgements: this.#options.acknowledgements ?? 1,
        degradedLifetimeSeconds: DEGRADED_LIFETIME_SECONDS,
        digestIntervalMs: 2000,
        designated: new Map(),
      },
      policy: {
        virtualAddress: VIRTUAL_ENDPOINT.address,
        homeNetworks: [{ address: ipv4("10.64.0.0"), length: 12 }],
        maximumLifetimeSeconds: 1800,
        maximumSimultaneousBindings: 4,
        minimalEncapsulation: true,
        greEncapsulation: true,
        reverseTunneling: "allowed",
        prohibitedCareOfNetworks: [],
        authenticationFailureRepliesPerSecond: 10,
        pool: [this.#slice(self)],
        otherPools: members.flatMap((member, index) => (index === self ? [] : member.pool)),
        poolStickinessMs: 60_000,
      },
      associations: new AssociationTable([ASSOCIATION, NAI_ASSOCIATION], []),
    };
  }

  /** A member's slice of the dynamic home addresses, by its place. */
  #slice(index: number): Ipv4Range {
    const third = this.#options.sharedPool ? 0 : index;
    return { first: ipv4(`10.79.${third}.0`), last: ipv4(`10.79.${third}.255`) };
  }
}

/** Told from what a mobile asks for: a grant of this is a degraded one. */
export const DEGRADED_LIFETIME_SECONDS = 300;
