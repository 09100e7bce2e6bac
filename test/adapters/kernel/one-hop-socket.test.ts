import { createSocket, type Socket } from "node:dgram";
import { expect, test } from "vitest";
import { OneHopSocket } from "../../../src/adapters/kernel/one-hop-socket.ts";
import { UdpSocket } from "../../../src/adapters/net/udp-socket.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../src/lab/wait.ts";

const ADDRESS = "127.0.0.1";

test.runIf(process.platform === "linux")("a packet with TTL 255 is received, one with less is not", async () => {
  const sender = createSocket("udp4");
  await new Promise<void>((resolve) => sender.bind(0, ADDRESS, resolve));
  const holder = createSocket("udp4");
  await new Promise<void>((resolve) => holder.bind(0, ADDRESS, resolve));
  const { port } = holder.address();
  await new Promise<void>((resolve) => holder.close(resolve));
  const local = { address: ipv4(ADDRESS), port };
  const received: string[] = [];
  const ignore = () => undefined;
  const receiver = await UdpSocket.adopt((await OneHopSocket.open()).bind(local), local, {
    received: (payload) => void received.push(Buffer.from(payload).toString()),
    sendFailed: ignore,
    failed: ignore,
  });
  try {
    for (const ttl of [1, 64, 254, 255]) await sendWithTtl(sender, ttl, port);
    // The loopback interface keeps the order.
    await waitFor(() => received.length > 0, { deadlineMs: 10_000, intervalMs: 10, what: "a packet" });
    expect(received).toEqual(["sent with TTL 255"]);
  } finally {
    await receiver.close();
    sender.close();
  }
});

test.runIf(process.platform === "linux")("an address that another socket has can't be bound", async () => {
  const holder = createSocket("udp4");
  await new Promise<void>((resolve) => holder.bind(0, ADDRESS, resolve));
  const socket = await OneHopSocket.open();
  expect(() => socket.bind({ address: ipv4(ADDRESS), port: holder.address().port })).toThrow("bind: EADDRINUSE");
  holder.close();
});

function sendWithTtl(socket: Socket, ttl: number, port: number): Promise<void> {
  socket.setTTL(ttl);
  return new Promise((resolve, reject) => {
    socket.send(`sent with TTL ${ttl}`, port, ADDRESS, (error) => (error ? reject(error) : resolve()));
  });
}
