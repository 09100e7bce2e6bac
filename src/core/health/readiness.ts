/** How fit this home agent is by itself: a pure function of what its parts report. ladder.ts says what follows from it. */
import type { CheckStatus } from "./settled-check.ts";

export interface Condition {
  /** Peers this member has not heard of since its start. */
  readonly unheardPeers: readonly string[];
  /** For how long peers could have been heard: since the cluster port was opened, not since the process started; ms. */
  readonly listenedMs: number;
  readonly peerTimeoutMs: number;
  /** Peers that may know of newer bindings than this member holds. */
  readonly catchingUpWith: readonly string[];
  readonly storeFailure: string | undefined;
  /** How long the oldest change has been waiting for the disk; ms. */
  readonly oldestQueuedMs: number;
  /** Why registrations can't be received; `undefined` once the socket is bound. */
  readonly registrationSocketFailure: string | undefined;
  /** Why packets of mobiles can't be forwarded; `undefined` while they can, or where something else forwards them. */
  readonly dataPlaneFailure: string | undefined;
  /** Peers that hear another daemon of our name, which was started later. */
  readonly peersHearingAnother: readonly string[];
  readonly checks: readonly CheckStatus[];
  readonly stopping: boolean;
}

/**
 * In order: the higher, the fitter. `failed`: it can't serve. `unfit`: it could, but a check says that it should not.
 * `degraded`: it serves, but others should be preferred.
 */
export const LEVELS = ["failed", "starting", "unfit", "degraded", "fit"] as const;
export type Level = (typeof LEVELS)[number];

export interface Standing {
  readonly level: Level;
  /** Why it isn't fit, for people. */
  readonly reasons: readonly string[];
}

/**
 * A home agent that can't catch up within this time is announced anyway: it serves, and its copies are brought up to date
 * later.
 */
const CATCH_UP_PATIENCE_MS = 30_000;
/** A disk that takes longer than this for a commit hangs, and mobiles that register meanwhile wait in vain. */
const STORE_HANGS_MS = 3000;

/**
 * A member that has not listened for its peers yet would take them for dead and take over their mobiles. It stays
 * `starting` until it has heard all of them, or until they have had the time to be heard: peers that stay silent are dead,
 * not late.
 */
export function assess(condition: Condition): Standing {
  const failures = failuresOf(condition);
  if (failures.length > 0) return { level: "failed", reasons: failures };
  if (condition.unheardPeers.length > 0 && condition.listenedMs <= 2 * condition.peerTimeoutMs) {
    return { level: "starting", reasons: [`listening for ${condition.unheardPeers.join(", ")}`] };
  }
  if (condition.catchingUpWith.length > 0 && condition.listenedMs <= CATCH_UP_PATIENCE_MS) {
    return { level: "starting", reasons: [`catching up with ${condition.catchingUpWith.join(", ")}`] };
  }
  const awaited = condition.checks.filter(({ state, isAwaited }) => isAwaited && state === "unknown");
  if (awaited.length > 0) {
    return { level: "starting", reasons: [`waiting for ${awaited.map(({ name }) => `check ${name}`).join(", ")}`] };
  }
  const amiss = condition.checks.filter(({ state }) => state === "fail" || state === "degraded");
  const reasons = amiss.map(({ name, reason }) => `${name}: ${reason}`);
  if (amiss.some(({ state }) => state === "fail")) return { level: "unfit", reasons };
  return { level: amiss.length > 0 ? "degraded" : "fit", reasons };
}

/** Its serving path is dead: no counts and no guard, the route goes at once. */
function failuresOf(condition: Condition): string[] {
  const failures: string[] = [];
  if (condition.stopping) failures.push("the daemon is stopping");
  if (condition.storeFailure !== undefined) failures.push(`the store can't write: ${condition.storeFailure}`);
  if (condition.oldestQueuedMs > STORE_HANGS_MS) {
    failures.push(`the disk hangs: a write has been waiting for ${Math.round(condition.oldestQueuedMs / 1000)} s`);
  }
  if (condition.registrationSocketFailure !== undefined) {
    failures.push(`registrations can't be received: ${condition.registrationSocketFailure}`);
  }
  if (condition.dataPlaneFailure !== undefined) {
    failures.push(`packets of mobiles can't be forwarded: ${condition.dataPlaneFailure}`);
  }
  if (condition.peersHearingAnother.length > 0) {
    const who = condition.peersHearingAnother.join(", ");
    failures.push(
      `${who} hears another daemon that says it is this member, and was started later: stop one of the two`,
    );
  }
  return failures;
}
