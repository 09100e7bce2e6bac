/**
 * A whole cluster in one thread, under a seed: the unchanged core on simulated clocks, disks and networks. Nothing in here
 * takes real time, and the same seed gives the same run.
 */

import type { MobileAssociation } from "../core/auth/association.ts";
import { AssociationTable } from "../core/auth/association-table.ts";
import { deriveFrameKey } from "../core/auth/cluster-key.ts";
import type { Input, Output } from "../core/home-agent/io.ts";
import type { HomeAgentSettings } from "../core/home-agent/settings.ts";
import type { MobileKey } from "../core/names.ts";
import { openFrame } from "../core/protocol/frame.ts";
import { decodeStreamMessage } from "../core/protocol/stream-codec.ts";
import { FrameSplitter, MAXIMUM_BODY_BYTES } from "../core/protocol/stream-frame.ts";
import { type Endpoint, type Ipv4Range, ipv4, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { EventQueue } from "./event-queue.ts";
import { type Loaded, PEER_TIMEOUT_MS, SimulatedNode, type Start } from "./node.ts";
import { Random } from "./random.ts";

export const VIRTUAL_ENDPOINT: Endpoint = { address: ipv4("10.64.0.1"), port: 434 };
const KEY = new TextEncoder().encode("1234567812345678");
const CLUSTER = "sim";
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

/** One that has a key of its own in the realm. */
export const OWN_NAI = "own@example.com";
export const OWN_ASSOCIATION: MobileAssociation = { ...ASSOCIATION, spi: 258, mobiles: { by: "nai", nai: OWN_NAI } };

/** From the moment in which a member is fit, or not any more, until routers send accordingly. */
const ROUTING_DELAY_MS = 200;

/** Of what is sent on streams, so much arrives in two pieces. */
const CUT = 0.1;

/** How bad the network between members is. */
interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly late: number;
  readonly latenessMs: number;
}
const FAIR: Weather = { loss: 0.01, duplication: 0.01, late: 0.02, latenessMs: 80 };
const STORM: Weather = { loss: 0.15, duplication: 0.1, late: 0.2, latenessMs: 300 };

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Of `acks` and `copies` in the configuration. */
  readonly acknowledgements?: number;
  readonly copies?: number;
  /** Disks that say "written" before they have: what a lost fsync does. */
  readonly lyingDisks?: boolean;
  /** Dynamic home addresses of each member; 256 by default. */
  readonly sliceSize?: number;
  /** All members hand out the same dynamic home addresses, which no configuration allows. */
  readonly sharedPool?: boolean;
  /** More than there are mobiles, by default. */
  readonly maximumMobilesPerAssociation?: number;
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
  readonly nodes: readonly SimulatedNode[];
  readonly counts = new Map<string, number>();
  onReply: (reply: ReplySent) => void = () => undefined;
  onEvent: (reported: Reported) => void = () => undefined;
  /** The network never carries a request further than the hop limit, or this is told. */
  onViolation: (violation: string) => void = () => undefined;
  /** A member has relayed a request that it took in itself. */
  onRelayed: (ingress: SimulatedNode, request: Uint8Array) => void = () => undefined;
  onFrameLost: (frame: Uint8Array) => void = () => undefined;
  /** A member has got a frame. */
  onFrameArrived: (to: SimulatedNode, frame: Uint8Array) => void = () => undefined;
  /** A member has started with what its disk gave back. */
  onRestored: (node: SimulatedNode, loaded: Loaded) => void = () => undefined;
  /** Members that die when they have relayed a request (sim/orphans.ts). */
  readonly doomed = new Set<SimulatedNode>();
  #storms = 0;
  #calmSinceMs = Number.NEGATIVE_INFINITY;
  /** When a disk last lost something. */
  diskLostAtMs = Number.NEGATIVE_INFINITY;
  readonly #options: WorldOptions;
  readonly #ids: readonly string[];
  /** In the configuration file of each, and as each has read it. */
  readonly #configured = new Map<string, readonly string[]>();
  readonly #members = new Map<string, readonly string[]>();
  /** The fewest that a configuration had lately. */
  #fewestMembers: { readonly count: number; readonly untilMs: number };
  /** Directions in which nothing passes, as "FROM TO", and by how many faults. */
  readonly #cut = new Map<string, number>();
  readonly #mendedAtMs = new Map<string, number>();
  /** How often a request was relayed, by its ingress and its number there. */
  readonly #hops = new Map<string, number>();
  /** Streams that are open, as "FROM TO" with the number of the connection. */
  readonly #streams = new Map<string, number>();
  /**
   * The connection that each member knows of, as it is told by these inputs: what it says before goes by the former one.
   */
  readonly #known = new Map<string, number>();
  readonly #connectionOf = new WeakMap<Input, number>();
  readonly #lastDelivery = new Map<string, number>();
  #connections = 0;
  #healedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.#ids = Array.from({ length: options.nodes }, (_, index) => `ha${index + 1}`);
    for (const id of this.#ids) this.#configured.set(id, this.#ids);
    this.#fewestMembers = { count: options.nodes, untilMs: Number.POSITIVE_INFINITY };
    this.nodes = this.#ids.map(
      (id) =>
        new SimulatedNode(id, {
          lyingDisk: options.lyingDisks ?? false,
          queue: this.queue,
          random: this.random,
          settingsOf: (node, start) => {
            this.#read(node);
            return this.#settings(node, start);
          },
          handles: (node, input) => this.#handles(node, input),
          perform: (node, output) => this.#perform(node, output),
          restored: (node, loaded) => this.onRestored(node, loaded),
          count: (what) => this.#count(what),
          event: (node, event, fields) => this.onEvent({ node, event, fields }),
        }),
    );
    for (const node of this.nodes) node.start();
    this.#dial();
    this.#route();
  }

  node(id: string): SimulatedNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** As many as every member waits for, or did a moment ago. */
  get maximumMobilesPerAssociation(): number {
    return this.#options.maximumMobilesPerAssociation ?? 1_000_000;
  }

  get acknowledgements(): number {
    const { count, untilMs } = this.#fewestMembers;
    const fewest = untilMs > this.queue.nowMs ? count : this.#countFewest();
    return Math.min(this.#options.acknowledgements ?? 1, fewest - 1);
  }

  membersOf(id: string): readonly string[] {
    return this.#members.get(id) ?? [];
  }

  /** Changes the members in its configuration file, and has it read that: at once, as soon as it can, or when it starts. */
  reload(node: SimulatedNode, change: (members: readonly string[]) => readonly string[]): void {
    const members = change(this.#configured.get(node.id) ?? []);
    this.#configured.set(
      node.id,
      this.#ids.filter((id) => members.includes(id)),
    );
    node.reconfigure();
  }

  /** A member reads its configuration file. */
  #read(id: string): void {
    const members = this.#configured.get(id) ?? [];
    if (members.join() === this.membersOf(id).join()) return;
    const before = this.#countFewest();
    this.#members.set(id, members);
    const fewest = this.#countFewest();
    if (fewest > before) this.#fewestMembers = { count: before, untilMs: this.queue.nowMs + RELAY_TIMEOUT_MS };
    else this.#fewestMembers = { count: fewest, untilMs: Number.POSITIVE_INFINITY };
    this.#healedAtMs = this.queue.nowMs;
    for (const peer of this.#ids) if (!this.#areMembers(id, peer)) this.#close(id, peer, 5);
  }

  #countFewest(): number {
    return Math.min(...[...this.#members.values()].map(({ length }) => length));
  }

  /** Each has the other in its configuration. */
  #areMembers(one: string, other: string): boolean {
    return this.membersOf(one).includes(other) && this.membersOf(other).includes(one);
  }

  /** Those who run have the same members in mind. */
  get #agreeOnMembers(): boolean {
    // As it nearly always is; this is asked often.
    if (this.#countFewest() === this.#ids.length) return true;
    const running = this.nodes.filter(({ state }) => state !== "down").map(({ id }) => this.membersOf(id));
    return running.every(
      (members) => members.length === running[0]?.length && members.every((id) => running[0]?.includes(id)),
    );
  }

  /** The member that anycast delivers to: one that routers believe to be fit. */
  announced: readonly SimulatedNode[] = [];

  datagram(to: SimulatedNode, payload: Uint8Array, source: Endpoint): void {
    this.queue.after(this.random.between(0.2, 3), () =>
      to.input({ type: "datagram", payload, source, destination: VIRTUAL_ENDPOINT }),
    );
  }

  #route(): void {
    this.announced = this.nodes.filter(({ ready, state }) => ready && state === "running");
    this.queue.after(ROUTING_DELAY_MS, () => this.#route());
  }

  /** Members whose disk has this registration of the mobile, or a newer one. */
  disksWith(names: readonly (MobileKey | undefined)[], identification: bigint): number {
    return this.nodes.filter((node) => hasOnDisk(node, names, identification)).length;
  }

  cut(from: string, to: string): void {
    const direction = `${from} ${to}`;
    this.#cut.set(direction, (this.#cut.get(direction) ?? 0) + 1);
    // TCP needs both directions.
    this.#close(from, to, 1000);
  }

  mend(from: string, to: string): void {
    const direction = `${from} ${to}`;
    const faults = (this.#cut.get(direction) ?? 0) - 1;
    if (faults > 0) this.#cut.set(direction, faults);
    else this.#cut.delete(direction);
    this.#mendedAtMs.set(direction, this.queue.nowMs);
    this.#healedAtMs = this.queue.nowMs;
  }

  /** No path has been broken since then, and all had the same members in mind. */
  wasWholeSince(ms: number): boolean {
    return this.#cut.size === 0 && this.#healedAtMs < ms && this.#agreeOnMembers;
  }

  /** These two have heard each other since then, as far as the network goes. */
  heardSince(one: string, other: string, ms: number): boolean {
    return [`${one} ${other}`, `${other} ${one}`].every(
      (direction) => !this.#cut.has(direction) && (this.#mendedAtMs.get(direction) ?? 0) <= ms,
    );
  }

  kill(node: SimulatedNode): void {
    node.kill();
    for (const id of this.#ids) if (id !== node.id) this.#close(node.id, id, 5);
  }

  /** Nothing that the member has said on its streams is still under way. */
  hasArrived({ id }: SimulatedNode): boolean {
    return this.#ids.every((peer) => (this.#lastDelivery.get(`${id} ${peer}`) ?? 0) < this.queue.nowMs);
  }

  runFor(ms: number): void {
    this.queue.runUntil(this.queue.nowMs + ms);
  }

  #handles({ id }: SimulatedNode, input: Input): void {
    const connection = this.#connectionOf.get(input);
    if (input.type === "stream-opened" && connection !== undefined) this.#known.set(`${id} ${input.peer}`, connection);
  }

  #perform(node: SimulatedNode, output: Output): void {
    if (output.type === "reply") {
      this.onReply({ from: node.id, destination: output.destination, payload: output.payload });
    } else if (output.type === "frame") {
      const { payload, to } = output;
      if (output.isRelay) this.#relayed(node, to, payload);
      this.#datagramTo(node.id, to, { type: "frame", payload, source: { address: UNSPECIFIED, port: 4340 } });
    } else if (output.type === "end-stream") {
      this.#close(node.id, output.to, 5);
    } else if (output.type === "stream") {
      const route = `${node.id} ${output.to}`;
      const connection = this.#streams.get(route);
      if (connection === undefined || this.#known.get(route) !== connection) return;
      this.#countMessages(output.bytes);
      for (const bytes of this.#cutAnywhere(output.bytes)) {
        this.#inOrder(route, () => {
          if (this.#streams.get(route) === connection)
            this.node(output.to).input({ type: "stream", peer: node.id, bytes });
        });
      }
    }
  }

  /** TCP hands over pieces, whatever was sent together. */
  #cutAnywhere(bytes: Uint8Array): Uint8Array[] {
    if (!this.random.chance(CUT)) return [bytes];
    const at = this.random.integer(bytes.length + 1);
    return [bytes.subarray(0, at), bytes.subarray(at)];
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

  get #weather(): Weather {
    return this.#storms > 0 ? STORM : FAIR;
  }

  storm(): void {
    this.#storms++;
  }

  calm(): void {
    this.#storms--;
    this.#calmSinceMs = this.queue.nowMs;
  }

  /** The network between members has been as good as it gets since then. */
  wasFairSince(ms: number): boolean {
    return this.#storms === 0 && this.#calmSinceMs < ms;
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

  #datagramTo(from: string, to: string, input: Input): void {
    if (this.#cut.has(`${from} ${to}`)) return;
    const { loss, duplication, late, latenessMs } = this.#weather;
    if (this.random.chance(loss)) {
      if (input.type === "frame") this.onFrameLost(input.payload);
      return;
    }
    const copies = this.random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.random.chance(late) ? this.random.between(5, latenessMs) : this.random.between(0.1, 2);
      this.queue.after(delayMs, () => {
        const node = this.node(to);
        node.input(input);
        if (input.type === "frame" && node.state !== "down") this.onFrameArrived(node, input.payload);
      });
    }
  }

  #inOrder(route: string, deliver: () => void): void {
    // TCP sends again what is lost: to those who use it, it is late.
    const { loss, latenessMs } = this.#weather;
    const delayMs = this.random.chance(loss) ? this.random.between(5, latenessMs) : this.random.between(0.1, 3);
    const atMs = Math.max(this.queue.nowMs + delayMs, this.#lastDelivery.get(route) ?? 0);
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
          this.#cut.has(`${other} ${one}`) ||
          !this.#areMembers(one, other)
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
            if (this.#streams.get(`${peer} ${self}`) !== connection) return;
            const opened: Input = { type: "stream-opened", peer };
            this.#connectionOf.set(opened, connection);
            this.node(self).input(opened);
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

  #settings(id: string, start: Start): HomeAgentSettings {
    const self = this.#ids.indexOf(id);
    const members = this.membersOf(id).map((member) => ({
      id: member,
      weight: 100,
      pool: [this.#slice(this.#ids.indexOf(member))],
    }));
    return {
      cluster: CLUSTER,
      secret: SECRET,
      self: id,
      members,
      ...start,
      virtualEndpoint: VIRTUAL_ENDPOINT,
      heartbeatIntervalMs: 200,
      peerTimeoutMs: PEER_TIMEOUT_MS,
      maximumClockSkewMs: MAXIMUM_CLOCK_SKEW_MS,
      relayTimeoutMs: RELAY_TIMEOUT_MS,
      hopLimit: HOP_LIMIT,
      maximumPending: MAXIMUM_PENDING,
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
        otherPools: members.flatMap((member) => (member.id === id ? [] : member.pool)),
        poolStickinessMs: 60_000,
        maximumMobilesPerAssociation: this.maximumMobilesPerAssociation,
        maximumClockSkewMs: MAXIMUM_CLOCK_SKEW_MS,
      },
      associations: new AssociationTable([ASSOCIATION, NAI_ASSOCIATION, OWN_ASSOCIATION], []),
    };
  }

  /** A member's slice of the dynamic home addresses, by its place. */
  #slice(index: number): Ipv4Range {
    const { sharedPool = false, sliceSize = 256 } = this.#options;
    const third = sharedPool ? 0 : index;
    return { first: ipv4(`10.79.${third}.0`), last: ipv4(`10.79.${third}.${sliceSize - 1}`) };
  }
}

/** Little more than what the fault `clock` does, so that rows have served their time within a simulation. */
const MAXIMUM_CLOCK_SKEW_MS = 2500;
const HOP_LIMIT = 3;
const RELAY_TIMEOUT_MS = 2000;
export const MAXIMUM_PENDING = 1000;
/** Told from what a mobile asks for: a grant of this is a degraded one. */
export const DEGRADED_LIFETIME_SECONDS = 300;

/** A registration of the mobile that goes by one of these keys, this one or newer. */
export function hasOnDisk(
  node: SimulatedNode,
  names: readonly (MobileKey | undefined)[],
  identification: bigint,
): boolean {
  return names.some((name) => ((name && node.rowOnDisk(name))?.registration.identification ?? -1n) >= identification);
}
