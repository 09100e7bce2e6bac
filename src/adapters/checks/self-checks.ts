/** What a member finds out about itself, each time it looks; settled-check.ts says when that counts. */

import type { CheckState, Finding } from "../../core/health/settled-check.ts";
import type { PeerStatus } from "../../core/members/membership.ts";
import type { Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { formatBytes } from "../../text/units.ts";
import type { AdvertiserStatus } from "../advertiser/advertiser.ts";
import { isAccepted } from "../advertiser/routing-view.ts";
import type { StoreStatistics } from "../store/store.ts";

/** From where on a figure is degraded, or fails. */
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
  /** Bytes; the fewer, the worse. */
  readonly freeDisk: Limits;
  /** Datagrams per second that the kernel drops as they come faster than they are read. */
  readonly receiveOverflows: Limits;
  /** How much the clocks of most members differ from ours; ms. */
  readonly clockSkew: Limits;
  /** How long a member may be without any BGP session, or its announcement unaccepted, before it is degraded; ms. */
  readonly unheardMs: number;
}

export interface Vitals {
  readonly eventLoopDelayMs: number;
  readonly store: Pick<StoreStatistics, "commits" | "lastCommitMs" | "oldestQueuedMs" | "freeBytes">;
  readonly hasTooFewBackups: boolean;
  /** Since the sockets were opened. */
  readonly receiveOverflows: number;
  readonly peers: readonly Pick<PeerStatus, "state" | "clockSkewMs">[];
  readonly advertiser: Pick<AdvertiserStatus, "applied" | "neighbors" | "view">;
}

export const SELF_CHECKS = [
  "event-loop",
  "store-latency",
  "free-disk",
  "receive-overflows",
  "replication",
  "clock",
  "session",
  "acceptance",
] as const;
export type SelfCheck = (typeof SELF_CHECKS)[number];

export class SelfChecks {
  readonly #settings: SelfCheckSettings;
  #before: { readonly atMs: number; readonly commits: number; readonly receiveOverflows: number } | undefined;
  #lastSessionMs: number | undefined;
  #lastAcceptedMs: number | undefined;

  constructor(settings: SelfCheckSettings) {
    this.#settings = settings;
  }

  /** To be called at regular intervals; `nowMs` is monotonic. `undefined`: can't be told. */
  look(vitals: Vitals, nowMs: number): Readonly<Record<SelfCheck, Finding | undefined>> {
    const findings = {
      "event-loop": this.#eventLoop(vitals),
      "store-latency": this.#storeLatency(vitals),
      "free-disk": this.#freeDisk(vitals),
      "receive-overflows": this.#receiveOverflows(vitals, nowMs),
      replication: replication(vitals),
      clock: this.#clock(vitals),
      session: this.#session(vitals, nowMs),
      acceptance: this.#acceptance(vitals, nowMs),
    };
    this.#before = { atMs: nowMs, commits: vitals.store.commits, receiveOverflows: vitals.receiveOverflows };
    return findings;
  }

  #eventLoop({ eventLoopDelayMs }: Vitals): Finding {
    const reason = `it kept others waiting for ${ms(eventLoopDelayMs)}`;
    return { state: judge(eventLoopDelayMs, this.#settings.eventLoop), reason };
  }

  #storeLatency({ store }: Vitals): Finding {
    // The last commit says nothing if it was there at the last look.
    const commitMs = store.commits === this.#before?.commits ? 0 : store.lastCommitMs;
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
    const perSecond = ((receiveOverflows - this.#before.receiveOverflows) * 1000) / (nowMs - this.#before.atMs);
    const reason = `the kernel drops ${Math.round(perSecond)} datagrams/s that come faster than they are read`;
    return { state: judge(perSecond, this.#settings.receiveOverflows), reason };
  }

  /** With two members nobody knows which of the clocks is wrong; alarms.ts says that they differ. */
  #clock({ peers }: Vitals): Finding | undefined {
    const heard = peers.filter(({ state }) => state === "alive" || state === "skewed");
    const skewsMs = heard.map(({ clockSkewMs }) => Math.abs(clockSkewMs));
    if (skewsMs.length < 2) return undefined;
    const majority = Math.floor((skewsMs.length + 1) / 2) + 1;
    const skewMs = skewsMs.toSorted((a, b) => b - a)[majority - 1] ?? 0;
    const reason = `the clocks of most members differ from ours by ${ms(skewMs)} or more`;
    return { state: judge(skewMs, this.#settings.clockSkew), reason };
  }

  /** A member that no router hears is as good as any for mobiles that come by others: degraded at worst. */
  #session({ advertiser: { neighbors } }: Vitals, nowMs: number): Finding | undefined {
    if (neighbors.length === 0) return undefined;
    const up = neighbors.filter(({ state }) => state === "up").length;
    if (up > 0 || this.#lastSessionMs === undefined) this.#lastSessionMs = nowMs;
    const silentMs = nowMs - this.#lastSessionMs;
    return {
      state: silentMs >= this.#settings.unheardMs ? "degraded" : "pass",
      reason:
        up > 0
          ? `${up} of ${neighbors.length} routers are connected`
          : `no router has been connected for ${ms(silentMs)}`,
    };
  }

  #acceptance({ advertiser: { applied, neighbors, view } }: Vitals, nowMs: number): Finding | undefined {
    const { prefix, unheardMs } = this.#settings;
    const routers = neighbors.filter(({ state }) => state === "up");
    const answers = routers.map(({ address }) => isAccepted(view, address, prefix));
    const isRefused = applied.length > 0 && answers.length > 0 && answers.every((answer) => answer === false);
    if (!isRefused || this.#lastAcceptedMs === undefined) this.#lastAcceptedMs = nowMs;
    if (answers.includes(true)) return { state: "pass", reason: "routers tell our announcement back" };
    if (!isRefused) return undefined;
    const silentMs = nowMs - this.#lastAcceptedMs;
    return {
      state: silentMs >= unheardMs ? "degraded" : "pass",
      reason: `no router has told our announcement back for ${ms(silentMs)}: is it filtered?`,
    };
  }
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
