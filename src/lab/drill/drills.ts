/** The drills: what each does to a home agent, how that is undone, and what may come of it. */
import type { DrillLab, DrillLabTraits } from "./drill-lab.ts";

export const DRILLS = [
  "withdraw",
  "drain",
  "kill",
  "hang",
  "kill-exabgp",
  "kill-helper",
  "cut-link",
  "partition",
] as const;
/** Drills that strike more than one home agent. */
export const LARGE_DRILLS = ["upgrade", "lose-site"] as const;
export type DrillName = (typeof DRILLS)[number] | (typeof LARGE_DRILLS)[number];

/** Upper limits; what has no limit is only reported. */
export interface DrillLimits {
  /** From the blow until the router's kernel doesn't route to the home agent any more. */
  readonly fibMs?: number;
  /** From the blow until the first mobile that had to ask again was served. */
  readonly servedMs?: number;
  /** The longest that any registration took, by the mobile's clock. */
  readonly slowestMs?: number;
  /** Registrations given up after all tries; with a limit, some must have been accepted after the blow. */
  readonly unanswered?: number;
  /** Registrations that a home agent refused, all along. */
  readonly denied?: number;
  /** Registrations that mobiles were told are accepted, and that no home agent holds. */
  readonly lost?: number;
  /** The most times that a mobile had to ask again for one registration. */
  readonly mostRepeated?: number;
}

export interface Drill {
  readonly meaning: string;
  /** What is struck at once; home agents take turns, and so do sites. */
  readonly strikes: "home-agent" | "site" | "cluster";
  /** Whether the router should turn away from it. */
  readonly leavesFib: boolean;
  /** Can't be asked what it holds while it lasts. */
  readonly silences: boolean;
  /** Watched until every mobile has been served again by the remaining home agents. */
  readonly outlived?: boolean;
  /** Before any mobile registers. */
  prepare?(lab: DrillLab): Promise<void>;
  strike(lab: DrillLab, target: string, signal: AbortSignal): Promise<number>;
  /** Undoes what isn't undone by starting the processes that don't run. */
  undo?(lab: DrillLab, target: string): Promise<void>;
  /** Of `fibMs` and `servedMs` for medians. */
  limits(hasBfd: boolean, traits: DrillLabTraits): DrillLimits;
}

/** A mobile that has to ask again is served before it gives up. */
const NOTHING_LOST = { unanswered: 0, lost: 0 };
/** Nor is it told to ask with another Identification, as a home agent does that has been restarted. */
const NOTHING_DENIED = { ...NOTHING_LOST, denied: 0 };

/** How long it takes until a router misses a home agent; without BFD, until BGP's hold time of 9 s has passed. */
function silent(hasBfd: boolean): number {
  return hasBfd ? 1000 : 10_000;
}

export const drills: Readonly<Record<DrillName, Drill>> = {
  withdraw: {
    meaning: "SIGTERM to the daemon: it withdraws, then ends",
    strikes: "home-agent",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "daemon", "SIGTERM"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 150 }),
  },
  drain: {
    meaning: "like `anyhome drain`: it gives its bindings away and goes on serving requests that still arrive",
    strikes: "home-agent",
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.drain(homeAgent),
    undo: (lab, homeAgent) => lab.undrain(homeAgent),
    limits: () => ({ ...NOTHING_DENIED, fibMs: 150, slowestMs: 100 }),
  },
  kill: {
    meaning: "SIGKILL to the daemon",
    strikes: "home-agent",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "daemon", "SIGKILL"),
    limits: (hasBfd, { networkEndsWithDaemon }) => ({
      ...NOTHING_LOST,
      fibMs: networkEndsWithDaemon ? silent(hasBfd) : 300,
    }),
  },
  hang: {
    meaning: "SIGSTOP to the daemon, and SIGCONT",
    strikes: "home-agent",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "daemon", "SIGSTOP"),
    undo: async (lab, homeAgent) => {
      await lab.signal(homeAgent, "daemon", "SIGCONT");
    },
    limits: (hasBfd) => ({ ...NOTHING_LOST, fibMs: hasBfd ? 1000 : 1500 }),
  },
  "kill-exabgp": {
    meaning: "SIGKILL to ExaBGP, which the daemon starts again",
    strikes: "home-agent",
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "exabgp", "SIGKILL"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 150 }),
  },
  "kill-helper": {
    meaning: "SIGKILL to the helper inside ExaBGP, whereupon the daemon replaces both",
    strikes: "home-agent",
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "helper", "SIGKILL"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 300 }),
  },
  "cut-link": {
    meaning: "neither routers nor other home agents hear it or are heard, and none of them is told",
    strikes: "home-agent",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.isolate(homeAgent, "all"),
    undo: (lab, homeAgent) => lab.rejoin(homeAgent, "all"),
    limits: (hasBfd) => (hasBfd ? { ...NOTHING_LOST, fibMs: silent(hasBfd) } : { lost: 0, fibMs: silent(hasBfd) }),
  },
  partition: {
    meaning: "other home agents and it don't hear each other; routers do",
    strikes: "home-agent",
    leavesFib: false,
    silences: false,
    strike: (lab, homeAgent) => lab.isolate(homeAgent, "home-agents"),
    undo: (lab, homeAgent) => lab.rejoin(homeAgent, "home-agents"),
    limits: () => NOTHING_DENIED,
  },
  upgrade: {
    meaning: "each home agent in turn is drained, and replaced by one of a new image",
    strikes: "cluster",
    leavesFib: false,
    silences: false,
    prepare: (lab) => lab.prepareUpgrade(),
    async strike(lab, _, signal) {
      const beganAtMs = Date.now();
      for (const { name } of lab.homeAgents) {
        await lab.upgrade(name, signal);
        await lab.untilWhole(signal);
      }
      return beganAtMs;
    },
    limits: () => ({ ...NOTHING_LOST, mostRepeated: 1 }),
  },
  "lose-site": {
    meaning: "SIGKILL to everything of a site at once, its router too; the other site serves all mobiles",
    strikes: "site",
    leavesFib: true,
    silences: true,
    outlived: true,
    strike: (lab, site) => lab.lose(site),
    undo: (lab, site) => lab.restore(site),
    limits: (hasBfd) => ({ ...NOTHING_LOST, fibMs: silent(hasBfd) }),
  },
};
