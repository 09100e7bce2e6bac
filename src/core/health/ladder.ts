/**
 * The ladder: from how fit a member is to how it is announced. A state machine without clock or effects.
 *
 *    starting ──▶ ready ◀──▶ degraded        announced: ready, with low preference draining and degraded,
 *        │         │ ▲ │        │                       with the lowest guarding
 *        │  drain  │ │ └───┬────┘ unfit
 *        │         ▼ │     ▼
 *        │      draining  guarding ──▶ down  not announced: starting, down
 *        │                   ▲──────────┘
 *        └── failed: from everywhere to down at once
 *
 * It goes down at once, as its checks have been counted before (settled-check.ts), and up only after the improvement has
 * lasted for a while. An unfit member leaves routing in two steps: it guards first, and goes down only once another member
 * is known to be announced.
 */
import { type HealthState, isFit } from "../protocol/datagrams.ts";
import { type DampingSettings, FlapDamping } from "./flap-damping.ts";
import { LEVELS, type Level, type Standing } from "./readiness.ts";

/** How much routers should prefer a route: they choose one with a higher preference instead. */
export type Preference = "normal" | "low" | "lowest";

export interface LadderSettings {
  /** How long a member must have been fit before it is announced for the first time. */
  readonly startDelayMs: number;
  /** How long it must have been fitter before it climbs, and another one announced before it leaves. */
  readonly holdDownMs: number;
  readonly damping: DampingSettings;
}

export interface Surroundings {
  readonly draining: boolean;
  /** Whether another member is announced and knows how this member is. */
  readonly othersServe: boolean;
}

export interface Rung {
  readonly health: HealthState;
  /** `undefined`: not announced. */
  readonly preference: Preference | undefined;
  /** It is announced, and not merely because no other member is. */
  readonly ready: boolean;
  /** Why it isn't `ready`, for people. */
  readonly reasons: readonly string[];
}

export const FIRST_RUNG: Rung = { health: "starting", preference: undefined, ready: false, reasons: ["starting"] };

export class Ladder {
  readonly #settings: LadderSettings;
  readonly #damping: FlapDamping;
  #rung: Rung = FIRST_RUNG;
  #level: Level = "starting";
  #hasServed = false;
  /** The worst fitness found since it has been better than the one that counts. */
  #better: { level: Level; readonly sinceMs: number } | undefined;
  /** Since when another one is known to be announced. */
  #relievedSinceMs: number | undefined;

  constructor(settings: LadderSettings) {
    this.#settings = settings;
    this.#damping = new FlapDamping(settings.damping);
  }

  climb({ level, reasons }: Standing, surroundings: Surroundings, nowMs: number): Rung {
    const dampedMs = this.#damping.remainingMs(nowMs);
    const isDamped = level === "fit" && dampedMs > 0;
    const waitMs = this.#move(isDamped ? "degraded" : level, surroundings, nowMs);
    const allReasons = [
      ...reasons,
      ...(isDamped ? [`it went up and down too often: not preferred for another ${seconds(dampedMs)}`] : []),
      ...(waitMs > 0 ? [`it has to be fit for another ${seconds(waitMs)}`] : []),
    ];
    this.#rung = this.#rungOf(allReasons, surroundings, nowMs);
    return this.#rung;
  }

  /** Returns how long it still has to be better before that counts; 0 if it isn't better. */
  #move(target: Level, { othersServe }: Surroundings, nowMs: number): number {
    // A change that isn't a promotion counts at once, and so does fitness where waiting would leave no member to serve.
    if (rank(target) <= rank(this.#level) || rank(target) <= rank("unfit")) {
      if (this.#level === "fit" && rank(target) < rank("fit")) this.#damping.fell(nowMs);
      this.#settle(target);
      return 0;
    }
    this.#better ??= { level: target, sinceMs: nowMs };
    if (rank(target) < rank(this.#better.level)) this.#better.level = target;
    const delayMs = this.#hasServed ? this.#settings.holdDownMs : this.#settings.startDelayMs;
    const waitMs = othersServe ? this.#better.sinceMs + delayMs - nowMs : 0;
    if (waitMs > 0) return waitMs;
    this.#settle(this.#better.level);
    if (rank(target) > rank(this.#level)) this.#better = { level: target, sinceMs: nowMs };
    return 0;
  }

  #settle(level: Level): void {
    this.#level = level;
    this.#better = undefined;
    this.#hasServed ||= rank(level) >= rank("degraded");
  }

  #rungOf(reasons: readonly string[], { draining, othersServe }: Surroundings, nowMs: number): Rung {
    switch (this.#level) {
      case "failed":
        return { health: "down", preference: undefined, ready: false, reasons };
      case "starting":
        return { health: "starting", preference: undefined, ready: false, reasons };
      case "unfit":
        return this.#guards(othersServe, nowMs)
          ? { health: "guarding", preference: "lowest", ready: false, reasons: [...reasons, GUARDING] }
          : { health: "down", preference: undefined, ready: false, reasons };
      default:
        break;
    }
    if (draining) return { health: "draining", preference: "low", ready: false, reasons: ["draining", ...reasons] };
    return this.#level === "degraded"
      ? { health: "degraded", preference: "low", ready: true, reasons }
      : { health: "ready", preference: "normal", ready: true, reasons };
  }

  #guards(othersServe: boolean, nowMs: number): boolean {
    // No member has heard yet that this one is unfit: what is known of the others may be as old as what they know of it.
    const hasJustFallen = isFit(this.#rung.health);
    if (hasJustFallen || !othersServe) {
      this.#relievedSinceMs = undefined;
      return true;
    }
    if (this.#rung.preference === undefined) return false;
    this.#relievedSinceMs ??= nowMs;
    return nowMs - this.#relievedSinceMs < this.#settings.holdDownMs;
  }
}

const GUARDING = "it stays announced with the lowest preference until another member is known to be announced";

function rank(level: Level): number {
  return LEVELS.indexOf(level);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
