/**
 * What a stream between two members does on this machine, each in a thread of its own: `node test/bench/stream.bench.ts`.
 * Rows are as long as a binding with one care-of address; the receiver decodes messages, not rows, and acknowledges each.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { StreamChannels } from "../../src/adapters/net/stream-channel.ts";
import { PeerStreams } from "../../src/core/home-agent/peer-streams.ts";
import { encodeStreamMessage } from "../../src/core/protocol/stream-codec.ts";
import type { StreamMessage } from "../../src/core/protocol/stream-messages.ts";
import { ipv4 } from "../../src/core/wire/ipv4.ts";

const members = ["ha1", "ha2"].map((id, index) => ({ id, address: ipv4(`127.43.40.${index + 1}`), port: 4340 }));
const ROW = new Uint8Array(180);

function open(self: string, received: (message: StreamMessage) => void, opened: () => void): Promise<StreamChannels> {
  const streams = new PeerStreams(() => fail("it can't be read"));
  return StreamChannels.open({
    cluster: "bench",
    secret: new Uint8Array(32),
    self,
    members,
    bootCount: 1,
    maximumClockSkewMs: () => 30_000,
    wallMs: () => Date.now(),
    listener: {
      opened: (peer) => {
        streams.opened(peer);
        opened();
      },
      closed: (_, reason) => fail(reason),
      received: (peer, bytes) => streams.read(peer, bytes).forEach(received),
    },
    log: { event: () => undefined },
    count: fail,
  });
}

function fail(reason: string): never {
  throw new Error(`stream ended: ${reason}`);
}

async function receive(): Promise<void> {
  const streams = await open(
    "ha2",
    (message) => {
      if (message.type === "rows") streams.send("ha1", encodeStreamMessage({ type: "ack", number: message.number }));
    },
    () => undefined,
  );
}

let acknowledged: (position: number) => void = () => undefined;

/** So many messages, of which so many wait for their acknowledgement at a time. */
async function run(streams: StreamChannels, messages: number, outstanding: number, rowsEach: number): Promise<void> {
  const rows = Array.from({ length: rowsEach }, () => ROW);
  const sentMs = new Float64Array(messages + 1);
  const delaysMs: number[] = [];
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  await new Promise<void>((done) => {
    let sent = 0;
    const send = (): void => {
      sent += 1;
      sentMs[sent] = performance.now();
      streams.send("ha2", encodeStreamMessage({ type: "rows", number: sent, rows }));
    };
    acknowledged = (position) => {
      delaysMs.push(performance.now() - (sentMs[position] ?? 0));
      if (sent < messages) send();
      else if (position === messages) done();
    };
    while (sent < outstanding) send();
  });
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(startCpu);
  delaysMs.sort((a, b) => a - b);
  const at = (share: number): string => (delaysMs[Math.floor((delaysMs.length - 1) * share)] ?? 0).toFixed(2);
  const bytes = messages * rowsEach * ROW.length;
  process.stdout.write(
    `${rowsEach} rows per message, ${outstanding} outstanding: ${Math.round(messages / seconds)} messages/s, ` +
      `${Math.round((messages * rowsEach) / seconds)} rows/s, ${(bytes / 1e6 / seconds).toFixed(1)} MB/s, ` +
      `${((user + system) / messages / rowsEach).toFixed(2)} µs of CPU per row on both sides; ` +
      `acknowledged after p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`,
  );
}

if (!isMainThread) await receive();
else {
  const worker = new Worker(new URL(import.meta.url));
  const opened = Promise.withResolvers<void>();
  const streams = await open(
    "ha1",
    (message) => {
      if (message.type === "ack") acknowledged(message.number);
    },
    opened.resolve,
  );
  await opened.promise;
  await run(streams, 20_000, 1, 1);
  await run(streams, 200_000, 64, 1);
  await run(streams, 500_000, 1024, 1);
  await run(streams, 20_000, 16, 100);
  await run(streams, 5_000, 16, 1000);
  await Promise.all([streams.close(), worker.terminate()]);
}
