import { afterEach, describe, expect, it } from "vitest";
import { isOurAddress, type UdpListener, UdpSocket, withoutRoute } from "../../../src/adapters/net/udp-socket.ts";
import { type Endpoint, ipv4 } from "../../../src/core/wire/ipv4.ts";

const loopback = { address: ipv4("127.0.0.1"), port: 0 };
const open: UdpSocket[] = [];

async function bind(local: Endpoint, listener: Partial<UdpListener> = {}): Promise<UdpSocket> {
  const unexpected = (what: string) => () => {
    throw new Error(`unexpected: ${what}`);
  };
  const socket = await UdpSocket.bind(local, {
    received: unexpected("received"),
    sendFailed: unexpected("sendFailed"),
    failed: unexpected("failed"),
    ...listener,
  });
  open.push(socket);
  return socket;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((socket) => socket.close()));
});

it("an address is ours or not, also one of a local network without an interface of its own", async () => {
  expect(await isOurAddress(ipv4("127.0.0.1"))).toBe(true);
  expect(await isOurAddress(ipv4("127.77.0.1"))).toBe(process.platform === "linux");
  expect(await isOurAddress(ipv4("192.0.2.1"))).toBe(false);
});

describe("a UDP socket", () => {
  it("delivers datagrams with their source", async () => {
    const arrived = Promise.withResolvers<{ payload: string; source: Endpoint }>();
    const receiver = await bind(loopback, {
      received: (payload, source) => arrived.resolve({ payload: Buffer.from(payload).toString(), source }),
    });
    const sender = await bind(loopback);
    sender.send(Buffer.from("hello"), receiver.local);
    expect(await arrived.promise).toEqual({ payload: "hello", source: sender.local });
  });

  it("tells of a datagram that can't be sent, and goes on", async () => {
    const failed = Promise.withResolvers<string>();
    const sender = await bind(loopback, { sendFailed: (_, code) => failed.resolve(code) });
    sender.send(new Uint8Array(70_000), { address: ipv4("127.0.0.1"), port: 9 });
    expect(await failed.promise).toBe("EMSGSIZE");
    const arrived = Promise.withResolvers<void>();
    const receiver = await bind(loopback, { received: () => arrived.resolve() });
    sender.send(new Uint8Array(1), receiver.local);
    await arrived.promise;
  });

  it("can't be bound to an address that isn't ours, or to a port that is taken", async () => {
    await expect(bind({ address: ipv4("192.0.2.1"), port: 0 })).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
    const first = await bind(loopback);
    await expect(bind(first.local)).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("a look for routes", () => {
  const broadcast = ipv4("255.255.255.255");

  it("finds where nothing can be sent to, and why, and sends nothing", async () => {
    const receiver = await bind(loopback, {});
    const found = await withoutRoute(loopback.address, [broadcast, receiver.local.address, broadcast]);
    expect([...found]).toEqual([[broadcast, "EACCES"]]);
  });

  it("finds nothing where it can't look", async () => {
    expect([...(await withoutRoute(ipv4("192.0.2.1"), [broadcast]))]).toEqual([]);
  });
});
