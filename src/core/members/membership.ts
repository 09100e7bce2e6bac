/** What this member knows of the others, from their heartbeats (mission M10). */
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import { type Incarnation, NO_INCARNATION } from "../protocol/acquaintance.ts";
import type { HealthState, Heartbeat, Load } from "../protocol/datagrams.ts";

export interface PeerStatus {
  readonly id: MemberId;
  /**
   * `alive`: heard lately, and it hears us. `one-way`: heard, but it doesn't hear us any more. `skewed`: both hear each other,
   * but their clocks are too far apart. `suspect`: silent for longer than the peer timeout. `dead`: silent for everybody who is
   * alive. `unknown`: nothing that is no recording was ever heard since our start.
   */
  readonly state: "alive" | "one-way" | "skewed" | "suspect" | "dead" | "unknown";
  readonly health: HealthState;
  /** Routers have its announcement, as far as it knows. */
  readonly announced: boolean;
  readonly unfitCount: number;
  /** Our unfit count, as it knows it. */
  readonly heardUnfitCount: number;
  readonly load: Load;
  /** Its disk takes what is written, or did lately: it can own mobiles, and back others up. */
  readonly canStore: boolean;
  /** `NO_INCARNATION` before it was first heard. */
  readonly incarnation: Incarnation;
  /** Since it was last heard, something has come in its name that doesn't show that it hears this start of ours. */
  readonly isUnproven: boolean;
  /** It names a later start of ours than this one: somebody else says that it is this member. */
  readonly hearsLaterStart: boolean;
  /** Its wall clock minus ours, including the time on the way; ms. */
  readonly clockSkewMs: number;
  /** Monotonic ms of the last heartbeat. */
  readonly lastHeardMs: number;
  /** It receives what is addressed to its MAC address and the virtual IP address. */
  readonly takesLinkRelay: boolean;
  /** Members that it does not hear. */
  readonly silent: readonly MemberId[];
  /** Since when its configuration has had other members than ours, or `Infinity`; monotonic ms. */
  readonly differsSinceMs: number;
  /** That has lasted: longer than it takes to give all members a new configuration. */
  readonly hasOtherMembers: boolean;
}

/** Within this time all members should have read a new configuration. */
const RELOAD_PATIENCE_MS = 5000;

/** Peer timeouts that a peer has to be heard for the first time. */
const START_PATIENCE = 10;

/** For reading what has come in during a stall. */
const JUDGEMENT_PAUSE_MS = 1000;

const NO_LOAD: Load = { ownedBindings: 0, registrationsPerSecond: 0, eventLoopDelayMs: 0, storeQueue: 0 };

