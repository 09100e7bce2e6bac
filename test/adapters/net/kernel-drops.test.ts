import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it } from "vitest";
import { kernelDrops } from "../../../src/adapters/net/kernel-drops.ts";
import { UdpSocket } from "../../../src/adapters/net/udp-socket.ts";
import { ipv4 } from "../../../src/core/wire/ipv4.ts";

const here = ipv4("127.0.0.1");

it.runIf(process.platform === "linux")("datagrams that come faster than they are read are counted", async () => {
  let received = 0;
  const receiver = await UdpSocket.bind(
    { address: here, port: 0 },
    {
      received: () => received++,
      sendFailed: () => {},
      failed: () => {},
    },
  );
  const sender = createSocket("udp4");
  try {
    expect(kernelDrops(receiver.local)).toBe(0);
    // Nobody reads until all are sent: `send` passes a datagram to the kernel at once where it needs no resolver.
    sender.connect(receiver.local.port, "127.0.0.1");
    await once(sender, "connect");
    const sent = 10_000;
    for (let i = 0; i < sent; i++) sender.send(new Uint8Array(1000));
    const drops = kernelDrops(receiver.local);
    expect(drops).toBeGreaterThan(0);
    expect(drops + received).toBeLessThanOrEqual(sent);
  } finally {
    sender.close();
    await receiver.close();
  }
});

it("of a socket that isn't there, nothing is known", () => {
  expect(kernelDrops({ address: ipv4("192.0.2.77"), port: 1 })).toBe(0);
});
