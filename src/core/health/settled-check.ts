/** The hysteresis of one check: a finding counts only once it has been found several times in a row. */

/** In order: the higher, the better. */
export const CHECK_STATES = ["fail", "degraded", "pass"] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/** What a check finds once; `undefined` stands for "can't be told", which changes nothing. */
export interface Finding {
  readonly state: CheckState;
  /** For people: the figure, and the limit that it exceeds. */
  readonly reason: string;
}

export interface Hysteresis {
  /** Findings in a row that make it better. */
  readonly rise: number;
  /** Findings in a row that make it worse. */
  readonly fall: number;
}

/** A check as it counts now. */
export interface CheckStatus {
  readonly name: string;
  /** `unknown`: nothing has been found yet. */
  readonly state: CheckState | "unknown";
  /** Epoch ms. */
  readonly sinceMs: number;
  /** Of the last finding. */
  readonly reason: string;
  /** A member isn't announced before this one has found something. */
  readonly isAwaited: boolean;
}

export class SettledCheck {
  status: CheckStatus;
  readonly #hysteresis: Hysteresis;
  /** Findings in a row that all differ from what counts, in the same direction. */
  #streak: CheckState[] = [];

  constructor(name: string, hysteresis: Hysteresis, nowMs: number, isAwaited = false) {
    this.#hysteresis = hysteresis;
    this.status = { name, state: "unknown", sinceMs: nowMs, reason: "not looked at yet", isAwaited };
  }

  /** Returns whether what counts has changed. The first finding counts at once, as nothing is known before it. */
  found(finding: Finding | undefined, nowMs: number): boolean {
    if (finding === undefined) return false;
    const { state: before } = this.status;
    const state = before === "unknown" ? finding.state : this.#settle(before, finding.state);
    const hasChanged = state !== before;
    this.status = { ...this.status, state, reason: finding.reason, ...(hasChanged && { sinceMs: nowMs }) };
    return hasChanged;
  }

  /** Of several findings in a row, the one nearest to what counted before counts: at least that was found every time. */
  #settle(before: CheckState, found: CheckState): CheckState {
    const direction = Math.sign(grade(found) - grade(before));
    const [first] = this.#streak;
    if (first !== undefined && Math.sign(grade(first) - grade(before)) !== direction) this.#streak = [];
    if (direction === 0) return before;
    this.#streak.push(found);
    if (this.#streak.length < (direction > 0 ? this.#hysteresis.rise : this.#hysteresis.fall)) return before;
    const [nearest = before] = this.#streak.toSorted((a, b) => direction * (grade(a) - grade(b)));
    this.#streak = [];
    return nearest;
  }
}

function grade(state: CheckState): number {
  return CHECK_STATES.indexOf(state);
}
