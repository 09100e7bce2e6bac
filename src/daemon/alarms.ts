/** What an operator should attend to, for as long as it lasts. */
import type { AdvertiserStatus } from "../adapters/advertiser/advertiser.ts";
import type { BfdNeighborStatus } from "../adapters/bfd/speaker.ts";
import type { CheckStatus } from "../core/health/settled-check.ts";
import type { Twins } from "../core/home-agent/peer-frames.ts";
import type { PeerStatus } from "../core/members/membership.ts";

export interface Alarm {
  /** Stable, one per matter. */
  readonly id: string;
  /** Epoch ms. */
  readonly sinceMs: number;
  readonly message: string;
}

export interface AlarmSources {
  readonly peers: Iterable<PeerStatus>;
  readonly advertiser: AdvertiserStatus;
  readonly bfdNeighbors: readonly BfdNeighborStatus[];
  readonly checks: Iterable<CheckStatus>;
  /** Unfit, and still announced because no other member is. */
  readonly isLastAnnouncer: boolean;
  readonly storeFailure: string | undefined;
  /** Damaged stores that this member's has taken the place of. */
  readonly damagedStores: readonly string[];
  readonly registrationSocketFailure: string | undefined;
  readonly dataPlaneFailure: string | undefined;
  /** Peers that are alive and have no stream with this member, and why. */
  readonly missingStreams: ReadonlyMap<string, string>;
  readonly maximumClockSkewMs: number;
  /** By how much the system's clock was set ahead or back, for as long as that isn't believed. */
  readonly heldClockStepMs: number | undefined;
  readonly twins: readonly Twins[];
  /** Why the current configuration file was not applied. */
  readonly configurationProblem: string | undefined;
  /** Why no log lines are being written. */
  readonly logFailure: string | undefined;
}

/**
 * Worth telling: lifetimes and timestamps are compared across members: with the default window of 7 s for mobiles, a second
 * is a lot.
 */
const CLOCK_SKEW_BOUND_MS = 1000;

const VERBS = { fail: "fails", degraded: "is degraded" } as const;

/**
 * To be kept up to date whether or not anyone asks, as an alarm says since when it has held, not since when it has been
 * known.
 */
export class Alarms {
  readonly #active = new Map<string, Alarm>();

