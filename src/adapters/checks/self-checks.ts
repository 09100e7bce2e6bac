/** What a member finds out about itself, each time it looks; settled-check.ts says when that counts. */

import type { CheckState, Finding } from "../../core/health/settled-check.ts";
import type { PeerStatus } from "../../core/members/membership.ts";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { formatBytes } from "../../text/units.ts";
import type { AdvertiserStatus } from "../advertiser/advertiser.ts";
import { isAccepted } from "../advertiser/routing-view.ts";
import type { StoreStatistics } from "../store/store.ts";

/** The limits from which a figure counts as degraded, or as failed. */
export interface Limits {
  readonly degraded: number;
  readonly fail: number;
}

export interface SelfCheckSettings {
  readonly prefix: Ipv4Prefix;
  /** The longest the event loop kept others waiting; ms. */
  readonly eventLoop: Limits;
  /** How long a commit takes, or has been taking; ms. */
  readonly storeLatency: Limits;
  /** Bytes; fewer are worse. */
  readonly freeDisk: Limits;
  /** Datagrams per second that the kernel drops because they arrive faster than they are read. */
  readonly receiveOverflows: Limits;
  /** How much the clocks of most members differ from ours; ms. */
  readonly clock: Limits;
  /** How long a member may be without any BGP session, or its announcement unaccepted, before it is degraded; ms. */
  readonly unheardAfterMs: number;
}

/** How many attempts there have been since the start, and how many of them failed. */
export interface Outcomes {
  readonly tried: number;
  readonly failed: number;
  /** What was wrong with the last one that failed. */
  readonly problem: string;
}

/** Routes to the foreign agents of bindings that were answered. */
export interface Routes {
  readonly known: number;
  readonly missing: number;
  readonly problem: string;
}

export interface Vitals {
  readonly eventLoopDelayMs: number;
  readonly store: Pick<StoreStatistics, "commits" | "lastCommitMs" | "oldestQueuedMs" | "freeBytes">;
  readonly hasTooFewBackups: boolean;
  /** Since the sockets were opened. */
  readonly receiveOverflows: number;
  readonly replyRoutes: Routes;
  readonly replies: Outcomes;
  /** Requests; those that failed were dropped for lack of room or of time. */
  readonly requests: Outcomes;
  /** Errors that the sockets have reported while receiving since the start. */
  readonly receiveErrors: number;
  /**
   * Inputs that the core could not handle since the start. `tick` is the passing of time, without which the core sends
   * nothing.
   */
  readonly inputsFailed: { readonly tick: number; readonly others: number };
  readonly peers: readonly Pick<PeerStatus, "state" | "clockSkewMs">[];
  readonly advertiser: Pick<AdvertiserStatus, "applied" | "neighbors" | "view">;
}

export const SELF_CHECKS = [
  "event-loop",
  "store-latency",
  "free-disk",
  "receive-overflows",
  "receive-errors",
  "routes",
  "replies",
  "overload",
  "inputs",
  "replication",
  "clock",
  "session",
  "acceptance",
] as const;
export type SelfCheck = (typeof SELF_CHECKS)[number];

/** Shares of the attempts in the last `SHARE_WINDOW_MS`. */
const REPLIES_FAILED: Limits = { degraded: 0.1, fail: 0.5 };
/** Others should be preferred, but a flood must not take one member after another out of routing. */
const REQUESTS_DROPPED: Limits = { degraded: 0.1, fail: Number.POSITIVE_INFINITY };
const SHARE_WINDOW_MS = 10_000;
/** Fewer attempts say nothing. */
const FEWEST_TRIED = 3;

/** What was counted between the looks of the last `SHARE_WINDOW_MS`. */
class Window {
  readonly #looks: (Outcomes & { readonly atMs: number })[] = [];

