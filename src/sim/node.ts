/** One simulated member: the unchanged core, with a clock, a disk and a state of its own. */
import { HomeAgent, type HomeAgentSettings } from "../cluster/home-agent.ts";
import type { Input, Now, Observer, Output } from "../cluster/io.ts";
import { decodeLocationRow } from "../cluster/location-row.ts";
import { assess } from "../health/readiness.ts";
import { decodeBindingRow } from "../registration/binding-row.ts";
import type { LoggedChange } from "../store/store.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";

/** Epoch ms at the beginning of every simulation. */
export const EPOCH_MS = 1_790_000_000_000;
const ASSESSMENT_MS = 250;

export interface NodeEnvironment {
  /** Says "written" at once, and writes later. */
  readonly lyingDisk: boolean;
  readonly queue: EventQueue;
  readonly random: Random;
  readonly settingsOf: (id: string, bootCount: number) => HomeAgentSettings;
  readonly perform: (node: SimulatedNode, output: Output) => void;
  readonly count: (what: string) => void;
}

export class SimulatedNode {
  readonly id: string;
  agent: HomeAgent;
  /** As kept on disk: a wipe sets it back. */
  bootCount = 0;
  /** Tells what was set up for an earlier life of the process. */
  life = 0;
  state: "running" | "paused" | "down" = "down";
  diskWorks = true;
  /** Wall clock minus true time. */
  clockOffsetMs = 0;
  ready = false;
  readonly #environment: NodeEnvironment;
  readonly #disk = new Map<string, string>();
  #written: LoggedChange[] = [];
  #committing = false;
  #startedAtMs = 0;
  #hasCaughtUp = false;
  #pausedAtMs = 0;
  /** Inputs that arrive during a pause wait in the kernel's buffers. */
  #held: Input[] = [];
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(id: string, environment: NodeEnvironment) {
    this.id = id;
    this.#environment = environment;
    this.agent = this.#make();
  }

  get now(): Now {
    const { nowMs } = this.#environment.queue;
    return { wallMs: Math.floor(EPOCH_MS + nowMs + this.clockOffsetMs), monotonicMs: nowMs };
  }

  start(): void {
    // As store/directory.ts counts.
    this.bootCount = Math.max(this.bootCount + 1, Math.floor(this.now.wallMs / 1000));
    this.life++;
    this.agent = this.#make();
    for (const [name, row] of this.#disk) {
      if (name.startsWith("location ")) this.agent.restoreLocation(decodeLocationRow(row));
      else this.agent.restoreBinding(decodeBindingRow(row));
    }
    this.state = "running";
    this.ready = false;
    this.#hasCaughtUp = false;
    this.diskWorks = true;
    this.#startedAtMs = this.#environment.queue.nowMs;
    this.#assess(this.life);
  }

  /** SIGKILL or power loss: what is not on disk is gone. */
  kill(): void {
    this.state = "down";
    this.ready = false;
    this.#written = [];
    this.#committing = false;
    this.#held = [];
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
  }

  wipe(): void {
    this.#disk.clear();
    this.bootCount = 0;
  }

  pause(): void {
    this.state = "paused";
    this.ready = false;
    this.#pausedAtMs = this.#environment.queue.nowMs;
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    const pausedMs = this.#environment.queue.nowMs - this.#pausedAtMs;
    // The daemon notices the stall before it does anything else.
    if (pausedMs > 400) this.input({ type: "stalled" });
    const held = this.#held;
    this.#held = [];
    for (const input of held) this.input(input);
    this.#assess(this.life);
    this.#commit();
  }

  breakDisk(): void {
    if (this.state !== "running" || !this.diskWorks) return;
    this.diskWorks = false;
    const lost = this.#written.splice(0);
    this.input({
      type: "store-failed",
      firstPosition: lost[0]?.position ?? Number.POSITIVE_INFINITY,
      reason: "disk full",
    });
  }

  mendDisk(): void {
    if (this.diskWorks) return;
    this.diskWorks = true;
    if (this.state !== "down") this.input({ type: "store-recovered" });
  }

  input(input: Input): void {
    if (this.state === "down") return;
    if (this.state === "paused") {
      if (this.#held.length < 5000) this.#held.push(input);
      return;
    }
    for (const output of this.agent.handle(input, this.now)) {
      if (output.type === "append") this.#append(output.changes);
      else this.#environment.perform(this, output);
    }
    this.#schedule();
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

  #append(changes: readonly LoggedChange[]): void {
    if (!this.diskWorks) throw new Error(`${this.id} appends while its store has failed`);
    this.#written.push(...changes);
    const last = changes.at(-1);
    if (this.#environment.lyingDisk && last !== undefined) {
      this.#environment.queue.after(0, () => this.input({ type: "durable", position: last.position }));
    }
    this.#commit();
  }

  #commit(): void {
    if (this.#committing || this.#written.length === 0 || this.state !== "running") return;
    this.#committing = true;
    const { queue, random, lyingDisk } = this.#environment;
    const { life } = this;
    const group = this.#written.length;
    const delayMs = random.chance(0.02) ? random.between(20, 200) : random.between(0.3, 4);
    queue.after(lyingDisk ? 1000 : delayMs, () => {
      if (this.life !== life || this.state === "down") return;
      this.#committing = false;
      if (!this.diskWorks) return;
      const committed = this.#written.splice(0, group);
      for (const { table, key, row } of committed) {
        if (row === null) this.#disk.delete(`${table} ${key}`);
        else this.#disk.set(`${table} ${key}`, row);
      }
      const last = committed.at(-1);
      if (last !== undefined) this.input({ type: "durable", position: last.position });
      this.#commit();
    });
  }

  /** As the daemon does, twice a second or so. */
  #assess(life: number): void {
    if (this.life !== life || this.state !== "running") return;
    const { queue } = this.#environment;
    const peers = [...this.agent.peers];
    const assessment = assess({
      unheardPeers: peers.filter(({ state }) => state === "unknown").map(({ id }) => id),
      catchingUpWith: this.#hasCaughtUp ? [] : this.agent.catchingUpWith,
      listenedMs: queue.nowMs - this.#startedAtMs,
      peerTimeoutMs: 800,
      oldestQueuedMs: 0,
      storeFailure: this.diskWorks ? undefined : "disk full",
      registrationSocketFailure: undefined,
      draining: false,
      stopping: false,
    });
    this.ready = assessment.ready;
    this.#hasCaughtUp ||= assessment.ready;
    this.input({
      type: "vitals",
      health: assessment.health,
      announced: this.ready,
      eventLoopDelayMs: 0,
      storeQueue: this.#written.length,
    });
    queue.after(ASSESSMENT_MS, () => this.#assess(life));
  }

  #make(): HomeAgent {
    const { settingsOf, count } = this.#environment;
    const observer: Observer = {
      count,
      countBy: (counter, label) => count(`${counter} ${label}`),
      event: (event) => count(event),
    };
    return new HomeAgent(settingsOf(this.id, this.bootCount), observer);
  }
}