  get active(): readonly Alarm[] {
    return [...this.#active.values()];
  }

  /** An alarm that persists keeps the time at which it began. */
  update(sources: AlarmSources, nowMs: number): void {
    const found = new Map(findings(sources).map(([id, message]) => [id, message]));
    for (const id of this.#active.keys()) if (!found.has(id)) this.#active.delete(id);
    for (const [id, message] of found) {
      this.#active.set(id, { id, message, sinceMs: this.#active.get(id)?.sinceMs ?? nowMs });
    }
  }
}

function findings({
  checks,
  isLastAnnouncer,
  peers,
  advertiser,
  bfdNeighbors,
  storeFailure,
  damagedStores,
  registrationSocketFailure,
  dataPlaneFailure,
  configurationProblem,
  logFailure,
  missingStreams,
  maximumClockSkewMs,
  heldClockStepMs,
  twins,
}: AlarmSources): [string, string][] {
  const found: [string, string][] = [];
  if (isLastAnnouncer) {
    found.push(["last-announcer", "this member is unfit, and stays announced as no other one is known to be"]);
  }
  for (const { name, state, reason } of checks) {
    if (state === "fail" || state === "degraded") found.push([`check ${name}`, `${name} ${VERBS[state]}: ${reason}`]);
  }
  if (storeFailure !== undefined) found.push(["store", `the store can't write: ${storeFailure}`]);
  if (damagedStores.length > 0) {
    const what = `the store was found damaged, and is in ${damagedStores.join(", ")}`;
    found.push(["store-damaged", `${what}: what could be believed of it is in use; see to the disk, then remove that`]);
  }
  if (registrationSocketFailure !== undefined) {
    found.push(["registrations", `registrations can't be received: ${registrationSocketFailure}`]);
  }
  if (dataPlaneFailure !== undefined) {
    found.push(["data-plane", `packets of mobiles can't be forwarded: ${dataPlaneFailure}`]);
  }
  if (configurationProblem !== undefined)
    found.push([
      "configuration",
      `the configuration file was not taken over: ${configurationProblem.replaceAll("\n", "; ")}`,
    ]);
  if (logFailure !== undefined)
    found.push(["log", `the log can't be written, and what doesn't fit into memory is lost: ${logFailure}`]);
  if (heldClockStepMs !== undefined) found.push(["clock", ownClockProblem(heldClockStepMs)]);
  const announcers = new Set(advertiser.view.paths.map(({ announcer }) => announcer));
  for (const { id, state, canStore, isUnproven, clockSkewMs, hasOtherMembers } of peers) {
    if (state === "dead") {
      const danger = announcers.has(id)
        ? "; routers still have its announcement, and may send it what is lost there"
        : "";
      found.push([`member ${id}`, `${id} is dead: ${whyDead(isUnproven)}${danger}`]);
    }
    if (state === "one-way") found.push([`member ${id}`, `${id} is heard, but doesn't hear this member`]);
    if (state !== "unknown" && Math.abs(clockSkewMs) > CLOCK_SKEW_BOUND_MS) {
      found.push([`clock ${id}`, clockProblem(id, state, clockSkewMs, maximumClockSkewMs)]);
    }
    if (state === "alive" && !canStore) {
      found.push([`store ${id}`, `${id} can't store: its disk fails or hangs, and others serve what it owned`]);
    }
    if (hasOtherMembers) {
      found.push([`members ${id}`, `${id} has other members, weights or pools in its configuration than this member`]);
    }
  }
  for (const [member, problem] of missingStreams) {
    found.push([`stream ${member}`, `no stream to ${member}, so no copies here nor there: ${problem}`]);
  }
  for (const { member, believed, refused } of twins) {
    const who = `two daemons say that they are ${member}: from ${believed}, which is believed, and from ${refused}`;
    found.push([`twins ${member}`, `${who}; stop the one that isn't ${member}`]);
  }
  if (advertiser.type !== "none" && advertiser.speaker !== "running") {
    found.push([
      "speaker",
      `the routing speaker is ${advertiser.speaker}: ${advertiser.lastError ?? "not started yet"}`,
    ]);
  }
  if (advertiser.type === "ospf" && advertiser.speaker === "running" && advertiser.neighbors.length === 0) {
    found.push(["neighbors", "ospfd has no neighbor: nothing is announced to anybody"]);
  }
  for (const { address, state, reason } of advertiser.neighbors) {
    if (state !== "up")
      found.push([`neighbor ${address}`, `the routing neighbor ${address} is ${state}${reason ? `: ${reason}` : ""}`]);
  }
  for (const { address, state, reason } of bfdNeighbors) {
    if (state !== "up")
      found.push([`bfd ${address}`, `the BFD session with ${address} is ${state}${reason ? `: ${reason}` : ""}`]);
  }
  return found;
}

function ownClockProblem(stepMs: number): string {
  const step = `${(Math.abs(stepMs) / 1000).toFixed(1)} s ${stepMs > 0 ? "ahead" : "back"}`;
  return `the clock of this system was set ${step}, which is not believed: other members, or a minute, must confirm it`;
}

function whyDead(isUnproven: boolean): string {
  return isUnproven
    ? "what comes in its name doesn't show that it hears this member, so it may be a recording"
    : "nothing was heard of it for longer than peer-timeout";
}

function clockProblem(id: string, state: PeerStatus["state"], skewMs: number, maximumMs: number): string {
  const difference = `the clock of ${id} differs from ours by ${(skewMs / 1000).toFixed(1)} s`;
  if (state !== "skewed") return difference;
  return `${difference}, more than maximum-clock-skew (${maximumMs / 1000} s): it is left out until they agree; see to time synchronization on both`;
}
