/**
 * Flap damping in the terms of RFC 2439: every fall adds to a penalty that halves with time. Past the cutoff the member is
 * held back until the penalty has decayed to the reuse threshold. The RFC withdraws a route that flaps. Here it stays
 * announced but is not preferred: routers see one more change instead of one per fall, and the last member is never damped
 * away.
 */
export interface DampingSettings {
  readonly halfLifeMs: number;
  /** In falls: RFC 2439's cutoff threshold, where each adds 1. */
  readonly suppress: number;
  /** RFC 2439's reuse threshold. */
  readonly reuse: number;
  /** The longest time that a member is held back, however often it fell; ms. */
  readonly maximumMs: number;
}

export class FlapDamping {
  readonly #settings: DampingSettings;
  /** Limits the penalty so that it decays to the reuse threshold within the longest time (RFC 2439 4.2). */
  readonly #ceiling: number;
  #penalty = 0;
  #atMs = Number.NEGATIVE_INFINITY;
  #isSuppressed = false;

  constructor(settings: DampingSettings) {
    this.#settings = settings;
    this.#ceiling = settings.reuse * 2 ** (settings.maximumMs / settings.halfLifeMs);
  }

  fell(nowMs: number): void {
    this.#penalty = Math.min(this.#decayed(nowMs) + 1, this.#ceiling);
    this.#atMs = nowMs;
    if (this.#penalty >= this.#settings.suppress) this.#isSuppressed = true;
  }

  /** How long it is held back; 0 if it isn't. */
  remainingMs(nowMs: number): number {
    if (!this.#isSuppressed) return 0;
    const remainingMs = this.#settings.halfLifeMs * Math.log2(this.#decayed(nowMs) / this.#settings.reuse);
    if (remainingMs > 0) return remainingMs;
    this.#isSuppressed = false;
    return 0;
  }

  #decayed(nowMs: number): number {
    return this.#penalty * 2 ** ((this.#atMs - nowMs) / this.#settings.halfLifeMs);
  }
}
