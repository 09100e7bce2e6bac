/** What this member knows of the others, from their heartbeats (mission M10). */
import type { MemberId } from "../registration/binding.ts";
import type { Now } from "./io.ts";
import type { HealthState, Heartbeat, Load } from "./message.ts";

export interface PeerStatus {
  readonly id: MemberId;
  /**
   * `alive`: heard lately, and it hears us. `one-way`: heard, but it doesn't hear this start of ours. `dead`: silent for longer
   * than the peer timeout. `unknown`: never heard since our start.
   */
  readonly state: "alive" | "one-way" | "dead" | "unknown";
  readonly health: HealthState;
  readonly load: Load;
  /** 0 before it was first heard. */
  readonly bootCount: number;
  /** Its wall clock minus ours, including the time on the way; ms. */
  readonly clockSkewMs: number;
  /** Monotonic ms of the last heartbeat. */
  readonly lastHeardMs: number;
}

const NO_LOAD: Load = { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 };

export class Membership {
  readonly #peers = new Map<MemberId, PeerStatus>();
  readonly #ownBootCount: number;
  readonly #peerTimeoutMs: number;
  /** Of the last `expire`, monotonic ms. */
  #lookedAtMs = Number.POSITIVE_INFINITY;
  /** Since when this member has been listening without a break, monotonic ms. */
  #listeningSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly peers: readonly MemberId[];
    readonly ownBootCount: number;
    readonly peerTimeoutMs: number;
  }) {
    this.#ownBootCount = options.ownBootCount;
    this.#peerTimeoutMs = options.peerTimeoutMs;
    for (const id of options.peers) {
      this.#peers.set(id, {
        id,
        state: "unknown",
        health: "down",
        load: NO_LOAD,
        bootCount: 0,
        clockSkewMs: 0,
        lastHeardMs: Number.NEGATIVE_INFINITY,
      });
    }
  }

  heard(id: MemberId, bootCount: number, heartbeat: Heartbeat, now: Now): void {
    if (!this.#peers.has(id)) return;
    this.#peers.set(id, {
      id,
      state: heartbeat.heardBootCount === this.#ownBootCount ? "alive" : "one-way",
      health: heartbeat.health,
      load: heartbeat.load,
      bootCount,
      clockSkewMs: heartbeat.sentAtMs - now.wallMs,
      lastHeardMs: now.monotonicMs,
    });
  }

  /**
   * Declares dead whoever has been silent for too long; answers how they were before. To be called at least once per
   * heartbeat interval: after a longer break it was this member that was stopped or starved, and what its peers said
   * meanwhile is still unread, so that they get their time anew.
   */
  expire(monotonicMs: number): PeerStatus[] {
    if (monotonicMs - this.#lookedAtMs > this.#peerTimeoutMs / 2) this.#listeningSinceMs = monotonicMs;
    this.#lookedAtMs = monotonicMs;
    const silent = [...this.#peers.values()].filter(
      (peer) => isHeard(peer) && monotonicMs - Math.max(peer.lastHeardMs, this.#listeningSinceMs) > this.#peerTimeoutMs,
    );
    for (const peer of silent) this.#peers.set(peer.id, { ...peer, state: "dead" });
    return silent;
  }

  get(id: MemberId): PeerStatus | undefined {
    return this.#peers.get(id);
  }

  values(): IterableIterator<PeerStatus> {
    return this.#peers.values();
  }

  /** It can be relayed to: both directions work. */
  isAlive(id: MemberId): boolean {
    return this.#peers.get(id)?.state === "alive";
  }

  /** What our heartbeat to it must echo. */
  heardBootCount(id: MemberId): number {
    const peer = this.#peers.get(id);
    return peer !== undefined && isHeard(peer) ? peer.bootCount : 0;
  }
}

function isHeard(peer: PeerStatus): boolean {
  return peer.state === "alive" || peer.state === "one-way";
}
