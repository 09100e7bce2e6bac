/**
 * How a member knows that what another one says is said now. Replay windows are lost at every start, and clocks may be wrong,
 * so freshness is shown by an answer: each frame names the newest frame that its sender has had from its receiver, as TCP
 * acknowledges. What names a frame of this start of the receiver was made after that start, and is no recording of a former one.
 */
import { hashText, mix } from "./hash.ts";
import { ReplayWindow } from "./replay-window.ts";

/** One start of a member: its boot count, then 32 random bits, so that no other start ever has the same. */
export type Incarnation = bigint;

const NONCE_BITS = 32n;

/** Of the starts of a peer that are heard while none is believed, so many are named. */
const MAXIMUM_STARTS = 8;
/** For so many frames of ours they are chosen by one order, in which each of them is named at least once. */
const TURN_FRAMES = 2 * MAXIMUM_STARTS;

/** Of whom nothing was heard. */
export const NO_INCARNATION: Incarnation = 0n;

export function incarnationOf(bootCount: number, nonce: number): Incarnation {
  return (BigInt(bootCount) << NONCE_BITS) | BigInt(nonce);
}

export function bootCountOf(incarnation: Incarnation): number {
  return Number(incarnation >> NONCE_BITS);
}

/** A frame, by the start of its sender and its number there: 1, 2, 3 … for each receiver by itself. */
export interface FrameNumber {
  readonly incarnation: Incarnation;
  readonly sequence: number;
}

/** Why an authentic frame is not believed. `unproven`: it doesn't show that its sender hears this start of the receiver. */
export type Doubt = "unproven" | "replayed";

/** What two members know of each other's frames, on the side of one of them. */
export class Acquaintance {
  /**
   * The newest frame of the start of the peer that is believed. As long as none is, that of each start that was heard, since any but
   * one may be a recording, also the latest: its boot count may have been lost.
   */
  #heard: FrameNumber[] = [];
  readonly #own: Incarnation;
  #sequence = 0;
  #believed = NO_INCARNATION;
  #window = new ReplayWindow();
  /** The newest of our frames that a believed one has named. */
  #namedSequence = 0;
  #isSilent = false;

  constructor(own: Incarnation) {
    this.#own = own;
  }

  /** The start of the peer that has shown to hear this start of ours. */
  get believed(): Incarnation {
    return this.#believed;
  }

  /** The number of the next frame to the peer. */
  next(): FrameNumber {
    this.#sequence++;
    return { incarnation: this.#own, sequence: this.#sequence };
  }

  /** What the next frame to the peer names: each start that was heard in turn, so that no recording hides the one that runs. */
  nextNamed(): FrameNumber {
    const [named, ...others] = this.#heard;
    if (named === undefined) return { incarnation: NO_INCARNATION, sequence: 0 };
    this.#heard = [...others, named];
    return named;
  }

  /** The peer has not been heard for long: if it comes back as an earlier start, because its boot count was lost, it is believed. */
  silent(): void {
    this.#isSilent = true;
  }

  /** Of an authentic frame: what it is, and what it names. `undefined`: it is believed. */
  judge(sent: FrameNumber, named: FrameNumber): Doubt | undefined {
    if (named.incarnation !== this.#own) {
      if (this.#believed === NO_INCARNATION) this.#hear(sent);
      return "unproven";
    }
    if (sent.incarnation !== this.#believed) {
      if (!this.#mayFollow(sent, named)) return "replayed";
      this.#believed = sent.incarnation;
      // Earlier frames of this start were refused, for whatever reason: sent again, they are recordings.
      this.#window = new ReplayWindow(sent.sequence);
      this.#heard = [sent];
    }
    if (!this.#window.accept(sent.sequence)) return "replayed";
    this.#isSilent = false;
    this.#namedSequence = Math.max(this.#namedSequence, named.sequence);
    this.#hear(sent);
    return undefined;
  }

  #hear(sent: FrameNumber): void {
    const index = this.#heard.findIndex(({ incarnation }) => incarnation === sent.incarnation);
    const former = this.#heard[index];
    if (former === undefined) this.#heard.push(sent);
    else if (sent.sequence > former.sequence) this.#heard[index] = sent;
    if (this.#heard.length <= MAXIMUM_STARTS) return;
    const last = this.#heard.reduce((a, b) => (this.#place(a) > this.#place(b) ? a : b));
    this.#heard = this.#heard.filter((frame) => frame !== last);
  }

  /**
   * In an order that is another one in each turn: however many starts there are recordings of, and however often they are sent, the
   * one that runs is among the first as often as any other. By when they were made, or heard, recordings could keep it out for ever.
   */
  #place({ incarnation }: FrameNumber): number {
    const turn = Math.floor(this.#sequence / TURN_FRAMES);
    return mix(hashText(String(incarnation), turn));
  }

  /**
   * Another start of the peer takes the place of the one believed: it names a frame that this one was too early to have had.
   * Of two daemons that say they are the same member, and both hear us, the one that was started later is believed.
   */
  #mayFollow({ incarnation }: FrameNumber, named: FrameNumber): boolean {
    if (this.#believed === NO_INCARNATION) return true;
    return named.sequence > this.#namedSequence && (this.#isSilent || incarnation > this.#believed);
  }
}
