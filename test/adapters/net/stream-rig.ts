/** Members with streams between them on loopback addresses of their own, and peers that break the rules. */
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { vi } from "vitest";
import {
  StreamChannels,
  type StreamChannelsOptions,
  type StreamMember,
} from "../../../src/adapters/net/stream-channel.ts";
import type { StreamFault } from "../../../src/adapters/net/stream-fault.ts";
import { deriveStreamKey } from "../../../src/core/auth/cluster-key.ts";
import { decodeStreamMessage } from "../../../src/core/protocol/stream-codec.ts";
import { encodeStreamFrame, FrameSplitter, MAXIMUM_BODY_BYTES } from "../../../src/core/protocol/stream-frame.ts";
import { type Hello, writeHello } from "../../../src/core/protocol/stream-hello.ts";
import type { StreamMessage } from "../../../src/core/protocol/stream-messages.ts";
import { formatIpv4, type Ipv4Address } from "../../../src/core/wire/ipv4.ts";

export const CLUSTER = "test";
export const SECRET = new Uint8Array(32).fill(3);
const PORT = 4340;
const NETWORK = (0x7f00_0000 + Math.floor(Math.random() * 0xffff) * 256) as Ipv4Address;

export const members: readonly StreamMember[] = ["ha1", "ha2", "ha3"].map((id, index) => ({
  id,
  address: (NETWORK + index + 1) as Ipv4Address,
  port: PORT,
}));

/** Waits for what a condition answers: it throws, or answers something false, until it holds. */
export function until<T>(condition: () => T): Promise<T> {
  return vi.waitFor(
    () => {
      const value = condition();
      if (!value) throw new Error(`not yet: ${condition}`);
      return value;
    },
    { timeout: 15_000, interval: 5 },
  );
}

export interface TestMember {
  readonly id: string;
  readonly streams: StreamChannels;
  /** `opened PEER` and `closed PEER REASON`. */
  readonly story: string[];
  readonly received: StreamMessage[];
  readonly counts: Map<StreamFault, number>;
  readonly log: string[];
}

const open: { close(): unknown }[] = [];

export async function openMember(id: string, overrides: Partial<StreamChannelsOptions> = {}): Promise<TestMember> {
  const story: string[] = [];
  const received: StreamMessage[] = [];
  const counts = new Map<StreamFault, number>();
  const log: string[] = [];
  const splitters = new Map<string, FrameSplitter>();
  const streams = await StreamChannels.open({
    cluster: CLUSTER,
    secret: SECRET,
    self: id,
    members,
    bootCount: 1,
    maximumClockSkewMs: () => 30_000,
    wallMs: () => Date.now(),
    listener: {
      opened: (peer) => {
        story.push(`opened ${peer}`);
        splitters.set(peer, new FrameSplitter(MAXIMUM_BODY_BYTES));
      },
      closed: (peer, reason) => story.push(`closed ${peer} ${reason}`),
      received: (peer, bytes) => {
        for (const body of bodiesIn(splitters.get(peer), bytes))
          if (body.length > 0) received.push(decodeStreamMessage(body));
      },
    },
    log: { event: (event, fields = {}) => log.push([event, ...Object.values(fields)].join(" ")) },
    count: (reason) => counts.set(reason, (counts.get(reason) ?? 0) + 1),
    ...overrides,
  });
  open.push(streams);
  return { id, streams, story, received, counts, log };
}

/** Ends what a test has opened. */
export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((opened) => opened.close()));
}

function endpointOf(id: string): { readonly host: string; readonly port: number } {
  const member = members.find((each) => each.id === id);
  if (member === undefined) throw new Error(`no member ${id}`);
  return { host: formatIpv4(member.address), port: member.port };
}

export const addressOf = (id: string): string => endpointOf(id).host;

/** A stranger: a TCP connection to a member. */
export function callTcp(to: string): Socket {
  return watched(connectTcp({ ...endpointOf(to), noDelay: true }));
}

function watched<T extends Socket>(socket: T): T {
  // Being thrown out is what most of them are here for.
  socket.on("error", () => undefined);
  open.push({ close: () => socket.destroy() });
  return socket;
}

/** Speaks TLS to a member, as whoever holds the key. */
export function callTls(to: string, options: ConnectionOptions): TLSSocket {
  const security: ConnectionOptions = { minVersion: "TLSv1.3", ciphers: "TLS_AES_128_GCM_SHA256" };
  return watched(connectTls({ ...security, ...endpointOf(to), ...options }));
}

/** A member by its key, who says what the test wants. */
export class Impostor {
  readonly socket: TLSSocket;
  readonly frames: Uint8Array[] = [];

  constructor(as: string, to: string, hello: Uint8Array | undefined) {
    const psk = deriveStreamKey(SECRET, CLUSTER, as, to);
    this.socket = callTls(to, { pskCallback: () => ({ identity: `${as}@${CLUSTER}`, psk }) });
    const splitter = new FrameSplitter(MAXIMUM_BODY_BYTES);
    this.socket.on("data", (chunk: Uint8Array) => this.frames.push(...bodiesIn(splitter, chunk)));
    if (hello !== undefined) this.socket.write(hello);
  }
}

function* bodiesIn(splitter: FrameSplitter | undefined, bytes: Uint8Array): Generator<Uint8Array> {
  if (splitter === undefined) throw new Error("bytes on a stream that is not open");
  splitter.push(bytes);
  for (let body = splitter.take(); body !== undefined; body = splitter.take()) yield body;
}

/** A whole frame. */
export function helloOf(member: string, changes: Partial<Hello> = {}): Uint8Array {
  const hello: Hello = { cluster: CLUSTER, member, bootCount: 1, sentAtMs: Date.now(), ...changes };
  return encodeStreamFrame((writer) => writeHello(writer, hello));
}
