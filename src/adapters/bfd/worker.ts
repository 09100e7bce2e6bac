/**
 * Worker thread that speaks BFD for a daemon whose main event loop may be busy: a pause is not a failure. It speaks only
 * for a live loop: if that stands still for longer than a timeout, all sessions go Down, and routers are told at once. An
 * AdminDown would be no reason for newer routers to drop routes (RFC 5882 4.2).
 */
import { randomInt } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { Endpoint, Ipv4Address } from "../../core/wire/ipv4.ts";
import { OneHopSocket } from "../kernel/one-hop-socket.ts";
import { UdpSocket } from "../net/udp-socket.ts";
import { BFD_CONTROL_PORT, Diagnostic, encodeControlPacket } from "./control-packet.ts";
import { BEATS_PER_TIMEOUT, beatsOf, HeartbeatWatch } from "./heartbeat.ts";
import { BfdSessions, type DropReason, type NeighborOutput } from "./sessions.ts";
import type { BfdOrder, BfdReport, BfdWorkerData } from "./worker-messages.ts";

const FIRST_SOURCE_PORT = 49_152;
const SOURCE_PORTS = 16_384;
/** RFC 5881 5: a packet that was forwarded on its way has less. */
const TTL = 255;
const RANDOM_RANGE = 2 ** 32;
const BIND_ATTEMPTS = 20;

const { heartbeat, localAddress, neighbors, heartbeatTimeoutMs, ...timers } = workerData as BfdWorkerData;
const sessions = new BfdSessions({ ...timers, neighbors, random: () => randomInt(RANDOM_RANGE) / RANDOM_RANGE });
const senders = new Map<Ipv4Address, UdpSocket>();
const watch = new HeartbeatWatch();
const reported = new Map<Ipv4Address, string>();
let dropped = new Map<DropReason, number>();
let sendErrors = 0;
let timer: NodeJS.Timeout | undefined;

function report(message: BfdReport): void {
  parentPort?.postMessage(message);
}

function carryOut(outputs: readonly NeighborOutput[]): void {
  for (const { neighbor, output } of outputs) {
    if (output.type !== "send") continue;
    senders.get(neighbor)?.send(encodeControlPacket(output.packet), { address: neighbor, port: BFD_CONTROL_PORT });
  }
  for (const [neighbor, status] of sessions.statuses) {
    const text = JSON.stringify(status);
    if (reported.get(neighbor) === text) continue;
    reported.set(neighbor, text);
    report({ type: "session", neighbor, status });
  }
  clearTimeout(timer);
  const waitMs = Math.max(0, Math.ceil(sessions.nextWakeMs - performance.now()));
  if (waitMs !== Number.POSITIVE_INFINITY) timer = setTimeout(() => carryOut(sessions.tick(performance.now())), waitMs);
}

function received(payload: Uint8Array, source: Endpoint): void {
  const result = sessions.receive(payload, source.address, performance.now());
  if (result.ok) carryOut(result.outputs);
  else dropped.set(result.reason, (dropped.get(result.reason) ?? 0) + 1);
}

function look(): void {
  if (watch.look(beatsOf(heartbeat))) sessions.release();
  else carryOut(sessions.hold(Diagnostic.pathDown, performance.now()));
  if (dropped.size === 0 && sendErrors === 0) return;
  report({ type: "counts", dropped, sendErrors });
  dropped = new Map();
  sendErrors = 0;
}

const listener = {
  received,
  sendFailed: () => {
    sendErrors += 1;
  },
  failed: () => {
    sendErrors += 1;
  },
};

/** RFC 5881 4: one source port for a session, in the range, unlike any other's. */
async function bindSender(): Promise<UdpSocket> {
  for (let attempt = 1; ; attempt++) {
    const port = FIRST_SOURCE_PORT + randomInt(SOURCE_PORTS);
    try {
      // Nothing is ever meant for this port.
      return await UdpSocket.bind(
        { address: localAddress, port },
        { ...listener, received: () => undefined },
        { ttl: TTL },
      );
    } catch (error) {
      if (attempt === BIND_ATTEMPTS || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

/**
 * Without authentication, packets that were forwarded must not be accepted (RFC 5881 5), as anyone could end a session with
 * them. A session that isn't protected from that is still better than none.
 */
async function bindReceiver(): Promise<UdpSocket> {
  const local = { address: localAddress, port: BFD_CONTROL_PORT };
  let socket: OneHopSocket;
  try {
    socket = await OneHopSocket.open();
  } catch (error) {
    report({ type: "ttl-unchecked", reason: (error as Error).message });
    return UdpSocket.bind(local, listener);
  }
  return UdpSocket.adopt(socket.bind(local), local, listener);
}

// An error that is thrown from here on ends the thread, and the main thread learns of it.
const receiver = await bindReceiver();
for (const neighbor of neighbors) senders.set(neighbor, await bindSender());
const looks = setInterval(look, heartbeatTimeoutMs / BEATS_PER_TIMEOUT);
carryOut(sessions.tick(performance.now()));

parentPort?.once("message", (_order: BfdOrder) => {
  carryOut(sessions.disable(performance.now()));
  clearTimeout(timer);
  clearInterval(looks);
  for (const socket of [receiver, ...senders.values()]) void socket.close();
});