  look(outcomes: Outcomes, nowMs: number): Outcomes {
    this.#looks.push({ ...outcomes, atMs: nowMs });
    while ((this.#looks[1]?.atMs ?? nowMs) <= nowMs - SHARE_WINDOW_MS) this.#looks.shift();
    const { tried, failed } = this.#looks[0] ?? outcomes;
    return { tried: outcomes.tried - tried, failed: outcomes.failed - failed, problem: outcomes.problem };
  }
}

export class SelfChecks {
  readonly #settings: SelfCheckSettings;
  #before: { readonly atMs: number; readonly vitals: Vitals } | undefined;
  readonly #replies = new Window();
  readonly #requests = new Window();
  #lastSessionMs: number | undefined;
  #lastAcceptedMs: number | undefined;

  constructor(settings: SelfCheckSettings) {
    this.#settings = settings;
  }

  /** To be called at regular intervals; `nowMs` is monotonic. A finding is `undefined` where the check can't tell. */
  look(vitals: Vitals, nowMs: number): Readonly<Record<SelfCheck, Finding | undefined>> {
    const findings = {
      "event-loop": this.#eventLoop(vitals),
      "store-latency": this.#storeLatency(vitals),
      "free-disk": this.#freeDisk(vitals),
      "receive-overflows": this.#receiveOverflows(vitals, nowMs),
      "receive-errors": this.#receiveErrors(vitals),
      routes: routes(vitals),
      replies: share(this.#replies.look(vitals.replies, nowMs), REPLIES_FAILED, "replies", "could not be sent"),
      overload: share(this.#requests.look(vitals.requests, nowMs), REQUESTS_DROPPED, "requests", "were dropped"),
      inputs: this.#inputs(vitals),
      replication: replication(vitals),
      clock: this.#clock(vitals),
      session: this.#session(vitals, nowMs),
      acceptance: this.#acceptance(vitals, nowMs),
    };
    this.#before = { atMs: nowMs, vitals };
    return findings;
  }

  #eventLoop({ eventLoopDelayMs }: Vitals): Finding {
    const reason = `it kept others waiting for ${ms(eventLoopDelayMs)}`;
    return { state: judge(eventLoopDelayMs, this.#settings.eventLoop), reason };
  }

  #storeLatency({ store }: Vitals): Finding {
    // The last commit says nothing if it had already been there at the last look.
    const commitMs = store.commits === this.#before?.vitals.store.commits ? 0 : store.lastCommitMs;
    const latencyMs = Math.max(commitMs, store.oldestQueuedMs);
    return { state: judge(latencyMs, this.#settings.storeLatency), reason: `a commit takes ${ms(latencyMs)}` };
  }

  #freeDisk({ store: { freeBytes } }: Vitals): Finding | undefined {
    if (freeBytes === undefined) return undefined;
    const { degraded, fail } = this.#settings.freeDisk;
    const state = freeBytes < fail ? "fail" : freeBytes < degraded ? "degraded" : "pass";
    return { state, reason: `${formatBytes(freeBytes)} are free` };
  }

  #receiveOverflows({ receiveOverflows }: Vitals, nowMs: number): Finding | undefined {
    if (this.#before === undefined || nowMs <= this.#before.atMs) return undefined;
    const dropped = receiveOverflows - this.#before.vitals.receiveOverflows;
    const perSecond = (dropped * 1000) / (nowMs - this.#before.atMs);
    const reason = `the kernel drops ${Math.round(perSecond)} datagrams/s that come faster than they are read`;
    return { state: judge(perSecond, this.#settings.receiveOverflows), reason };
  }

  #receiveErrors({ receiveErrors }: Vitals): Finding {
    const errors = receiveErrors - (this.#before?.vitals.receiveErrors ?? 0);
    return errors > 0
      ? { state: "degraded", reason: `the sockets have reported ${errors} errors on receiving since the last look` }
      : { state: "pass", reason: "the sockets report no errors" };
  }

  /** A single sender may make inputs fail, but a failing tick concerns everyone. */
  #inputs({ inputsFailed: { tick, others } }: Vitals): Finding {
    const before = this.#before?.vitals.inputsFailed ?? { tick: 0, others: 0 };
    if (tick > before.tick) return { state: "fail", reason: "the core fails, again and again: see the log" };
    if (others > before.others) return { state: "degraded", reason: "the core fails at some inputs: see the log" };
    return { state: "pass", reason: "the core handles what comes in" };
  }

  /** With two members it can't be known which of the clocks is wrong; alarms.ts reports that they differ. */
  #clock({ peers }: Vitals): Finding | undefined {
    const heard = peers.filter(({ state }) => state === "alive" || state === "skewed");
    const skewsMs = heard.map(({ clockSkewMs }) => Math.abs(clockSkewMs));
    if (skewsMs.length < 2) return undefined;
    const majority = Math.floor((skewsMs.length + 1) / 2) + 1;
    const skewMs = skewsMs.toSorted((a, b) => b - a)[majority - 1] ?? 0;
    const reason = `the clocks of most members differ from ours by ${ms(skewMs)} or more`;
    return { state: judge(skewMs, this.#settings.clock), reason };
  }

  /**
   * A member that no router hears is as good as any other for mobiles that arrive by way of other members, so this is
   * degraded at worst.
   */
  #session({ advertiser: { neighbors } }: Vitals, nowMs: number): Finding | undefined {
    if (neighbors.length === 0) return undefined;
    const up = neighbors.filter(({ state }) => state === "up").length;
    if (up > 0 || this.#lastSessionMs === undefined) this.#lastSessionMs = nowMs;
    const silentMs = nowMs - this.#lastSessionMs;
    return {
      state: silentMs >= this.#settings.unheardAfterMs ? "degraded" : "pass",
      reason:
        up > 0
          ? `${up} of ${neighbors.length} routers are connected`
          : `no router has been connected for ${ms(silentMs)}`,
    };
  }

  #acceptance({ advertiser: { applied, neighbors, view } }: Vitals, nowMs: number): Finding | undefined {
    const { prefix, unheardAfterMs } = this.#settings;
    const routers = neighbors.filter(({ state }) => state === "up");
    const answers = routers.map(({ address }) => isAccepted(view, address, prefix));
    const isRefused = applied.length > 0 && answers.length > 0 && answers.every((answer) => answer === false);
    if (!isRefused || this.#lastAcceptedMs === undefined) this.#lastAcceptedMs = nowMs;
    if (answers.includes(true)) return { state: "pass", reason: "routers tell our announcement back" };
    if (!isRefused) return undefined;
    const silentMs = nowMs - this.#lastAcceptedMs;
    return {
      state: silentMs >= unheardAfterMs ? "degraded" : "pass",
      reason: `no router has told our announcement back for ${ms(silentMs)}: is it filtered?`,
    };
  }
}

function routes({ replyRoutes: { known, missing, problem } }: Vitals): Finding {
  if (known === 0) return { state: "pass", reason: "there is no foreign agent to be answered" };
  if (missing === 0) return { state: "pass", reason: `there are routes to ${known} foreign agents that were answered` };
  return {
    state: missing === known ? "fail" : 2 * missing >= known ? "degraded" : "pass",
    reason: `there is no route to ${missing} of ${known} foreign agents that were answered: ${problem}`,
  };
}

function share({ tried, failed, problem }: Outcomes, limits: Limits, what: string, fate: string): Finding | undefined {
  const window = `the last ${SHARE_WINDOW_MS / 1000} s`;
  if (tried === 0) return { state: "pass", reason: `there were no ${what} in ${window}` };
  if (tried < FEWEST_TRIED) return undefined;
  return {
    state: judge(failed / tried, limits),
    reason: `${failed} of ${tried} ${what} of ${window} ${fate}${failed > 0 && problem !== "" ? `: ${problem}` : ""}`,
  };
}

function replication({ hasTooFewBackups }: Vitals): Finding {
  return hasTooFewBackups
    ? {
        state: "degraded",
        reason: "too few backups are in reach: what is accepted now is not as safe as `acks` promises",
      }
    : { state: "pass", reason: "enough backups are in reach" };
}

function judge(figure: number, { degraded, fail }: Limits): CheckState {
  if (figure >= fail) return "fail";
  return figure >= degraded ? "degraded" : "pass";
}

function ms(durationMs: number): string {
  return durationMs < 1000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}
