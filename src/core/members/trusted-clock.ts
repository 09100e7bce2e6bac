/**
 * Decides what the time is, for everything in the core: what is accepted, what has expired, what is promised and written.
 *
 * A wall clock can be set to anything at any moment, and back; the monotonic clock can't. So the system's wall clock is
 * read once and carried on by the monotonic one. A *step*, by which the two part because the wall clock was set or the
 * machine was suspended, is held back until it is certain: the other members confirm it, nothing contradicts it for a
 * minute, or the systems of most members show the same. Members tell each other both the trusted time and that of the
 * system, so that an error shared by all is not taken as its own proof at once.
 */
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import { areTooFarApart } from "../protocol/clock-skew.ts";

/**
 * Steps of this size are followed at once, but no more than one within `CERTAINTY_MS`: members tolerate it, and a leap
 * second is one.
 */
const FOLLOWED_STEP_MS = 1000;
/** A step, or the clock found at a start, that isn't contradicted for this long is taken for right. */
const CERTAINTY_MS = 60_000;

/** What a heartbeat says about its sender's clock. */
export interface ToldTime {
  /** Trusted; epoch ms. */
  readonly sentAtMs: number;
  readonly systemTimeMs: number;
  readonly isTimeCertain: boolean;
}

/** A peer's clock, minus our monotonic one. */
interface Witness {
  readonly offsetMs: number;
  readonly systemOffsetMs: number;
  readonly isCertain: boolean;
  readonly heardMs: number;
}

interface HeldStep {
  /** The system's clock minus the monotonic one, since then. */
  readonly offsetMs: number;
  readonly sinceMs: number;
  /** Whether others have said that it is wrong; that they no longer say so doesn't make it right. */
  readonly isContradicted: boolean;
  /** When fewer than most of all members' systems last showed it. */
  readonly notByMostMs: number;
}

export interface TrustedClockOptions {
  /** This one included. */
  readonly memberCount: number;
  /** How far the clocks of two members may be apart. */
  readonly maximumSkewMs: number;
  /** How long a peer's statement counts. */
  readonly witnessMs: number;
}

export class TrustedClock {
  #options: TrustedClockOptions;
  readonly #observer: Observer;
  readonly #witnesses = new Map<MemberId, Witness>();
  #isCertain = false;
  /** Trusted time minus monotonic time. */
  #offsetMs = Number.NaN;
  /** Of the last reading: the system's time minus monotonic time. */
  #systemOffsetMs = Number.NaN;
  /** Where small steps are counted from. Monotonic ms. */
  #anchor = { offsetMs: Number.NaN, sinceMs: Number.NaN };
  #held: HeldStep | undefined;
  #sleptMs = 0;

  constructor(options: TrustedClockOptions, observer: Observer) {
    this.#options = options;
    this.#observer = observer;
  }

  configure(options: TrustedClockOptions): void {
    this.#options = options;
  }

