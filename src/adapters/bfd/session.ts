/**
 * One BFD session in asynchronous mode, without authentication and Echo: RFC 5880 6.8, as pure as the core. Packets, times and
 * orders go in; packets to be sent and changes of state come out; `nextWakeMs` says when it must be called again at the latest.
 *
 *                             +--+
 *                             |  | UP, ADMIN DOWN, TIMER
 *                             |  V
 *                     DOWN  +------+  INIT
 *              +------------|      |------------+
 *              |            | DOWN |            |
 *              |  +-------->|      |<--------+  |
 *              |  |         +------+         |  |
 *              |  |  ADMIN DOWN,             |  |
 *              |  |  TIMER        DOWN,      |  |      RFC 5880 6.2: what the neighbor
 *              V  |               ADMIN DOWN,|  V      says, or the detection timer
 *            +------+             TIMER   +------+
 *       +----|      |                     |      |----+
 *   DOWN|    | INIT |-------------------->|  UP  |    |INIT, UP
 *       +--->|      | INIT, UP            |      |<---+
 *            +------+                     +------+
 */
import { type ControlPacket, Diagnostic, type SessionState } from "./control-packet.ts";

export interface SessionSettings {
  /** `bfd.LocalDiscr`: nonzero, unique on this system, and hard to guess. */
  readonly discriminator: number;
  /** How often packets are sent while Up, at most: `bfd.DesiredMinTxInterval`. */
  readonly transmitIntervalMs: number;
  /** How often packets can be taken: `bfd.RequiredMinRxInterval`. It never changes. */
  readonly receiveIntervalMs: number;
  readonly detectMultiplier: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export type SessionOutput =
  | { readonly type: "send"; readonly packet: ControlPacket }
  | { readonly type: "changed"; readonly from: SessionState; readonly to: SessionState };

export interface SessionStatus {
  readonly state: SessionState;
  /** Why the state changed last: `bfd.LocalDiag`. */
  readonly diagnostic: number;
  /** As the neighbor said last; `undefined` where it has been silent for a detection time. */
  readonly remoteState: SessionState | undefined;
  readonly remoteDiagnostic: number;
  /** Silence for so long ends the session; `undefined` as `remoteState`. */
  readonly detectionTimeMs: number | undefined;
  /** As agreed, before jitter. */
  readonly transmitIntervalMs: number;
}

/** RFC 5880 6.8.3: not Up, a session sends once a second at most. */
const SLOW_INTERVAL_MS = 1000;
const MICROSECONDS_PER_MS = 1000;

/** What the neighbor said last. */
type Remote = Pick<
  ControlPacket,
  "state" | "diagnostic" | "demand" | "detectMultiplier" | "myDiscriminator" | "desiredMinTxUs" | "requiredMinRxUs"
>;

/** RFC 5880 6.8.1: as long as nothing was heard. */
const SILENT: Remote = {
  state: "down",
  diagnostic: Diagnostic.none,
  demand: false,
  detectMultiplier: 0,
  myDiscriminator: 0,
  desiredMinTxUs: 0,
  requiredMinRxUs: 1,
};

export class BfdSession {
  readonly #settings: SessionSettings;
  #state: SessionState = "down";
  #diagnostic: number = Diagnostic.none;
  #remote: Remote = SILENT;
  #desiredMinTxMs: number;
  #isPolling = false;
  #isHeld = false;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #lastReceivedMs: number | undefined;
  /** The interval the next transmission was scheduled by. */
  #intervalMs = 0;
  #nextSendMs = Number.NEGATIVE_INFINITY;

  /** RFC 5881 3: both sides are active, so it speaks at once. */
  constructor(settings: SessionSettings) {
    this.#settings = settings;
    this.#desiredMinTxMs = this.#slowIntervalMs;
  }