export class Membership {
  /** Whether this member itself can store. */
  canStoreHere = true;
  readonly #peers = new Map<MemberId, PeerStatus>();
  readonly #self: MemberId;
  #peerTimeoutMs = 0;
  #goneTimeoutMs = 0;
  #maximumClockSkewMs = 0;
  #membersDigest = 0;
  /** What was said before has been waiting, and its time is old: nobody's clock is judged by it; monotonic ms. */
  #judgesClocksFromMs = Number.NEGATIVE_INFINITY;
  /** Whom routers had a route to, and whether they still do. */
  readonly #routed = new Map<MemberId, "present" | "gone">();
  /** Since when each could have been heard; monotonic ms. */
  readonly #awaitedSinceMs = new Map<MemberId, number>();
  /** Of the last `expire`, monotonic ms. */
  #lookedAtMs = Number.POSITIVE_INFINITY;
  /** Since when this member has been listening without a break, monotonic ms. */
  #listeningSinceMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly self: MemberId;
    readonly peers: readonly MemberId[];
    readonly peerTimeoutMs: number;
    readonly heartbeatIntervalMs: number;
    readonly maximumClockSkewMs: number;
    readonly membersDigest: number;
  }) {
    this.#self = options.self;
    this.configure(options);
  }

  /** What is known of those who stay is kept. */
  configure({
    peers,
    peerTimeoutMs,
    heartbeatIntervalMs,
    maximumClockSkewMs,
    membersDigest,
  }: {
    readonly peers: readonly MemberId[];
    readonly peerTimeoutMs: number;
    readonly heartbeatIntervalMs: number;
    readonly maximumClockSkewMs: number;
    /** Of the members that we have in mind: see `Placement`. */
    readonly membersDigest: number;
  }): void {
    this.#peerTimeoutMs = peerTimeoutMs;
    this.#maximumClockSkewMs = maximumClockSkewMs;
    this.#membersDigest = membersDigest;
    // A member that stands still for half of the timeout demotes itself when it goes on; it may have been about to send a
    // heartbeat. Whoever is silent for longer than both together has either done so, or is dead.
    this.#goneTimeoutMs = Math.min(peerTimeoutMs / 2 + heartbeatIntervalMs, peerTimeoutMs);
    for (const id of [...this.#peers.keys()]) {
      if (peers.includes(id)) continue;
      this.#peers.delete(id);
      this.#awaitedSinceMs.delete(id);
      this.#routed.delete(id);
    }
    for (const id of peers) {
      if (this.#peers.has(id)) continue;
      this.#peers.set(id, {
        id,
        state: "unknown",
        health: "down",
        announced: false,
        unfitCount: 0,
        heardUnfitCount: 0,
        load: NO_LOAD,
        canStore: true,
        incarnation: NO_INCARNATION,
        isUnproven: false,
        hearsLaterStart: false,
        clockSkewMs: 0,
        lastHeardMs: Number.NEGATIVE_INFINITY,
        takesLinkRelay: false,
        silent: [],
        differsSinceMs: Number.POSITIVE_INFINITY,
        hasOtherMembers: false,
      });
    }
  }

  heard(id: MemberId, incarnation: Incarnation, heartbeat: Heartbeat, now: Now): void {
    const before = this.#peers.get(id);
    if (before === undefined) return;
    const clockSkewMs = heartbeat.sentAtMs - now.wallMs;
    const isSkewed = this.judgesClocks(now.monotonicMs)
      ? Math.abs(clockSkewMs) > this.#maximumClockSkewMs
      : before.state === "skewed";
    // It names a frame of ours, or it would not be believed; whether it still hears us it says besides.
    const hearsUs = !heartbeat.silent.includes(this.#self);
    const { membersDigest } = heartbeat;
    const differs = membersDigest !== this.#membersDigest;
    const differsSinceMs = differs ? Math.min(before.differsSinceMs, now.monotonicMs) : Number.POSITIVE_INFINITY;
    this.#peers.set(id, {
      id,
      state: hearsUs ? (isSkewed ? "skewed" : "alive") : "one-way",
      health: heartbeat.health,
      announced: heartbeat.announced,
      unfitCount: heartbeat.unfitCount,
      heardUnfitCount: heartbeat.heardUnfitCount,
      load: heartbeat.load,
      canStore: heartbeat.canStore,
      incarnation,
      isUnproven: false,
      hearsLaterStart: false,
      clockSkewMs,
      lastHeardMs: now.monotonicMs,
      takesLinkRelay: heartbeat.takesLinkRelay,
      silent: heartbeat.silent,
      differsSinceMs,
      hasOtherMembers: now.monotonicMs - differsSinceMs > RELOAD_PATIENCE_MS,
    });
  }

  /** False while what comes in may have been waiting here: the time in it is old. */
  judgesClocks(monotonicMs: number): boolean {
    return monotonicMs >= this.#judgesClocksFromMs;
  }

  /** What has come in its name may be a recording, so nothing follows from it. */
  unproven(id: MemberId, hearsLaterStart: boolean): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) this.#peers.set(id, { ...peer, isUnproven: true, hearsLaterStart });
  }

  /** Whatever a peer says shows that it lives, though only its heartbeats tell how: these may wait behind the rest. */
  lives(id: MemberId, monotonicMs: number): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || peer.lastHeardMs === monotonicMs || !isHeard(peer)) return;
    this.#peers.set(id, { ...peer, lastHeardMs: monotonicMs });
  }

  /** This member did not run. */
  stalled(monotonicMs: number): void {
    this.#judgesClocksFromMs = monotonicMs + JUDGEMENT_PAUSE_MS;
  }

  /** What all routers together have routes to; `undefined`: that can't be known, and what was known says nothing any more. */
  routed(announcers: readonly MemberId[] | undefined): void {
    if (announcers === undefined) this.#routed.clear();
    for (const id of this.#routed.keys()) this.#routed.set(id, "gone");
    for (const id of announcers ?? []) this.#routed.set(id, "present");
  }

  /**
   * How long a peer may be silent. A route that has gone, of a member that said it was announced, means that somebody close to
   * it has found it dead: its kernel, its BGP speaker, its router by BFD. One that is still there means nothing.
   */
  #timeoutMs({ id, announced }: PeerStatus): number {
    return announced && this.#routed.get(id) === "gone" ? this.#goneTimeoutMs : this.#peerTimeoutMs;
  }

  /**
   * Suspects whoever has been silent for too long, and declares dead whom nobody alive hears: a broken path between two members
   * kills neither of them. Answers those that changed, as they were before. To be called at least once per heartbeat interval:
   * after a longer break it was this member that was stopped or starved, and what its peers said meanwhile is still unread,
   * so that they get their time anew.
   */
  expire(monotonicMs: number): PeerStatus[] {
    const changed: PeerStatus[] = [];
    if (monotonicMs - this.#lookedAtMs > this.#peerTimeoutMs / 2) this.#listeningSinceMs = monotonicMs;
    this.#lookedAtMs = monotonicMs;
    for (const peer of [...this.#peers.values()]) {
      const awaitedSinceMs = this.#awaitedSinceMs.get(peer.id) ?? monotonicMs;
      this.#awaitedSinceMs.set(peer.id, awaitedSinceMs);
      // Whom we never heard may just be starting, as we are: after a power cut nobody should take over from the slower ones.
      const silentMs =
        peer.state === "unknown"
          ? (monotonicMs - awaitedSinceMs) / START_PATIENCE
          : monotonicMs - Math.max(peer.lastHeardMs, this.#listeningSinceMs);
      if (peer.state === "suspect" || peer.state === "dead" || silentMs <= this.#timeoutMs(peer)) continue;
      changed.push(peer);
      this.#peers.set(peer.id, { ...peer, state: "suspect" });
    }
    for (const peer of [...this.#peers.values()]) {
      if (peer.state !== "suspect" || !this.#isSilentForAll(peer.id)) continue;
      if (!changed.some(({ id }) => id === peer.id)) changed.push(peer);
      this.#peers.set(peer.id, { ...peer, state: "dead" });
    }
    return changed;
  }

  /**
   * Members that this one does not hear. One that it never heard is among them after the peer timeout, long before it is a
   * suspect here: a member that has just started shall not keep the others from burying somebody who died before.
   */
  get silent(): MemberId[] {
    const awaitedMs = (id: MemberId) => this.#lookedAtMs - (this.#awaitedSinceMs.get(id) ?? this.#lookedAtMs);
    return [...this.#peers.values()].flatMap(({ id, state }) => {
      if (state === "unknown") return awaitedMs(id) > this.#peerTimeoutMs ? [id] : [];
      return state === "suspect" || state === "dead" ? [id] : [];
    });
  }

  #isSilentForAll(member: MemberId): boolean {
    for (const { state, silent } of this.#peers.values())
      if (state === "alive" && !silent.includes(member)) return false;
    return true;
  }

  get(id: MemberId): PeerStatus | undefined {
    return this.#peers.get(id);
  }

  values(): IterableIterator<PeerStatus> {
    return this.#peers.values();
  }

  /** It can be relayed to, as both directions work; or it is this member. */
  isAlive(id: MemberId): boolean {
    return id === this.#self || this.#peers.get(id)?.state === "alive";
  }

  /** It is alive, and able as well: what it would have to promise as an owner or a backup it can write down. */
  isAble(id: MemberId): boolean {
    if (id === this.#self) return this.canStoreHere;
    const peer = this.#peers.get(id);
    return peer !== undefined && peer.state === "alive" && peer.canStore;
  }

  /** Members that hear somebody else who says that it is this member, and was started later. */
  get hearingAnother(): MemberId[] {
    const hearers = [...this.#peers.values()].filter((peer) => peer.hearsLaterStart && !isHeard(peer));
    return hearers.map(({ id }) => id);
  }

  /** What our heartbeats say of the members that we have in mind. */
  get membersDigest(): number {
    return this.#membersDigest;
  }
}

function isHeard(peer: PeerStatus): boolean {
  return peer.state === "alive" || peer.state === "one-way" || peer.state === "skewed";
}
