/**
 * Decides what the time is, for everything in the core: what is accepted, what has expired, what is promised and written.
 *
 * A wall clock can be set to anything at any moment, and back; the monotonic clock can't. So the system's wall clock is read once
 * and carried on by the monotonic one. A *step*, by which the two part since somebody has set the one or the machine has slept, is
 * held back until it is certain: the other members say that this is the time, or for a minute nobody says otherwise, or the
 * systems of most say the same. They are told the trusted time, and what the system says besides: an error that all of them
 * share is no proof of itself at once.
 */
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";

/** Followed at once, though no more of it within `CERTAINTY_MS`: members bear it, and a leap second is one. */
const FOLLOWED_STEP_MS = 1000;
/** What nobody contradicts for so long is no slip of somebody's hand: a step, or the clock that a start finds. */
const CERTAINTY_MS = 60_000;

/** What a heartbeat says of its sender's clock. */
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
  /** Others have said that it is wrong: that nobody says so any more doesn't make it right. */
  readonly isContradicted: boolean;
  /** When fewer than most of all members' systems last showed it. */
  readonly notByMostMs: number;
}

export interface TrustedClockOptions {
  /** This one included. */
  readonly memberCount: number;
  /** How far the clocks of two members may be apart. */
  readonly maximumSkewMs: number;
  /** What a peer has said counts for so long. */
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

  /** The time to go by as of the last reading: to ask for it changes nothing. The system's own before the first. */
  at({ wallMs, monotonicMs }: Now): Now {
    return { wallMs: Number.isNaN(this.#offsetMs) ? wallMs : Math.round(monotonicMs + this.#offsetMs), monotonicMs };
  }

  /** The time to go by, given what both clocks of the system say. */
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

  /** False from a start until others have been heard: nothing is to end for good by a clock that nobody has confirmed. */
  get isCertain(): boolean {
    return this.#isCertain;
  }

  /** When it is certain if nobody is heard; monotonic ms. */
  get certainAtMs(): number {
    return this.#anchor.sinceMs + CERTAINTY_MS;
  }

  /** By how much the system's clock was set ahead (negative: back), as long as that is held back. */
  get heldStepMs(): number | undefined {
    return this.#held && Math.round(this.#held.offsetMs - this.#offsetMs);
  }

  /** By how much the system's clock went ahead of the monotonic one before the last reading: for so long the machine may have slept. */
  get sleptMs(): number {
    return this.#sleptMs;
  }

  /**
   * After a start there is nothing but the system's clock, which may be wrong. It is certain once a member agrees that is certain,
   * or more than half of all members do, or nobody has been there to ask. What others are certain of counts more than it.
   */
  #compare(offsetMs: number, monotonicMs: number): void {
    // Somebody may just be setting it, as a boot does.
    const isFirst = Number.isNaN(this.#offsetMs);
    if (isFirst || Math.abs(offsetMs - this.#anchor.offsetMs) > FOLLOWED_STEP_MS)
      this.#anchor = { offsetMs, sinceMs: monotonicMs };
    this.#offsetMs = offsetMs;
    const witnesses = this.#heardLately(monotonicMs);
    const agree = (witness: Witness) => Math.abs(witness.offsetMs - offsetMs) <= this.#options.maximumSkewMs;
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
    // Clocks that somebody has set right must not wait for the one that is forgotten, however certain it is.
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

  /** Positive: most of those who are certain confirm the step. Who holds back the same one doesn't know either. */
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

  /** More than half of all members' systems show the step, this one's included. */
  #isByMost(offsetMs: number, monotonicMs: number): boolean {
    const { memberCount, maximumSkewMs } = this.#options;
    const shown = this.#heardLately(monotonicMs).filter(
      // Another error in the same direction is not this step.
      ({ systemOffsetMs: theirs }) => Math.abs(theirs - offsetMs) <= maximumSkewMs && this.#isCloser(theirs, offsetMs),
    );
    return 2 * (1 + shown.length) > memberCount;
  }

  /** To the step than to the trusted time. */
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
