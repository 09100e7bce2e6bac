/**
 * The streams between this member and all others: for each pair one connection, TCP on the number of the cluster port, TLS
 * 1.3 with a key of this pair alone. The member with the smaller id dials.
 *
 *    dialer                                   listener
 *      │ TLS: MEMBER@CLUSTER, key of the pair    │
 *      ├────────────────────────────────────────▶│ refused unless it is a member, and has the key
 *      │ hello                                   │
 *      ├────────────────────────────────────────▶│ refused unless it is the peer's newest; replaces the stream before
 *      │ hello                                   │ opened
 *      │◀────────────────────────────────────────┤
 *      │ opened                                  │
 *      │◀─────────── messages, pings ───────────▶│
 */
import type { TLSSocket } from "node:tls";
import { deriveStreamKey } from "../../core/auth/cluster-key.ts";
import type { MemberId } from "../../core/names.ts";
import { areTooFarApart } from "../../core/protocol/clock-skew.ts";
import { Explanations } from "../../core/protocol/refusals.ts";
import { encodeStreamFrame } from "../../core/protocol/stream-frame.ts";
import { decodeHello, type Hello, writeHello } from "../../core/protocol/stream-hello.ts";
import { type Endpoint, formatEndpoint, formatIpv4 } from "../../core/wire/ipv4.ts";
import type { EventLog } from "../telemetry/log.ts";
import { StreamConnection } from "./stream-connection.ts";
import { StreamDialer } from "./stream-dialer.ts";
import type { StreamFault } from "./stream-fault.ts";
import { StreamListener } from "./stream-listener.ts";
import { formatIdentity, parseIdentity } from "./stream-tls.ts";

export interface StreamMember extends Endpoint {
  readonly id: MemberId;
}

/** Nothing is called from within `send`, nor after `close`. */
export interface StreamChannelListener {
  /** Both sides have proved who they are. Closed before it is opened again. */
  opened(peer: MemberId): void;
  closed(peer: MemberId, reason: StreamFault): void;
  /** In pieces of any size. */
  received(peer: MemberId, bytes: Uint8Array): void;
}

export interface StreamChannelsOptions {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly self: MemberId;
  /** All members, this one too. */
  readonly members: readonly StreamMember[];
  readonly bootCount: number;
  /** Whose clock is further from ours is refused. */
  readonly maximumClockSkewMs: () => number;
  /** The time that this member uses, which is not simply that of a clock that can be set. */
  readonly wallMs: () => number;
  readonly listener: StreamChannelListener;
  readonly log: EventLog;
  /** Every attempt that was rejected, and every stream that ended. */
  readonly count: (reason: StreamFault) => void;
}

interface Peer {
  readonly id: MemberId;
  readonly endpoint: Endpoint;
  /** Of the stream between the two of us, whichever way. */
  readonly key: Uint8Array;
  readonly weDial: boolean;
  /** Where we dial. */
  dialer: StreamDialer | undefined;
  /** Secured; its hello is still to come. */
  greeting: StreamConnection | undefined;
  stream: StreamConnection | undefined;
  /** Why there is no stream, as far as we know. */
  problem: string;
  /** The peer's, while there is a stream. */
  bootCount: number;
}

export class StreamChannels {
  readonly #options: StreamChannelsOptions;
  readonly #local: Endpoint;
  readonly #peers: Map<MemberId, Peer>;
  readonly #explanations = new Explanations();
  #listener: StreamListener | undefined;
  #closed = false;

  private constructor(options: StreamChannelsOptions) {
    const { self, members } = options;
    const local = members.find(({ id }) => id === self);
    if (local === undefined) throw new Error(`${self} is not among the members`);
    this.#options = options;
    this.#local = local;
    const others = members.filter(({ id }) => id !== self);
    this.#peers = new Map(others.map((member) => [member.id, makePeer(member, options)]));
  }

  /** Rejects with a system error such as `EADDRINUSE` if this member's address and port can't be had. */
  static async open(options: StreamChannelsOptions): Promise<StreamChannels> {
    const channels = new StreamChannels(options);
    await channels.#start();
    return channels;
  }

  /** Whole frames. Dropped where there is no stream. */
  send(peer: MemberId, frames: Uint8Array): void {
    this.#peers.get(peer)?.stream?.send(frames);
  }

  /** Why there is no stream to a peer; `undefined` if there is one. */
  problem(peer: MemberId): string | undefined {
    const found = this.#peers.get(peer);
    return found === undefined || found.stream !== undefined ? undefined : found.problem;
  }

  /** Ends the stream to a peer, if there is one. It may be opened again, if the peer's hello is in order. */
  end(peer: MemberId, reason: StreamFault): void {
    this.#peers.get(peer)?.stream?.close(reason);
  }

