/**
 * The main thread's end of BFD: it shows the worker that the event loop is running, and knows the state of the sessions.
 */

import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { formatIpv4, type Ipv4Address } from "../../core/wire/ipv4.ts";
import { entryFile } from "../kernel/entry-file.ts";
import type { Counters } from "../telemetry/counters.ts";
import type { EventLog } from "../telemetry/log.ts";
import { Diagnostic, describeDiagnostic, type SessionState } from "./control-packet.ts";
import { BEATS_PER_TIMEOUT, beat, makeHeartbeat } from "./heartbeat.ts";
import type { SessionStatus } from "./session.ts";
import type { BfdOrder, BfdReport, BfdSettings, BfdWorkerData } from "./worker-messages.ts";

export interface BfdNeighborStatus {
  readonly address: string;
  readonly state: SessionState;
  /** Epoch ms of the last change of state. */
  readonly sinceMs: number;
  /** Why it isn't Up; absent if it never was, and while it is. */
  readonly reason?: string;
  /** How long a silence of the neighbor ends the session; absent while it is silent. */
  readonly detectionTimeMs?: number;
  readonly transmitIntervalMs: number;
}

const ENTRY = entryFile(new URL("./worker.ts", import.meta.url));

const RESTART_MS = 1000;
const STOP_MS = 500;

export class BfdSpeaker {
  readonly #settings: BfdSettings;
  readonly #log: EventLog;
  readonly #counters: Counters;
  readonly #heartbeat = makeHeartbeat();
  readonly #neighbors: Map<Ipv4Address, BfdNeighborStatus>;
  #beats: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  #failure: string | undefined;
  #isTtlUnchecked = false;

  constructor(settings: BfdSettings, log: EventLog, counters: Counters) {
    this.#settings = settings;
    this.#log = log;
    this.#counters = counters;
    this.#neighbors = new Map(settings.neighbors.map((neighbor) => [neighbor, this.#unheard(neighbor)]));
  }

  /** A worker that can't start is tried again, as its address may appear later. */
  start(): void {
    this.#beats = setInterval(() => beat(this.#heartbeat), this.#settings.heartbeatTimeoutMs / BEATS_PER_TIMEOUT);
    this.#startWorker();
  }

  get neighbors(): readonly BfdNeighborStatus[] {
    return [...this.#neighbors.values()];
  }

  /**
   * Tells the neighbors that this end is intended (AdminDown). It does so only once: a neighbor that misses it finds out
   * after the detection time, which is why routes have to be withdrawn before.
   */
  async stop(): Promise<void> {
    clearInterval(this.#beats);
    clearTimeout(this.#restart);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage("disable" satisfies BfdOrder);
    await Promise.race([exited, delay(STOP_MS, undefined, { ref: false })]);
    await worker.terminate();
  }

  #startWorker(): void {
    const data: BfdWorkerData = { ...this.#settings, heartbeat: this.#heartbeat };
    const worker = new Worker(ENTRY, { name: "bfd worker", workerData: data });
    this.#worker = worker;
    let reason = "the worker ended";
    worker.on("message", (message: BfdReport) => this.#take(message));
    worker.on("error", (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.once("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#failed(reason);
    });
  }

  #failed(reason: string): void {
    if (this.#failure !== reason) this.#log.event("bfd-failed", { reason });
    this.#failure = reason;
    for (const neighbor of this.#neighbors.keys()) {
      this.#setNeighbor(neighbor, { ...this.#unheard(neighbor), reason });
    }
    this.#restart = setTimeout(() => this.#startWorker(), RESTART_MS);
  }

  #take(message: BfdReport): void {
    if (message.type === "session") {
      this.#failure = undefined;
      this.#setNeighbor(message.neighbor, viewOf(message.neighbor, message.status));
      return;
    }
    if (message.type === "ttl-unchecked") {
      if (!this.#isTtlUnchecked) this.#log.event("bfd-ttl-unchecked", { reason: message.reason });
      this.#isTtlUnchecked = true;
      return;
    }
    for (const [reason, count] of message.dropped) this.#counters.addLabeled("bfd-packets-dropped", reason, count);
    this.#counters.addLabeled("send-errors", "bfd", message.sendErrors);
  }

  #setNeighbor(neighbor: Ipv4Address, status: BfdNeighborStatus): void {
    const before = this.#neighbors.get(neighbor);
    const isSame = before?.state === status.state;
    this.#neighbors.set(neighbor, isSame ? { ...status, sinceMs: before.sinceMs } : status);
    if (isSame) return;
    if (status.state === "up") this.#log.event("bfd-up", { neighbor: status.address });
    if (before?.state !== "up") return;
    this.#counters.addLabeled("bfd-sessions-lost", status.address);
    this.#log.event("bfd-down", { neighbor: status.address, reason: status.reason });
  }

  #unheard(neighbor: Ipv4Address): BfdNeighborStatus {
    const { transmitIntervalMs } = this.#settings;
    return { address: formatIpv4(neighbor), state: "down", sinceMs: Date.now(), transmitIntervalMs };
  }
}

function viewOf(neighbor: Ipv4Address, status: SessionStatus): BfdNeighborStatus {
  const { state, diagnostic, detectionTimeMs, transmitIntervalMs } = status;
  return {
    address: formatIpv4(neighbor),
    state,
    sinceMs: Date.now(),
    transmitIntervalMs,
    ...(detectionTimeMs !== undefined && { detectionTimeMs }),
    ...(state !== "up" && diagnostic !== Diagnostic.none && { reason: reasonOf(status) }),
  };
}

function reasonOf({ diagnostic, remoteDiagnostic }: SessionStatus): string {
  const reason = describeDiagnostic(diagnostic);
  const isTold = diagnostic === Diagnostic.neighborSignaledDown && remoteDiagnostic !== Diagnostic.none;
  return isTold ? `${reason}: ${describeDiagnostic(remoteDiagnostic)}` : reason;
}