  get nextWakeMs(): number {
    return Math.min(this.#nextSendMs, this.#detectionDeadlineMs);
  }

  get status(): SessionStatus {
    const isHeard = this.#lastReceivedMs !== undefined;
    return {
      state: this.#state,
      diagnostic: this.#diagnostic,
      remoteState: isHeard ? this.#remote.state : undefined,
      remoteDiagnostic: this.#remote.diagnostic,
      detectionTimeMs: isHeard ? this.#detectionTimeMs : undefined,
      transmitIntervalMs: this.#agreedIntervalMs,
    };
  }

  get discriminator(): number {
    return this.#settings.discriminator;
  }

  /** A packet that was found to be for this session: RFC 5880 6.8.6, from where the session is known. */
  receive(packet: ControlPacket, nowMs: number): SessionOutput[] {
    this.#remote = packet;
    if (packet.final) this.#isPolling = false;
    if (this.#state === "admin-down") {
      this.#reschedule();
      return [];
    }
    this.#lastReceivedMs = nowMs;
    const next = this.#isHeld ? undefined : nextState(this.#state, packet.state);
    const outputs = next === undefined ? [] : this.#change(next, diagnosticOf(next, this.#diagnostic));
    // 6.8.7: a Poll is answered at once, and what others should know soon is sent at once. One packet does both.
    if (packet.poll) outputs.push(this.#packet(true));
    else if (next !== undefined) outputs.push(this.#transmit(nowMs));
    this.#reschedule();
    return outputs;
  }

  /** Time has come to `nextWakeMs`, or passed it. */
  tick(nowMs: number): SessionOutput[] {
    const outputs: SessionOutput[] = [];
    if (nowMs >= this.#detectionDeadlineMs) {
      // 6.8.1 and 6.8.18: after a Detection Time of silence nothing the neighbor said holds any more.
      this.#remote = SILENT;
      this.#lastReceivedMs = undefined;
      // 6.8.4.
      if (this.#state === "init" || this.#state === "up") {
        outputs.push(...this.#change("down", Diagnostic.detectionTimeExpired), this.#transmit(nowMs));
      }
      this.#reschedule();
    }
    if (nowMs >= this.#nextSendMs) outputs.push(this.#transmit(nowMs));
    return outputs;
  }

  /** 6.8.18: the session stays Down, whatever the neighbor says, until it is released. */
  hold(diagnostic: number, nowMs: number): SessionOutput[] {
    this.#isHeld = true;
    if (this.#state !== "init" && this.#state !== "up") return [];
    return [...this.#change("down", diagnostic), this.#transmit(nowMs)];
  }

  release(): void {
    this.#isHeld = false;
  }

  /** 6.8.16. It can't be undone: a new session would be made. */
  disable(nowMs: number): SessionOutput[] {
    return [...this.#change("admin-down", Diagnostic.administrativelyDown), this.#transmit(nowMs)];
  }

  #change(to: SessionState, diagnostic: number): SessionOutput[] {
    const from = this.#state;
    this.#state = to;
    this.#diagnostic = diagnostic;
    // 6.8.3: slow unless Up; a change is made known by a Poll Sequence.
    const desiredMinTxMs = to === "up" ? this.#settings.transmitIntervalMs : this.#slowIntervalMs;
    if (desiredMinTxMs !== this.#desiredMinTxMs) {
      this.#desiredMinTxMs = desiredMinTxMs;
      this.#isPolling = true;
    }
    return [{ type: "changed", from, to }];
  }

  /** A packet that counts as the periodic one: the next is due an interval later. */
  #transmit(nowMs: number): SessionOutput {
    this.#lastSentMs = nowMs;
    this.#schedule();
    return this.#packet(false);
  }

  #packet(final: boolean): SessionOutput {
    const { discriminator, receiveIntervalMs, detectMultiplier } = this.#settings;
    const packet: ControlPacket = {
      state: this.#state,
      diagnostic: this.#diagnostic,
      // 6.5: never both in one packet.
      poll: this.#isPolling && !final,
      final,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier,
      myDiscriminator: discriminator,
      yourDiscriminator: this.#remote.myDiscriminator,
      desiredMinTxUs: this.#desiredMinTxMs * MICROSECONDS_PER_MS,
      requiredMinRxUs: receiveIntervalMs * MICROSECONDS_PER_MS,
      requiredMinEchoRxUs: 0,
    };
    return { type: "send", packet };
  }

  /** 6.8.3: a changed interval counts from the last transmission, and may be over already. */
  #reschedule(): void {
    if (this.#periodMs !== this.#intervalMs) this.#schedule();
  }

  /** 6.8.7: each interval is reduced by up to 25 %; where one lost packet ends the session, by at least 10 %. */
  #schedule(): void {
    this.#intervalMs = this.#periodMs;
    const most = this.#settings.detectMultiplier === 1 ? 0.9 : 1;
    const share = 0.75 + this.#settings.random() * (most - 0.75);
    const isSilent = this.#intervalMs === Number.POSITIVE_INFINITY;
    this.#nextSendMs = isSilent ? Number.POSITIVE_INFINITY : this.#lastSentMs + this.#intervalMs * share;
  }

  /** The interval of periodic packets; infinite where there shall be none: 6.8.7. */
  get #periodMs(): number {
    const isDemandActive = this.#remote.demand && this.#state === "up" && this.#remote.state === "up";
    if (this.#remote.requiredMinRxUs === 0 || (isDemandActive && !this.#isPolling)) return Number.POSITIVE_INFINITY;
    return this.#agreedIntervalMs;
  }

  /** 6.8.2: the slower side decides. */
  get #agreedIntervalMs(): number {
    return Math.max(this.#desiredMinTxMs, this.#remote.requiredMinRxUs / MICROSECONDS_PER_MS);
  }

  get #slowIntervalMs(): number {
    return Math.max(this.#settings.transmitIntervalMs, SLOW_INTERVAL_MS);
  }

  /** 6.8.4. */
  get #detectionTimeMs(): number {
    const { detectMultiplier, desiredMinTxUs } = this.#remote;
    return detectMultiplier * Math.max(this.#settings.receiveIntervalMs, desiredMinTxUs / MICROSECONDS_PER_MS);
  }

  get #detectionDeadlineMs(): number {
    return this.#lastReceivedMs === undefined ? Number.POSITIVE_INFINITY : this.#lastReceivedMs + this.#detectionTimeMs;
  }
}

/** 6.8.6: the state after a packet; `undefined` if it stays. */
function nextState(state: SessionState, received: SessionState): SessionState | undefined {
  switch (state) {
    case "down":
      if (received === "down") return "init";
      return received === "init" ? "up" : undefined;
    case "init":
      if (received === "admin-down") return "down";
      return received === "down" ? undefined : "up";
    case "up":
      return received === "down" || received === "admin-down" ? "down" : undefined;
    case "admin-down":
      return undefined;
  }
}

/** 6.8.6: only going Down has a reason. */
function diagnosticOf(next: SessionState, diagnostic: number): number {
  return next === "down" ? Diagnostic.neighborSignaledDown : diagnostic;
}