  /** Other members, or others' addresses. Streams to those who stay where they are go on. */
  setMembers(members: readonly StreamMember[]): void {
    const others = new Map(members.filter(({ id }) => id !== this.#options.self).map((member) => [member.id, member]));
    for (const peer of [...this.#peers.values()]) {
      const member = others.get(peer.id);
      if (member !== undefined && formatEndpoint(member) === formatEndpoint(peer.endpoint)) continue;
      this.#peers.delete(peer.id);
      peer.dialer?.close();
      peer.greeting?.close("removed");
      const { stream } = peer;
      if (stream !== undefined) this.#end(peer, "removed");
      stream?.close("removed");
    }
    for (const member of others.values()) {
      if (this.#peers.has(member.id)) continue;
      const peer = makePeer(member, this.#options);
      this.#peers.set(member.id, peer);
      this.#dial(peer);
    }
  }

  /** What has been sent still leaves, if the peers are quick. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { dialer } of this.#peers.values()) dialer?.close();
    const ends = [...this.#peers.values()].flatMap(({ greeting, stream }) => [greeting?.end(), stream?.end()]);
    await Promise.all([...ends, this.#listener?.close()]);
  }

  async #start(): Promise<void> {
    this.#listener = await StreamListener.open({
      local: this.#local,
      keyOf: (identity) => this.#keyOf(identity),
      secured: (socket, identity) => this.#secured(socket, this.#peers.get(parseIdentity(identity).member)),
      rejected: (source, reason) => this.#reject(source, reason),
      failed: (error) => this.#reject(formatEndpoint(this.#local), "failed", error),
    });
    for (const peer of this.#peers.values()) this.#dial(peer);
  }

  #dial(peer: Peer): void {
    if (!peer.weDial) return;
    const { cluster, self } = this.#options;
    peer.dialer = new StreamDialer({
      localAddress: this.#local.address,
      remote: peer.endpoint,
      identity: formatIdentity(self, cluster),
      key: peer.key,
      secured: (socket) => this.#secured(socket, peer),
      rejected: (reason) => {
        peer.problem = `${place(peer)}: ${reason}`;
        this.#reject(formatIpv4(peer.endpoint.address), reason);
      },
      unreachable: (code) => {
        peer.problem = `${place(peer)} ${code === "ECONNREFUSED" ? "refuses connections" : `doesn't answer${code ? ` (${code})` : ""}`}`;
      },
    });
  }

  #keyOf(identity: string): Uint8Array | StreamFault {
    const { member, cluster } = parseIdentity(identity);
    if (cluster !== this.#options.cluster) return "other-cluster";
    if (member === this.#options.self) return "own-id";
    const peer = this.#peers.get(member);
    return peer === undefined || peer.weDial ? "unknown-member" : peer.key;
  }

  #secured(socket: TLSSocket, peer: Peer | undefined): void {
    if (peer === undefined || this.#closed) {
      socket.destroy();
      return;
    }
    const connection = new StreamConnection(socket, {
      greeted: (hello) => this.#greet(peer, connection, hello),
      received: (bytes) => {
        if (!this.#closed && peer.stream === connection) this.#options.listener.received(peer.id, bytes);
      },
      closed: (reason) => {
        if (peer.stream === connection) this.#end(peer, reason);
        if (peer.greeting !== connection) return;
        peer.greeting = undefined;
        peer.problem = `${place(peer)}: ${reason}`;
        this.#reject(formatIpv4(peer.endpoint.address), reason);
      },
    });
    peer.greeting?.close("replaced");
    peer.greeting = connection;
    if (peer.weDial) this.#sendHello(connection);
  }

  #greet(peer: Peer, connection: StreamConnection, body: Uint8Array): void {
    const greeted = this.#check(peer, body);
    if (typeof greeted === "string") {
      connection.close(greeted);
      return;
    }
    const before = peer.stream;
    if (before !== undefined) this.#end(peer, "replaced");
    before?.close("replaced");
    peer.greeting = undefined;
    peer.stream = connection;
    peer.bootCount = greeted.bootCount;
    connection.admit();
    if (!peer.weDial) this.#sendHello(connection);
    this.#explanations.forgive(formatIpv4(peer.endpoint.address));
    this.#options.log.event("stream-opened", { member: peer.id });
    this.#options.listener.opened(peer.id);
  }

  #check(peer: Peer, body: Uint8Array): Hello | StreamFault {
    const decoded = decodeHello(body);
    if (!decoded.ok) return decoded.fault;
    const { cluster, member, bootCount, sentAtMs } = decoded.hello;
    if (cluster !== this.#options.cluster) return "other-cluster";
    if (member === this.#options.self) return "own-id";
    if (member !== peer.id) return "wrong-member";
    if (areTooFarApart(sentAtMs, this.#options.wallMs(), this.#options.maximumClockSkewMs())) return "clock-skew";
    return peer.stream !== undefined && bootCount < peer.bootCount ? "older-boot-count" : decoded.hello;
  }

  #sendHello(connection: StreamConnection): void {
    const { cluster, self, bootCount } = this.#options;
    const hello: Hello = { cluster, member: self, bootCount, sentAtMs: this.#options.wallMs() };
    connection.send(encodeStreamFrame((writer) => writeHello(writer, hello)));
  }

  #end(peer: Peer, reason: StreamFault): void {
    peer.stream = undefined;
    if (this.#closed) return;
    this.#options.count(reason);
    this.#options.log.event("stream-closed", { member: peer.id, reason });
    this.#options.listener.closed(peer.id, reason);
  }

  /** Explained once: who does not get in tries again and again. */
  #reject(source: string, reason: StreamFault, err?: Error): void {
    if (this.#closed) return;
    this.#options.count(reason);
    if (!this.#explanations.isNews(source, reason)) return;
    this.#options.log.event("stream-rejected", { source, reason, ...(err && { err }) });
  }
}

function makePeer(
  { id, address, port }: StreamMember,
  { secret, cluster, self, members }: StreamChannelsOptions,
): Peer {
  const weDial = self < id;
  const ownPort = members.find((member) => member.id === self)?.port ?? port;
  return {
    id,
    endpoint: { address, port },
    key: weDial ? deriveStreamKey(secret, cluster, self, id) : deriveStreamKey(secret, cluster, id, self),
    weDial,
    dialer: undefined,
    greeting: undefined,
    stream: undefined,
    problem: weDial ? "not connected yet" : `it has not connected to our TCP port, ${ownPort}`,
    bootCount: 0,
  };
}

function place({ endpoint: { address, port } }: Peer): string {
  return `TCP port ${port} of ${formatIpv4(address)}`;
}