  /** The trusted time as of the last reading; asking for it changes nothing. Before the first reading, the system's own. */
  at({ wallMs, monotonicMs }: Now): Now {
    return { wallMs: Number.isNaN(this.#offsetMs) ? wallMs : Math.round(monotonicMs + this.#offsetMs), monotonicMs };
  }

  /** The trusted time, given both clocks of the system. */
  read(system: Now): Now {
    const { monotonicMs } = system;
    const offsetMs = system.wallMs - monotonicMs;
    this.#sleptMs = Math.max(offsetMs - this.#systemOffsetMs, 0) || 0;
    this.#systemOffsetMs = offsetMs;
    if (this.#isCertain) this.#follow(offsetMs, monotonicMs);
    else this.#compare(offsetMs, monotonicMs);
    return this.at(system);
  }

  /** A peer's heartbeat, which has not been waiting here. */
  heard(peer: MemberId, { sentAtMs, systemTimeMs, isTimeCertain }: ToldTime, monotonicMs: number): void {
    this.#witnesses.set(peer, {
      offsetMs: sentAtMs - monotonicMs,
      systemOffsetMs: systemTimeMs - monotonicMs,
      isCertain: isTimeCertain,
      heardMs: monotonicMs,
    });
  }

  /** For a heartbeat. */
  tell({ wallMs, monotonicMs }: Now): ToldTime {
    const systemTimeMs = Math.max(Math.round(monotonicMs + this.#systemOffsetMs), 0);
    return { sentAtMs: wallMs, systemTimeMs, isTimeCertain: this.#isCertain };
  }

  /** False from a start until others have been heard: nothing must end for good by a clock that has not been confirmed. */
  get isCertain(): boolean {
    return this.#isCertain;
  }

  /** When it becomes certain if no other member is heard; monotonic ms. */
  get certainAtMs(): number {
    return this.#anchor.sinceMs + CERTAINTY_MS;
  }

  /** By how much the system's clock was set ahead (negative: back), for as long as that is held back. */
  get heldStepMs(): number | undefined {
    return this.#held && Math.round(this.#held.offsetMs - this.#offsetMs);
  }

  /**
   * By how much the system's clock had moved ahead of the monotonic one at the last reading, for which time the machine may
   * have slept.
   */
  get sleptMs(): number {
    return this.#sleptMs;
  }

  /**
   * After a start there is nothing but the system's clock, which may be wrong. It is certain once a member that is certain
   * agrees, or more than half of all members do, or there has been no member to ask. The time of members that are certain
   * takes precedence.
   */
  #compare(offsetMs: number, monotonicMs: number): void {
    // It may just be being set, as happens at boot.
    const isFirst = Number.isNaN(this.#offsetMs);
    if (isFirst || Math.abs(offsetMs - this.#anchor.offsetMs) > FOLLOWED_STEP_MS)
      this.#anchor = { offsetMs, sinceMs: monotonicMs };
    this.#offsetMs = offsetMs;
    const witnesses = this.#heardLately(monotonicMs);
    const agree = (witness: Witness) => !areTooFarApart(witness.offsetMs, offsetMs, this.#options.maximumSkewMs);
    const certain = witnesses.filter(({ isCertain }) => isCertain);
    const areMost = 2 * (1 + witnesses.filter(agree).length) > this.#options.memberCount;
    this.#isCertain = certain.length > 0 || areMost || monotonicMs >= this.certainAtMs;
    if (certain.length === 0 || certain.some(agree)) return;
    const offsets = certain.map((witness) => witness.offsetMs).toSorted((a, b) => a - b);
    this.#set(offsets[offsets.length >> 1] ?? offsetMs, monotonicMs);
  }

  #follow(offsetMs: number, monotonicMs: number): void {
    if (monotonicMs >= this.certainAtMs) this.#anchor = { offsetMs: this.#offsetMs, sinceMs: monotonicMs };
    if (Math.abs(offsetMs - this.#anchor.offsetMs) <= FOLLOWED_STEP_MS) {
      this.#offsetMs = offsetMs;
      if (this.#held !== undefined) this.#observer.event("clock-step-undone", {});
      this.#held = undefined;
      return;
    }
    const held = this.#hold(offsetMs, monotonicMs);
    const balance = this.#weigh(offsetMs, monotonicMs);
    const isContradicted = held.isContradicted || balance < 0;
    const notByMostMs = this.#isByMost(offsetMs, monotonicMs) ? held.notByMostMs : monotonicMs;
    this.#held = { ...held, isContradicted, notByMostMs };
    const isUnopposed = !isContradicted && balance === 0 && monotonicMs - held.sinceMs >= CERTAINTY_MS;
    // Clocks that were corrected must not wait for one that was forgotten, however certain it is.
    const isOfMost = monotonicMs - notByMostMs >= CERTAINTY_MS;
    if (balance > 0 || isUnopposed || isOfMost) this.#set(offsetMs, monotonicMs);
  }

  #hold(offsetMs: number, monotonicMs: number): HeldStep {
    if (this.#held !== undefined && Math.abs(offsetMs - this.#held.offsetMs) <= FOLLOWED_STEP_MS) return this.#held;
    const held = { offsetMs, sinceMs: monotonicMs, isContradicted: false, notByMostMs: monotonicMs };
    this.#held = held;
    this.#observer.event("clock-step-held", { stepMs: this.heldStepMs ?? 0 });
    return held;
  }

  /** Positive if most of the members that are certain confirm the step. Those that hold back the same step don't count. */
  #weigh(offsetMs: number, monotonicMs: number): number {
    const isCloser = (theirs: number) => this.#isCloser(theirs, offsetMs);
    let balance = 0;
    for (const witness of this.#heardLately(monotonicMs)) {
      if (!witness.isCertain) continue;
      if (isCloser(witness.offsetMs)) balance++;
      else if (!isCloser(witness.systemOffsetMs)) balance--;
    }
    return balance;
  }

  /** Whether the systems of more than half of all members, including this one, show the step. */
  #isByMost(offsetMs: number, monotonicMs: number): boolean {
    const { memberCount, maximumSkewMs } = this.#options;
    const shown = this.#heardLately(monotonicMs).filter(
      // A different error in the same direction is not this step.
      ({ systemOffsetMs: theirs }) =>
        !areTooFarApart(theirs, offsetMs, maximumSkewMs) && this.#isCloser(theirs, offsetMs),
    );
    return 2 * (1 + shown.length) > memberCount;
  }

  /** Whether it is nearer to the step than to the trusted time. */
  #isCloser(theirs: number, offsetMs: number): boolean {
    return Math.abs(theirs - offsetMs) < Math.abs(theirs - this.#offsetMs);
  }

  #heardLately(monotonicMs: number): Witness[] {
    return [...this.#witnesses.values()].filter(({ heardMs }) => monotonicMs - heardMs <= this.#options.witnessMs);
  }

  #set(offsetMs: number, monotonicMs: number): void {
    this.#observer.event("clock-set", { stepMs: Math.round(offsetMs - this.#offsetMs) });
    this.#offsetMs = offsetMs;
    this.#anchor = { offsetMs, sinceMs: monotonicMs };
    this.#held = undefined;
  }
}
