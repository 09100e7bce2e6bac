/** Several cores joined by a network and disks that do what the test says; time stands still unless it is told to pass. */

import type { MobileAssociation } from "../../../src/core/auth/association.ts";
import { AssociationTable } from "../../../src/core/auth/association-table.ts";
import { computeAuthenticator } from "../../../src/core/auth/authenticator.ts";
import { deriveFrameKey, derivePlacementKey } from "../../../src/core/auth/cluster-key.ts";
import type { LoggedChange } from "../../../src/core/bindings/row-change.ts";
import { HomeAgent } from "../../../src/core/home-agent/home-agent.ts";
import type { DeletionOutcome, Input, Output } from "../../../src/core/home-agent/io.ts";
import type { HomeAgentSettings } from "../../../src/core/home-agent/settings.ts";
import { Placement, type PlacementMember } from "../../../src/core/members/placement.ts";
import type { MobileIdentity, MobileKey } from "../../../src/core/names.ts";
import type { Now } from "../../../src/core/now.ts";
import type { Observer } from "../../../src/core/observer.ts";
import { incarnationOf } from "../../../src/core/protocol/acquaintance.ts";
import type { Message } from "../../../src/core/protocol/datagrams.ts";
import { FrameCodec, openFrame } from "../../../src/core/protocol/frame.ts";
import { decodeStreamMessage, encodeStreamMessage } from "../../../src/core/protocol/stream-codec.ts";
import type { StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { ExtensionType } from "../../../src/core/wire/extension.ts";
import { type Endpoint, type Ipv4Range, ipv4, UNSPECIFIED } from "../../../src/core/wire/ipv4.ts";
import { MessageWriter } from "../../../src/core/wire/message-writer.ts";
import { ntpFromEpochMs } from "../../../src/core/wire/ntp-timestamp.ts";
import {
  decodeRegistrationReply,
  encodeRequestFields,
  type RegistrationReply,
} from "../../../src/core/wire/registration-message.ts";

export const virtualEndpoint: Endpoint = { address: ipv4("10.64.0.1"), port: 434 };
export const foreignAgent: Endpoint = { address: ipv4("192.0.2.1"), port: 434 };

const secret = new Uint8Array(32).fill(1);
const key = new TextEncoder().encode("1234567812345678");
const association: MobileAssociation = {
  spi: 256,
  algorithm: "hmac-md5",
  key,
  replay: { style: "timestamps", windowMs: 7000 },
  mobiles: { by: "home-addresses", range: { first: ipv4("10.64.1.0"), last: ipv4("10.79.255.254") } },
};
const roaming: MobileAssociation = { ...association, spi: 257, mobiles: { by: "realm", realm: "example.com" } };
/** It has a key of its own. */
export const ALICE = "alice@example.net";
const alices: MobileAssociation = {
  ...association,
  spi: 258,
  key: new TextEncoder().encode("8765432187654321"),
  mobiles: { by: "nai", nai: ALICE },
};

/** A message as it comes in on the stream to its sender. */
export function said(from: string, message: StreamMessage): Input & { readonly type: "stream" } {
  return { type: "stream", peer: from, bytes: encodeStreamMessage(message) };
}

/** What a member says with one output. */
export function saidIn(bytes: Uint8Array): StreamMessage {
  return decodeStreamMessage(bytes.subarray(LENGTH_BYTES));
}

/** Of what stands before each message on a stream. */
const LENGTH_BYTES = 4;

export interface TestClusterOptions {
  readonly maximumPending?: number;
  readonly copies?: number;
  /** Dynamic home addresses of each member. */
  readonly sliceSize?: number;
  /** All members have a data plane. */
  readonly forwards?: boolean;
}

export interface SentFrame {
  readonly from: string;
  readonly to: string;
  readonly payload: Uint8Array;
}

export interface SentReply {
  readonly from: string;
  readonly destination: Endpoint;
  readonly source: Endpoint;
  readonly bytes: Uint8Array;
  readonly reply: RegistrationReply;
}

interface Node {
  agent: HomeAgent;
  /** In its configuration. */
  members: readonly string[];
  bootCount: number;
  readonly disk: Map<string, Uint8Array>;
  written: LoggedChange[];
  running: boolean;
  diskWorks: boolean;
  /** Nothing that is appended comes to an end. */
  diskHangs: boolean;
  readonly counts: Map<string, number>;
}

export class TestCluster {
  readonly replies: SentReply[] = [];
  readonly events: { readonly on: string; readonly event: string; readonly [field: string]: string | number }[] = [];
  wallMs = 1_790_000_000_000;
  monotonicMs = 5_000;
  /** Changes reach the disk as soon as they are appended; else by `commit`. */
  commitAtOnce = true;
  /** Frames between members that don't arrive. */
  loses: (from: string, to: string) => boolean = () => false;
  /** Sees every frame that is sent, whether or not it arrives. */
  onFrame: (frame: SentFrame) => void = () => undefined;
  /** Messages on streams that arrive only when they are released. */
  holds: (message: StreamMessage) => boolean = () => false;
  readonly #held: { to: string; input: Input; stream?: string }[] = [];
  readonly #nodes = new Map<string, Node>();
  /** A member's wall clock minus everybody else's. */
  readonly clockOffsetsMs = new Map<string, number>();
  /** Pairs of members with a stream between them, as "FROM TO" for either direction. */
  readonly #streams = new Set<string>();
  readonly #separated = new Set<string>();
  readonly #observers = new Map<string, (output: Output) => void>();
  readonly #inFlight: { to: string; input: Input; stream?: string }[] = [];
  readonly #ids: string[];
  /** By token. */
  readonly #deletions: { outcome?: DeletionOutcome }[] = [];
  #starts = 0;
  readonly #options: TestClusterOptions;

  constructor(count: number, options: TestClusterOptions = {}) {
    this.#ids = Array.from({ length: count }, (_, index) => `ha${index + 1}`);
    this.#options = options;
    for (const id of this.#ids) this.#makeNode(id);
    this.passTime(400);
    for (const id of this.#ids) this.#connect(id);
    for (const id of this.#ids)
      this.input(id, { type: "vitals", health: "ready", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    this.passTime(400);
  }

  /** Shows a test what a member's core puts out. */
  observe(id: string, observer: (output: Output) => void): void {
    this.#observers.set(id, observer);
  }

  /** A member that only it knows of, besides those it is told of. */
  add(id: string, members: readonly string[]): void {
    this.#ids.push(id);
    this.#makeNode(id).members = members;
    this.restart(id);
  }

  /** Its configuration names other members from now on. */
  reload(id: string, members: readonly string[]): void {
    const node = this.#node(id);
    node.members = members;
    this.input(id, { type: "reconfigure", changes: this.#settings(id, members, node.bootCount) });
    for (const peer of this.#ids) if (!this.#areMembers(id, peer)) this.#close(id, peer);
    this.#connect(id);
  }

  /** While it is down, it is given a configuration without a member. */
  forget(id: string, member: string): void {
    const node = this.#node(id);
    node.members = node.members.filter((other) => other !== member);
  }

  agent(id: string): HomeAgent {
    return this.#node(id).agent;
  }

  count(id: string, name: string): number {
    return this.#node(id).counts.get(name) ?? 0;
  }

  input(id: string, input: Input): void {
    const node = this.#node(id);
    if (!node.running) return;
    this.#perform(id, node.agent.handle(input, this.#now(id)));
    this.#deliver();
  }

  /** On the stream between the two, whatever the first one thinks. */
  say(from: string, to: string, message: StreamMessage): void {
    this.input(to, said(from, message));
  }

  /** A datagram from a foreign agent, which routing delivers to `ingress`. */
  datagram(ingress: string, payload: Uint8Array, source: Endpoint = foreignAgent): void {
    this.input(ingress, { type: "datagram", payload, source, destination: virtualEndpoint });
  }

  /** The last reply that was sent, if it was sent since `before` replies. */
  register(ingress: string, mobile: MobileOptions = {}): SentReply | undefined {
    const before = this.replies.length;
    this.datagram(ingress, this.request(mobile), mobile.source);
    return this.replies.length > before ? this.replies.at(-1) : undefined;
  }

  request({
    homeAddress = "10.64.1.1",
    nai,
    careOfAddress = "192.0.2.1",
    lifetime = 600,
    identification,
    signs,
  }: MobileOptions): Uint8Array {
    this.wallMs += 1;
    const writer = new MessageWriter(
      encodeRequestFields({
        flags: 0,
        lifetimeSeconds: lifetime,
        homeAddress: nai !== undefined && homeAddress === "0.0.0.0" ? UNSPECIFIED : ipv4(homeAddress),
        homeAgent: virtualEndpoint.address,
        careOfAddress: ipv4(careOfAddress),
        identification: identification ?? ntpFromEpochMs(this.wallMs),
      }),
    );
    if (nai !== undefined) writer.appendNai(nai);
    const named = nai === ALICE ? alices : roaming;
    const used = nai === undefined || signs === "by-address" ? association : named;
    writer.appendAuthentication(ExtensionType.MobileHomeAuthentication, used.spi, (covered) =>
      computeAuthenticator(used, covered),
    );
    return writer.finish();
  }

  /** An operator's word at a member. Returns a view of what has come of it so far. */
  deleteBinding(id: string, identity: MobileIdentity, { forgetReplay = false } = {}): { outcome?: DeletionOutcome } {
    const deletion = {};
    this.#deletions.push(deletion);
    this.input(id, { type: "delete-binding", token: this.#deletions.length - 1, identity, forgetReplay });
    return deletion;
  }

  passTime(ms: number, step = 50): void {
    for (let passed = 0; passed < ms; passed += step) {
      this.monotonicMs += step;
      this.wallMs += step;
      for (const id of this.#ids) this.input(id, { type: "tick" });
    }
  }

  /** SIGKILL: what is not on disk is gone. */
  kill(id: string): void {
    const node = this.#node(id);
    node.running = false;
    node.written = [];
    this.#disconnect(id);
  }

  /** Empties a disk. */
  wipe(id: string): void {
    this.#node(id).disk.clear();
  }

  /** Its boot count is lost with its disk, and its clock doesn't make up for it. */
  forgetStarts(id: string): void {
    this.#node(id).bootCount = 0;
  }

  restart(id: string): void {
    const node = this.#node(id);
    node.bootCount++;
    node.running = true;
    node.diskWorks = true;
    node.agent = this.#makeAgent(id, node);
    for (const table of ["location", "binding"] as const) {
      for (const [name, row] of node.disk) if (name.startsWith(`${table} `)) node.agent.restore(table, row);
    }
    this.#connect(id);
    this.input(id, { type: "vitals", health: "ready", announced: true, eventLoopDelayMs: 0, storeQueue: 0 });
    this.passTime(500);
  }

  /** What was held arrives, and nothing is held any more. */
  release(): void {
    this.holds = () => false;
    this.#inFlight.push(...this.#held.splice(0));
    this.#deliver();
  }

  /** Breaks, or mends, everything between two members: frames and stream. */
  separate(one: string, other: string): void {
    const before = this.loses;
    this.loses = (from, to) => before(from, to) || (from === one && to === other) || (from === other && to === one);
    this.#separated.add(`${one} ${other}`).add(`${other} ${one}`);
    if (this.#streams.delete(`${one} ${other}`)) {
      this.#streams.delete(`${other} ${one}`);
      this.input(one, { type: "stream-closed", peer: other });
      this.input(other, { type: "stream-closed", peer: one });
    }
  }

  /** Breaks the stream between two members, and nothing else. */
  breakStream(one: string, other: string): void {
    this.#streams.delete(`${one} ${other}`);
    this.#streams.delete(`${other} ${one}`);
    this.input(one, { type: "stream-closed", peer: other });
    this.input(other, { type: "stream-closed", peer: one });
  }

  heal(): void {
    this.loses = () => false;
    this.#separated.clear();
    for (const id of this.#ids) if (this.#node(id).running) this.#connect(id);
    this.passTime(1000);
  }

  /** The disk takes what was appended so far, or no more than so many changes of it. */
  commit(id: string, most = Number.POSITIVE_INFINITY): void {
    const node = this.#node(id);
    const written = node.written.splice(0, most);
    for (const { table, key: name, row } of written) {
      if (row === null) node.disk.delete(`${table} ${name}`);
      else node.disk.set(`${table} ${name}`, row);
    }
    const last = written.at(-1);
    if (last !== undefined) this.input(id, { type: "durable", position: last.position });
  }

  /** The disk refuses what was appended and not committed, and everything after it. */
  breakDisk(id: string): void {
    const node = this.#node(id);
    node.diskWorks = false;
    const lost = node.written.splice(0);
    this.input(id, {
      type: "store-failed",
      firstPosition: lost[0]?.position ?? Number.POSITIVE_INFINITY,
      reason: "disk full",
    });
  }

  hangDisk(id: string): void {
    this.#node(id).diskHangs = true;
  }

  mendDisk(id: string): void {
    const node = this.#node(id);
    if (node.diskHangs) {
      node.diskHangs = false;
      this.commit(id);
      return;
    }
    node.diskWorks = true;
    this.input(id, { type: "store-recovered" });
  }

  diskRows(id: string): ReadonlyMap<string, Uint8Array> {
    return this.#node(id).disk;
  }

  /** A home address whose ranking of members begins with these. */
  homeAddressRanked(...ranking: string[]): string {
    const [first] = this.homeAddressesRanked(1, ...ranking);
    return first ?? "";
  }

  homeAddressesRanked(count: number, ...ranking: string[]): string[] {
    return this.#ranked(
      count,
      ranking,
      (number) => `10.70.${number >> 8}.${number & 255}`,
      (homeAddress) => `ip:${homeAddress}`,
    );
  }

  naiRanked(...ranking: string[]): string {
    const [first] = this.naisRanked(1, ...ranking);
    return first ?? "";
  }

  naisRanked(count: number, ...ranking: string[]): string[] {
    return this.#ranked(
      count,
      ranking,
      (number) => `user${number}@example.com`,
      (nai) => `nai:${nai}`,
    );
  }

  /** A frame as its receiver reads it, whatever it makes of it. */
  read({ from, to, payload }: SentFrame): Message {
    const frame = openFrame(payload, () => deriveFrameKey(secret, "test", from, to));
    if (typeof frame === "string") throw new Error(frame);
    return frame.message;
  }

  /** Another daemon that says it is this member, and has had a frame of each other one that this member has not had. */
  standIn(self: string, bootCount: number): FrameCodec {
    const peers = this.#ids.filter((id) => id !== self);
    const incarnation = incarnationOf(bootCount, 9);
    const codec = new FrameCodec({ cluster: "test", secret, self, peers, incarnation });
    const { onFrame, loses } = this;
    this.onFrame = ({ to, payload }) => {
      if (to === self) codec.open(payload);
    };
    this.loses = (from, to) => to === self || loses(from, to);
    this.passTime(200);
    Object.assign(this, { onFrame, loses });
    return codec;
  }

  rankingOf(mobile: MobileKey): readonly string[] {
    return new Placement(derivePlacementKey(secret, "test"), this.#members(this.#ids)).rank(mobile);
  }

  #ranked(
    count: number,
    ranking: readonly string[],
    make: (number: number) => string,
    keyOf: (name: string) => MobileKey,
  ): string[] {
    const placement = new Placement(derivePlacementKey(secret, "test"), this.#members(this.#ids));
    const names: string[] = [];
    for (let number = 1; number < 10_000 && names.length < count; number++) {
      const found = placement.rank(keyOf(make(number)));
      if (ranking.every((id, index) => found[index] === id)) names.push(make(number));
    }
    if (names.length < count) throw new Error(`not enough mobiles are ranked ${ranking}`);
    return names;
  }

  /** A member's slice of the dynamic home addresses, by the number in its name. */
  #sliceOf(id: string): Ipv4Range {
    const index = id.slice(2);
    return { first: ipv4(`10.79.${index}.0`), last: ipv4(`10.79.${index}.${(this.#options.sliceSize ?? 256) - 1}`) };
  }

  #members(ids: readonly string[]): PlacementMember[] {
    return ids.map((id) => ({ id, weight: 100, pool: [this.#sliceOf(id)] }));
  }

  #makeNode(id: string): Node {
    const node: Omit<Node, "agent"> = {
      members: [...this.#ids],
      bootCount: 1,
      disk: new Map(),
      written: [],
      running: true,
      diskWorks: true,
      diskHangs: false,
      counts: new Map(),
    };
    const made = Object.assign(node, { agent: this.#makeAgent(id, node) });
    this.#nodes.set(id, made);
    return made;
  }

  #now(id: string): Now {
    return { wallMs: this.wallMs + (this.clockOffsetsMs.get(id) ?? 0), monotonicMs: this.monotonicMs };
  }

  #areMembers(one: string, other: string): boolean {
    return this.#node(one).members.includes(other) && this.#node(other).members.includes(one);
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #perform(id: string, outputs: readonly Output[]): void {
    const node = this.#node(id);
    for (const output of outputs) {
      this.#observers.get(id)?.(output);
      switch (output.type) {
        case "reply": {
          const decoded = decodeRegistrationReply(output.payload);
          if (!decoded.ok) throw new Error(`${id} sent a reply that can't be decoded: ${decoded.fault.reason}`);
          const { destination, source, payload } = output;
          this.replies.push({ from: id, destination, source, bytes: payload, reply: decoded.message });
          break;
        }
        case "frame":
          this.onFrame({ from: id, to: output.to, payload: output.payload });
          if (!this.loses(id, output.to)) {
            const source: Endpoint = { address: UNSPECIFIED, port: 4340 };
            this.#inFlight.push({ to: output.to, input: { type: "frame", payload: output.payload, source } });
          }
          break;
        case "stream":
          (this.holds(saidIn(output.bytes)) ? this.#held : this.#inFlight).push({
            to: output.to,
            input: { type: "stream", peer: id, bytes: output.bytes },
            stream: `${id} ${output.to}`,
          });
          break;
        case "end-stream":
          this.#close(id, output.to);
          break;
        case "deletion":
          Object.assign(this.#deletions[output.token] ?? {}, { outcome: output.outcome });
          break;
        case "append":
          if (!node.diskWorks) throw new Error("appended while the disk is broken");
          node.written.push(...output.changes);
          break;
      }
    }
    if (this.commitAtOnce && node.diskWorks && !node.diskHangs && node.written.length > 0) this.commit(id);
  }

  #deliver(): void {
    for (let next = this.#inFlight.shift(); next !== undefined; next = this.#inFlight.shift()) {
      const { to, input, stream } = next;
      const node = this.#node(to);
      if (!node.running || (stream !== undefined && !this.#streams.has(stream))) continue;
      this.#perform(to, node.agent.handle(input, this.#now(to)));
    }
  }

  /** Streams to everybody who runs. */
  #connect(id: string): void {
    for (const peer of this.#ids) {
      if (peer === id || !this.#node(peer).running || !this.#areMembers(id, peer)) continue;
      if (this.#streams.has(`${id} ${peer}`) || this.#separated.has(`${id} ${peer}`)) continue;
      this.#streams.add(`${id} ${peer}`).add(`${peer} ${id}`);
      this.#perform(id, this.#node(id).agent.handle({ type: "stream-opened", peer }, this.#now(id)));
      this.#perform(peer, this.#node(peer).agent.handle({ type: "stream-opened", peer: id }, this.#now(peer)));
      this.#deliver();
    }
  }

  #disconnect(id: string): void {
    for (const peer of this.#ids) this.#close(id, peer);
  }

  #close(one: string, other: string): void {
    if (!this.#streams.delete(`${one} ${other}`)) return;
    this.#streams.delete(`${other} ${one}`);
    this.input(one, { type: "stream-closed", peer: other });
    this.input(other, { type: "stream-closed", peer: one });
  }

  #makeAgent(id: string, { members, bootCount, counts }: Omit<Node, "agent">): HomeAgent {
    const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
    const observer: Observer = {
      count: add,
      countBy: (name, label) => add(`${name} ${label}`),
      event: (event, fields) => {
        add(`event ${event}`);
        this.events.push({ on: id, event, ...fields });
      },
    };
    const agent = new HomeAgent(this.#settings(id, members, bootCount), observer);
    if (this.#options.forwards) agent.startForwarding();
    return agent;
  }

  #settings(id: string, ids: readonly string[], bootCount: number): HomeAgentSettings {
    const others = ids.filter((other) => other !== id);
    return {
      cluster: "test",
      secret,
      self: id,
      members: this.#members(ids),
      bootCount,
      startNonce: ++this.#starts,
      virtualEndpoint,
      forwardingLeaseMs: 20_000,
      heartbeatIntervalMs: 200,
      peerTimeoutMs: 800,
      maximumClockSkewMs: 30_000,
      relayTimeoutMs: 2000,
      hopLimit: 3,
      maximumPending: this.#options.maximumPending ?? 100,
      loadFactor: 1.25,
      replication: {
        copies: this.#options.copies ?? 2,
        acknowledgements: Math.min(this.#options.copies ?? 1, 1),
        degradedLifetimeSeconds: 300,
        digestIntervalMs: 10_000,
        designated: new Map(),
      },
      policy: {
        virtualAddress: virtualEndpoint.address,
        homeNetworks: [{ address: ipv4("10.64.0.0"), length: 12 }],
        maximumLifetimeSeconds: 1800,
        maximumSimultaneousBindings: 4,
        minimalEncapsulation: true,
        greEncapsulation: true,
        reverseTunneling: "allowed",
        prohibitedCareOfNetworks: [],
        authenticationFailureRepliesPerSecond: 10,
        pool: [this.#sliceOf(id)],
        otherPools: others.map((other) => this.#sliceOf(other)),
        poolStickinessMs: 3_600_000,
        maximumMobilesPerAssociation: 1_000_000,
        maximumClockSkewMs: 30_000,
      },
      associations: new AssociationTable([association, roaming, alices], []),
    };
  }
}

export interface MobileOptions {
  readonly homeAddress?: string;
  readonly nai?: string;
  readonly careOfAddress?: string;
  readonly lifetime?: number;
  readonly identification?: bigint;
  readonly source?: Endpoint;
  /** With the key of its home address, though it shows an NAI. */
  readonly signs?: "by-address";
}
