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
export type DrillName = (typeof DRILLS)[number];

/** At most; what isn't named is only reported. */
export interface DrillLimits {
  /** From the blow until the router's kernel doesn't route to the home agent any more. */
  readonly fibMs?: number;
  /** From the blow until the first mobile that had to ask again was served. */
  readonly servedMs?: number;
  /** The longest that any registration took, by the mobile's clock. */
  readonly slowestMs?: number;
  /** Registrations given up after all tries. */
  readonly unanswered?: number;
  /** Registrations that mobiles were told are accepted, and that no home agent holds. */
  readonly lost?: number;
}

export interface Drill {
  readonly meaning: string;
  /** Whether the router shall turn away from it. */
  readonly leavesFib: boolean;
  /** Can't be asked what it holds while it lasts. */
  readonly silences: boolean;
  strike(lab: DrillLab, homeAgent: string): Promise<number>;
  /** What isn't undone by starting what doesn't run. */
  undo?(lab: DrillLab, homeAgent: string): Promise<void>;
  /** For medians. */
  limits(hasBfd: boolean, traits: DrillLabTraits): DrillLimits;
}

const NOTHING_LOST = { lost: 0 };

/** Until a router misses a home agent; without BFD, by BGP's hold time of 9 s. */
function silent(hasBfd: boolean): number {
  return hasBfd ? 1000 : 10_000;
}

export const drills: Readonly<Record<DrillName, Drill>> = {
  withdraw: {
    meaning: "SIGTERM to the daemon: it withdraws, then ends",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "daemon", "SIGTERM"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 150 }),
  },
  drain: {
    meaning: "as `anyhome drain`: it gives its bindings away, and goes on serving what still comes",
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.drain(homeAgent),
    undo: (lab, homeAgent) => lab.undrain(homeAgent),
    limits: () => ({ ...NOTHING_LOST, fibMs: 150, slowestMs: 100, unanswered: 0 }),
  },
  kill: {
    meaning: "SIGKILL to the daemon",
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
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "exabgp", "SIGKILL"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 150 }),
  },
  "kill-helper": {
    meaning: "SIGKILL to the helper inside ExaBGP, upon which the daemon replaces both",
    leavesFib: true,
    silences: false,
    strike: (lab, homeAgent) => lab.signal(homeAgent, "helper", "SIGKILL"),
    limits: () => ({ ...NOTHING_LOST, fibMs: 300 }),
  },
  "cut-link": {
    meaning: "neither routers nor other home agents hear it, or are heard; nobody is told",
    leavesFib: true,
    silences: true,
    strike: (lab, homeAgent) => lab.isolate(homeAgent, "all"),
    undo: (lab, homeAgent) => lab.rejoin(homeAgent, "all"),
    limits: (hasBfd) => ({ ...NOTHING_LOST, fibMs: silent(hasBfd) }),
  },
  partition: {
    meaning: "other home agents and it don't hear each other; routers do, and both sides serve",
    leavesFib: false,
    silences: false,
    strike: (lab, homeAgent) => lab.isolate(homeAgent, "home-agents"),
    undo: (lab, homeAgent) => lab.rejoin(homeAgent, "home-agents"),
    limits: () => NOTHING_LOST,
  },
};
