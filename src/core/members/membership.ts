/** What this member knows about the others from their heartbeats. */
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import { type Incarnation, NO_INCARNATION } from "../protocol/acquaintance.ts";
import { areTooFarApart } from "../protocol/clock-skew.ts";
import type { HealthState, Heartbeat, Load } from "../protocol/datagrams.ts";

export interface PeerStatus {
  readonly id: MemberId;
  /**
   * `alive`: heard lately, and it hears us. `one-way`: heard, but it doesn't hear us any more. `skewed`: both hear each
   * other, but their clocks are too far apart. `suspect`: silent for longer than the peer timeout. `dead`: silent for
   * every living member. `unknown`: nothing except possible recordings has been heard since our start.
   */
  readonly state: "alive" | "one-way" | "skewed" | "suspect" | "dead" | "unknown";
  readonly health: HealthState;
  /** Whether routers have its announcement, as far as it knows. */
  readonly announced: boolean;
  readonly unfitCount: number;
  /** Our unfit count, as far as it knows. */
  readonly heardUnfitCount: number;
  readonly load: Load;
  /** Whether its disk accepts writes, or did lately: it can own mobiles and back up others. */
  readonly canStore: boolean;
  /** `NO_INCARNATION` before it was first heard. */
  readonly incarnation: Incarnation;
  /**
   * Whether, since it was last heard, something has arrived in its name that doesn't show that it hears this start of ours.
   */
  readonly isUnproven: boolean;
  /** Whether it names a later start of ours than this one, so that another daemon claims to be this member. */
  readonly hearsLaterStart: boolean;
  /** Its wall clock minus ours, including the time on the way; ms. */
  readonly clockSkewMs: number;
  /** Monotonic ms of the last heartbeat. */
  readonly lastHeardMs: number;
  /** Whether it receives what is addressed to its MAC address and the virtual IP address. */
  readonly takesLinkRelay: boolean;
  /** Members that it does not hear. */
  readonly silent: readonly MemberId[];
  /** Since when its configuration has had other members than ours, or `Infinity`; monotonic ms. */
  readonly differsSinceMs: number;
  /** Whether that has lasted longer than it takes to give all members a new configuration. */
  readonly hasOtherMembers: boolean;
}

/** Within this time all members should have read a new configuration. */
const RELOAD_PATIENCE_MS = 5000;

/** How many peer timeouts a peer has to be heard for the first time. */
const START_PATIENCE = 10;

/** The time for reading what has arrived during a stall. */
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
  /**
   * Messages sent before this were queued during a stall and carry old timestamps, so clock skew isn't judged by them;
   * monotonic ms.
   */
  #judgesClocksFromMs = Number.NEGATIVE_INFINITY;
  /** The members that routers had a route to, and whether they still do. */
  readonly #routed = new Map<MemberId, "present" | "gone">();
  /** Since when each could have been heard; monotonic ms. */
  readonly #awaitedSinceMs = new Map<MemberId, number>();
  /** Time of the last `expire`, monotonic ms. */
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

  /** What is known about members that stay is kept. */
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
    /** Digest of the configured members: see `Placement`. */
    readonly membersDigest: number;
  }): void {
    this.#peerTimeoutMs = peerTimeoutMs;
    this.#maximumClockSkewMs = maximumClockSkewMs;
    this.#membersDigest = membersDigest;
    // A member that stands still for half of the timeout demotes itself when it goes on; it may have been about to send a
    // heartbeat. A member that is silent for longer than both together has either done so or is dead.
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
      ? areTooFarApart(heartbeat.sentAtMs, now.wallMs, this.#maximumClockSkewMs)
      : before.state === "skewed";
    // It names a frame of ours, or it would not be believed; whether it still hears us is in the heartbeat.
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

  /** False while incoming messages may have been waiting here, so that the time in them is old. */
  judgesClocks(monotonicMs: number): boolean {
    return monotonicMs >= this.#judgesClocksFromMs;
  }

  /** What has arrived in its name may be a recording, so nothing follows from it. */
  unproven(id: MemberId, hearsLaterStart: boolean): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) this.#peers.set(id, { ...peer, isUnproven: true, hearsLaterStart });
  }

  /** Any message of a peer shows that it is alive, even if its heartbeats wait behind other messages. */
  lives(id: MemberId, monotonicMs: number): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || peer.lastHeardMs === monotonicMs || !isHeard(peer)) return;
    this.#peers.set(id, { ...peer, lastHeardMs: monotonicMs });
  }

  /** To be called when this member has not run for a while. */
  stalled(monotonicMs: number): void {
    this.#judgesClocksFromMs = monotonicMs + JUDGEMENT_PAUSE_MS;
  }

  /**
   * Sets the members that all routers together have routes to; `undefined` if that can't be known, and earlier knowledge is
   * void.
   */
  routed(announcers: readonly MemberId[] | undefined): void {
    if (announcers === undefined) this.#routed.clear();
    for (const id of this.#routed.keys()) this.#routed.set(id, "gone");
    for (const id of announcers ?? []) this.#routed.set(id, "present");
  }

  /**
   * How long a peer may be silent. If a member said that it was announced and its route has gone, something close to
   * it has found it dead: its kernel, its BGP speaker, or its router by BFD. A route that is still there means nothing.
   */
  #timeoutMs({ id, announced }: PeerStatus): number {
    return announced && this.#routed.get(id) === "gone" ? this.#goneTimeoutMs : this.#peerTimeoutMs;
  }

  /**
   * Suspects members that have been silent for too long, and declares dead those that no living member hears: a broken path
   * between two members kills neither of them. Returns those that changed, as they were before. To be called at least once
   * per heartbeat interval: after a longer break it was this member that was stopped or starved, and what its peers said
   * meanwhile is still unread, so they get their full time again.
   */
  expire(monotonicMs: number): PeerStatus[] {
    const changed: PeerStatus[] = [];
    if (monotonicMs - this.#lookedAtMs > this.#peerTimeoutMs / 2) this.#listeningSinceMs = monotonicMs;
    this.#lookedAtMs = monotonicMs;
    for (const peer of [...this.#peers.values()]) {
      const awaitedSinceMs = this.#awaitedSinceMs.get(peer.id) ?? monotonicMs;
      this.#awaitedSinceMs.set(peer.id, awaitedSinceMs);
      // A peer that was never heard may just be starting, as we are: after a power failure the slower ones should not be
      // taken over.
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
   * suspect here: a member that has just started must not keep the others from taking over one that died before.
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

  /** Whether it can be relayed to, because both directions work or it is this member. */
  isAlive(id: MemberId): boolean {
    return id === this.#self || this.#peers.get(id)?.state === "alive";
  }

  /** Whether it is alive and able: it can store what it would have to promise as an owner or a backup. */
  isAble(id: MemberId): boolean {
    if (id === this.#self) return this.canStoreHere;
    const peer = this.#peers.get(id);
    return peer !== undefined && peer.state === "alive" && peer.canStore;
  }

  /** Members that hear another daemon that claims to be this member and was started later. */
  get hearingAnother(): MemberId[] {
    const hearers = [...this.#peers.values()].filter((peer) => peer.hearsLaterStart && !isHeard(peer));
    return hearers.map(({ id }) => id);
  }

  /** Digest of the configured members for our heartbeats. */
  get membersDigest(): number {
    return this.#membersDigest;
  }
}

function isHeard(peer: PeerStatus): boolean {
  return peer.state === "alive" || peer.state === "one-way" || peer.state === "skewed";
}
