/** Sends one kind of garbage to one address as fast as it is told, in a process of its own: `node flooder.ts ORDER`, as JSON. */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { setTimeout as delay } from "node:timers/promises";
import { type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../src/core/wire/ntp-timestamp.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import { buildRequest } from "../../src/mobile/mobile-messages.ts";

export const GARBAGE = ["wrong-authenticator", "unknown-nai", "undecodable", "replays", "old-replays"] as const;
export type Garbage = (typeof GARBAGE)[number];

export interface FloodOrder {
  readonly garbage: Garbage;
  readonly port: number;
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Each a port of its own. */
  readonly sources: number;
}

/** Different datagrams; sent again and again. */
const VARIETY = 400;
/** What is to be replayed has been sent once, as mobiles send it. */
const FIRST_PER_SECOND = 400;
const TICK_MS = 5;

function make(garbage: Garbage, number: number): Uint8Array {
  const [{ spi, key }] = LAB_TOPOLOGY.associations;
  const isRecorded = garbage === "replays" || garbage === "old-replays";
  if (garbage === "undecodable") return randomBytes(20 + (number % 100));
  const nai = garbage === "unknown-nai" ? `user${number}@nowhere.example` : undefined;
  const keys = isRecorded ? new TextEncoder().encode(key) : randomBytes(16);
  const ageMs = garbage === "old-replays" ? 3_600_000 : 0;
  const fields = {
    flags: 0,
    lifetimeSeconds: 1800,
    homeAddress: (ipv4("10.66.0.0") + number) as Ipv4Address,
    homeAgent: ipv4(LAB_TOPOLOGY.virtualAddress),
    careOfAddress: ipv4("192.0.2.66"),
    identification: ntpFromEpochMs(Date.now() - ageMs + number / 1000),
  };
  return buildRequest(fields, nai, {
    homeAgent: { spi, algorithm: "hmac-md5", key: keys },
    foreignAgent: undefined,
  });
}

async function flood({ garbage, port, ratePerSecond, seconds, sources }: FloodOrder): Promise<number> {
  const datagrams = Array.from({ length: VARIETY }, (_, number) => make(garbage, number));
  const sockets: Socket[] = [];
  for (let opened = 0; opened < sources; opened++) {
    const socket = createSocket({ type: "udp4", lookup: (address, _options, callback) => callback(null, address, 4) });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    socket.on("message", () => undefined);
    sockets.push(socket);
  }
  const send = async (perSecond: number, lastsSeconds: number): Promise<number> => {
    const startMs = performance.now();
    let sent = 0;
    for (let nowMs = startMs; nowMs < startMs + lastsSeconds * 1000; nowMs = performance.now()) {
      const due = Math.floor(((nowMs - startMs) / 1000) * perSecond);
      while (sent < due) {
        const datagram = datagrams[sent % VARIETY];
        if (datagram !== undefined) sockets[sent % sources]?.send(datagram, port, "127.0.0.1");
        sent++;
      }
      await delay(TICK_MS);
    }
    return sent;
  };
  if (garbage === "replays") await send(FIRST_PER_SECOND, VARIETY / FIRST_PER_SECOND);
  const sent = await send(ratePerSecond, seconds);
  for (const socket of sockets) socket.close();
  return sent;
}

if (import.meta.main) {
  const order: FloodOrder = JSON.parse(process.argv[2] ?? "{}");
  process.stdout.write(`${await flood(order)}\n`);
}
