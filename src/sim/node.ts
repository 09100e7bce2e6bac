/** One simulated member: the unchanged core, with a clock, a disk and a state of its own. */

import { decodeBindingRow } from "../core/bindings/binding-row.ts";
import type { ForwardingEntry, Tunnel } from "../core/forwarding/forwarding-entry.ts";
import { Ladder } from "../core/health/ladder.ts";
import { assess } from "../core/health/readiness.ts";
import { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { DeletionOutcome, Input, Output } from "../core/home-agent/io.ts";
import type { HomeAgentSettings } from "../core/home-agent/settings.ts";
import type { MobileIdentity, MobileKey } from "../core/names.ts";
import type { Now } from "../core/now.ts";
import type { Observer } from "../core/observer.ts";
import type { Ipv4Address } from "../core/wire/ipv4.ts";
import { SimulatedDisk } from "./disk.ts";
import type { DamageKind } from "./disk-damage.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";
import { PEER_TIMEOUT_MS, type Start } from "./settings.ts";

/** Epoch ms at the beginning of every simulation. */
export const EPOCH_MS = 1_790_000_000_000;
const ASSESSMENT_MS = 250;
/** What the kernel's buffers hold for a process that doesn't read. */
const MAXIMUM_HELD = 5000;
/** As short as they can be: faults come faster than in real life. */
const LADDER = {
  startDelayMs: 0,
  holdDownMs: 0,
  damping: { halfLifeMs: 1000, suppress: 1000, reuse: 1, maximumMs: 1000 },
};

export type Loaded = ReturnType<SimulatedDisk["load"]>;

export interface NodeEnvironment {
  /** Says "written" at once, and writes later. */
  readonly lyingDisk: boolean;
  readonly queue: EventQueue;
  readonly random: Random;
  readonly settingsOf: (id: string, start: Start) => HomeAgentSettings;
  /** An input has its turn. */
  readonly handles: (node: SimulatedNode, input: Input) => void;
  readonly perform: (node: SimulatedNode, output: Output) => void;
  /** It has loaded what was on its disk. */
  readonly restored: (node: SimulatedNode, loaded: Loaded) => void;
  readonly count: (what: string) => void;
  readonly event: (node: SimulatedNode, event: string, fields: Readonly<Record<string, string | number>>) => void;
}

export class SimulatedNode {
  readonly id: string;
  readonly disk: SimulatedDisk;
  agent: HomeAgent;
  /** What its data plane was told. */
  readonly tunnels = new Map<Ipv4Address, readonly Tunnel[]>();
  aliveMembers: readonly string[] = [];
  /** As kept on disk: a wipe sets it back. */
  bootCount = 0;
  /** Tells what was set up for an earlier life of the process. */
  life = 0;
  state: "running" | "paused" | "down" = "down";
  /** Wall clock minus true time. */
  clockOffsetMs = 0;
  ready = false;
  diskFailures = 0;
  /** Since when its disk has taken nothing; `undefined`: it does. */
  diskDeadSinceMs: number | undefined;
  /** When it was last killed. */
  downSinceMs = 0;
  /** When it last began to run as it should. */
  wellSinceMs = 0;
  /** Numbers of those that an operator was told have been carried out. */
  readonly confirmedDeletions = new Set<number>();
  #deletions = 0;
  readonly #environment: NodeEnvironment;
  #startedAtMs = 0;
  #hasCaughtUp = false;
  #ladder = new Ladder(LADDER);
  #pausedAtMs = 0;
  /** Inputs that arrive during a pause, or faster than they are dealt with, wait in the kernel's buffers. */
  #held: Input[] = [];
  /** Time that each input takes. */
  #serviceMs = 0;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** Tell loops of an earlier run, before a kill or a pause. */
  #assessing = 0;
  #serving = 0;

  constructor(id: string, environment: NodeEnvironment) {
    const { lyingDisk, queue, random } = environment;
    this.id = id;
    this.#environment = environment;
    this.disk = new SimulatedDisk({
      queue,
      random,
      lies: lyingDisk,
      durable: (position) => this.input({ type: "durable", position }),
    });
    this.agent = this.#make();
  }

  /** What tells this life from all others, though the disk that counts them may be lost. */
  get #start(): Start {
    return { bootCount: this.bootCount, startNonce: this.life };
  }

  /** What its system's clocks say. */
  get now(): Now {
    const { nowMs } = this.#environment.queue;
    return { wallMs: Math.floor(EPOCH_MS + nowMs + this.clockOffsetMs), monotonicMs: nowMs };
  }

  get isSlow(): boolean {
    return this.#serviceMs > 0;
  }

  /** It has been running undisturbed for a while, and is announced: what it says counts. */
  hasBeenServingFor(ms: number): boolean {
    const { nowMs } = this.#environment.queue;
    return this.state === "running" && this.ready && !this.isSlow && nowMs - this.wellSinceMs >= ms;
  }

  /** The row that would be there after a restart. */
  rowOnDisk(mobile: MobileKey): ReturnType<typeof decodeBindingRow> | undefined {
    const row = this.disk.row(mobile);
    return row === undefined ? undefined : decodeBindingRow(row);
  }

  /** A registration of the mobile that goes by one of these keys, this one or newer. */
  hasOnDisk(names: readonly (MobileKey | undefined)[], identification: bigint): boolean {
    return names.some((name) => ((name && this.rowOnDisk(name))?.registration.identification ?? -1n) >= identification);
  }

  start(): void {
    if (this.state !== "down") return;
    // As the store counts: seconds, so that a store that was lost counts on.
    this.bootCount = Math.max(this.bootCount + 1, Math.floor(this.now.wallMs / 1000));
    this.life++;
    this.agent = this.#make();
    const loaded = this.disk.load();
    for (const { table, row } of loaded.rows) this.agent.restore(table, row);
    this.#environment.restored(this, loaded);
    this.tunnels.clear();
    this.aliveMembers = [];
    this.agent.startForwarding();
    this.#forward(this.agent.forwardingEntries);
    this.state = "running";
    this.ready = false;
    this.#hasCaughtUp = false;
    this.#ladder = new Ladder(LADDER);
    this.#startedAtMs = this.#environment.queue.nowMs;
    this.wellSinceMs = this.#startedAtMs;
    this.#assess(++this.#assessing);
  }

  /** SIGKILL or power loss: what is not on disk is gone. */
  kill(): void {
    this.state = "down";
    this.ready = false;
    this.downSinceMs = this.#environment.queue.nowMs;
    this.disk.losePower();
    this.diskDeadSinceMs = undefined;
    this.#held = [];
    this.#serviceMs = 0;
    this.#serving++;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
  }

  /** Its configuration has changed. A process that doesn't run, or is slow, reads it once it can. */
  reconfigure(): void {
    if (this.state === "down") return;
    if (this.state === "paused" || this.#serviceMs > 0) {
      const { life } = this;
      this.#environment.queue.after(ASSESSMENT_MS, () => {
        if (this.life === life) this.reconfigure();
      });
      return;
    }
    this.input({ type: "reconfigure", changes: this.#environment.settingsOf(this.id, this.#start) });
  }

  /** As the control API does. Returns the number of the deletion if this member has begun it: a refusal comes at once. */
  deleteBinding(identity: MobileIdentity, forgetReplay: boolean): number | undefined {
    const token = ++this.#deletions;
    const outputs = this.agent.handle({ type: "delete-binding", token, identity, forgetReplay }, this.now);
    this.#perform(outputs);
    const isRefused = outputs.some((output) => output.type === "deletion" && output.outcome !== "deleted");
    return isRefused ? undefined : token;
  }

  wipe(): void {
    this.disk.wipe();
    this.bootCount = 0;
  }

  pause(): void {
    if (this.state !== "running") return;
    this.state = "paused";
    this.ready = false;
    this.#pausedAtMs = this.#environment.queue.nowMs;
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    this.wellSinceMs = this.#environment.queue.nowMs;
    const pausedMs = this.wellSinceMs - this.#pausedAtMs;
    // The daemon notices the stall before it does anything else.
    if (pausedMs > PEER_TIMEOUT_MS / 2) this.#handle({ type: "stalled" });
    this.#catchUp();
    this.#assess(++this.#assessing);
  }

  /** From now on each input takes this long; 0: as good as none. */
  slowDown(serviceMs: number): void {
    if (this.state === "down") return;
    this.#serviceMs = serviceMs;
    if (serviceMs > 0) return;
    this.wellSinceMs = this.#environment.queue.nowMs;
    if (this.state === "running") this.#catchUp();
  }

  /** While it is down. */
  damageDisk(kind: DamageKind): void {
    this.disk.damage(kind);
  }

  breakDisk(cause: "full" | "error"): void {
    if (this.state === "down" || !this.disk.works) return;
    this.diskFailures++;
    this.diskDeadSinceMs ??= this.#environment.queue.nowMs;
    this.input({ type: "store-failed", firstPosition: this.disk.fail(cause), reason: cause });
  }

  hangDisk(): void {
    if (this.state === "down" || !this.disk.works) return;
    this.diskDeadSinceMs ??= this.#environment.queue.nowMs;
    this.disk.hang();
  }

  mendDisk(): void {
    this.disk.release();
    this.diskDeadSinceMs = undefined;
    if (this.disk.works) return;
    this.disk.works = true;
    this.input({ type: "store-recovered" });
  }

  input(input: Input): void {
    if (this.state === "down") return;
    if (this.state === "running" && this.#serviceMs === 0) this.#handle(input);
    else if (this.#held.length < MAXIMUM_HELD) {
      this.#held.push(input);
      if (this.#held.length === 1) this.#serveNext(++this.#serving);
    }
  }

  #catchUp(): void {
    if (this.#serviceMs > 0) this.#serveNext(++this.#serving);
    else for (const input of this.#held.splice(0)) this.#handle(input);
  }

  #serveNext(loop: number): void {
    this.#environment.queue.after(this.#serviceMs, () => {
      if (this.#serving !== loop || this.state !== "running" || this.#serviceMs === 0) return;
      const input = this.#held.shift();
      if (input !== undefined) this.#handle(input);
      if (this.#held.length > 0) this.#serveNext(loop);
    });
  }

  #handle(input: Input): void {
    this.#environment.handles(this, input);
    this.#perform(this.agent.handle(input, this.now));
    this.#schedule();
  }

  #perform(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.type === "append") this.disk.append(output.changes);
      else if (output.type === "forward") this.#forward(output.entries);
      else if (output.type === "deletion") this.#answered(output.token, output.outcome);
      else if (output.type === "alive") this.aliveMembers = output.members;
      else this.#environment.perform(this, output);
    }
  }

  #answered(deletion: number, outcome: DeletionOutcome): void {
    if (outcome === "deleted") this.confirmedDeletions.add(deletion);
  }

  #forward(entries: Iterable<ForwardingEntry>): void {
    for (const { homeAddress, tunnels } of entries) {
      if (tunnels.length > 0) this.tunnels.set(homeAddress, tunnels);
      else this.tunnels.delete(homeAddress);
    }
  }

  #schedule(): void {
    const { queue } = this.#environment;
    const wakeAtMs = Math.max(this.agent.nextWakeMs(this.now), queue.nowMs + 1);
    if (wakeAtMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = wakeAtMs;
    const { life } = this;
    queue.at(wakeAtMs, () => {
      if (this.life !== life || this.#wakeAtMs !== wakeAtMs) return;
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.input({ type: "tick" });
    });
  }

  /** As the daemon does, twice a second or so. */
  #assess(loop: number): void {
    if (this.#assessing !== loop || this.state !== "running") return;
    const { queue } = this.#environment;
    const peers = [...this.agent.peers];
    const standing = assess({
      unheardPeers: peers.filter(({ state }) => state === "unknown").map(({ id }) => id),
      catchingUpWith: this.#hasCaughtUp ? [] : this.agent.catchingUpWith,
      listenedMs: queue.nowMs - this.#startedAtMs,
      peerTimeoutMs: PEER_TIMEOUT_MS,
      oldestQueuedMs: this.disk.commitMs,
      storeFailure: this.disk.works ? undefined : "disk full",
      registrationSocketFailure: undefined,
      dataPlaneFailure: undefined,
      checks: [],
      peersHearingAnother: [],
      stopping: false,
    });
    const othersServe = this.agent.standIns.length > 0;
    const { health, preference } = this.#ladder.climb(standing, { draining: false, othersServe }, queue.nowMs);
    const isAnnounced = preference !== undefined;
    if (isAnnounced && !this.ready) this.wellSinceMs = queue.nowMs;
    this.ready = isAnnounced;
    this.#hasCaughtUp ||= isAnnounced;
    this.input({
      type: "vitals",
      health,
      announced: this.ready,
      eventLoopDelayMs: 0,
      storeQueue: this.disk.queued,
    });
    queue.after(ASSESSMENT_MS, () => this.#assess(loop));
  }

  #make(): HomeAgent {
    const { settingsOf, count, event: report } = this.#environment;
    const observer: Observer = {
      count,
      countBy: (counter, label) => count(`${counter} ${label}`),
      event: (event, fields) => {
        count(event);
        report(this, event, fields);
      },
    };
    return new HomeAgent(settingsOf(this.id, this.#start), observer);
  }
}
