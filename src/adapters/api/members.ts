/** What the control API says about this member and its peers, and what it has this member do. */
import { z } from "zod";
import { type ApiRequest, address, count, flag, milliseconds, text, time } from "./kinds.ts";

const health = z.enum(["starting", "ready", "draining", "degraded", "down", "guarding"]);

const reloadOutcome = z.enum(["applied", "unchanged", "refused", "invalid"]);

export const reloadView = z.object({
  checked: z.boolean().describe("The file was only looked at, as `check=true` asks for."),
  outcome: reloadOutcome.describe(
    "`applied`: the file is in force. `unchanged`: it says what is in force already. `refused`: it changes something that only a restart can change. `invalid`: it can't be used. The last two leave everything as it was.",
  ),
  changes: z.array(
    z.object({
      path: text.describe("Path of the key, as in `members[ha1].weight`."),
      from: text.nullable(),
      to: text.nullable(),
      live: z.boolean().describe("The change needs no restart."),
    }),
  ),
  problems: z.array(text).describe("Errors and warnings of the file, as `anyhome config check` prints them."),
});

/** Strict, so that a misspelt `check` does not apply the file. */
const reloadQuery = z
  .strictObject({ check: flag.describe("Only report what would change.") })
  .transform(({ check }) => ({ check: check === "true" }));

export const statusView = z.object({
  node: text.describe("Id of this member."),
  cluster: text,
  version: text,
  uptimeSeconds: z.number().nonnegative(),
  bootCount: count.describe("Number of this start, larger than that of any earlier one."),
  health: health.describe("See [the ladder](routing.md#the-ladder)."),
  ready: z.boolean().describe("Whether it serves as it should: its health is `ready` or `degraded`."),
  draining: z.boolean().describe("An operator wants it to give its bindings away."),
  preference: z
    .enum(["normal", "low", "lowest"])
    .nullable()
    .describe("How much routers should prefer it; `null` if it isn't announced."),
  reasons: z.array(text).describe("Why its health isn't `ready`."),
  lastReload: z
    .object({ at: time, outcome: reloadOutcome, problem: text.nullable() })
    .nullable()
    .describe("The last reload of the configuration file; `null` if there was none since the start."),
  checks: z
    .array(
      z.object({
        name: text,
        state: z.enum(["pass", "degraded", "fail", "unknown"]),
        since: time,
        reason: text,
      }),
    )
    .describe("The member's own health checks, then the operator's."),
  virtualAddress: address,
  virtualNetwork: text,
  bindings: z
    .object({
      owned: count,
      backup: count.describe("Copies held for other members."),
      ingress: count.describe("Permanent bindings of mobiles owned elsewhere, for which this member is the ingress."),
      temporary: count,
      tombstones: count.describe("Ended bindings that are kept so that replays fail."),
    })
    .describe("How many bindings this member holds, by kind."),
  moving: z
    .object({
      running: z.boolean(),
      bindings: count.describe("How many there were at the beginning."),
      examined: count,
      moved: count,
      unclaimed: count.describe("How many were offered to members that did not take them."),
    })
    .nullable()
    .describe("Progress of the last `drain` or `rebalance`; `null` before the first."),
  registrationsPerSecond: z.number().nonnegative(),
  store: z.object({
    queuedChanges: count.describe("Changes that wait for the disk."),
    unfoldedChanges: count.describe("Changes in the log that the tables don't have yet."),
    lastCommitMs: milliseconds,
    freeBytes: z.number().nonnegative().nullable().describe("`null` where it can't be determined."),
  }),
  alarms: z
    .array(z.object({ id: text, since: time, message: text }))
    .describe("What an operator should attend to, for as long as it lasts."),
  takeovers: z
    .array(z.object({ at: time, member: text, bindings: count }))
    .describe("The last five that this member decided about, oldest first."),
});

export const peerView = z.object({
  id: text,
  address,
  port: z.int().min(1).max(65535),
  state: z
    .enum(["self", "alive", "one-way", "skewed", "suspect", "dead", "unknown"])
    .describe("See [who is dead](replication.md#who-is-dead)."),
  health: health.nullable().describe("As the peer reports it; `null` if it was never heard."),
  lastHeardMs: milliseconds.nullable().describe("How long ago; 0 for the member itself, `null` if never."),
  load: z
    .object({
      ownedBindings: count,
      registrationsPerSecond: z.number().nonnegative(),
      eventLoopDelayMs: milliseconds,
      storeQueue: count,
    })
    .nullable(),
  clockSkewMs: z.number().nullable().describe("Its clock minus ours."),
  bootCount: count.nullable(),
  members: z
    .enum(["same", "other"])
    .nullable()
    .describe(
      "Whether its configuration has the same members, weights and pools, apart from differences of a few seconds; `null` if it was never heard.",
    ),
  replication: z
    .object({
      state: z.enum(["down", "catching-up", "streaming"]),
      backlogRows: count.describe("Rows that the peer has not acknowledged or has yet to be sent."),
    })
    .nullable()
    .describe("Of the stream to it; `null` for the member itself."),
  relay: z
    .object({
      addressing: z.enum(["l3", "l2"]),
      reason: text.nullable().describe("Why it is `l3` where `l2` is wanted."),
    })
    .nullable()
    .describe("How requests and replies are relayed to it; `null` for the member itself."),
});

export const peersView = z.array(peerView);

export const countersView = z.record(z.string(), z.union([z.number(), z.record(z.string(), z.number())]));

export const readinessView = z.object({
  ready: z.boolean(),
  reasons: z.array(text).describe("What keeps it from being ready."),
});

export type StatusView = z.infer<typeof statusView>;
export type PeerView = z.infer<typeof peerView>;
export type CountersView = z.infer<typeof countersView>;
export type ReadinessView = z.infer<typeof readinessView>;
export type ReloadView = z.infer<typeof reloadView>;

export const memberRequests = {
  status: { method: "GET", path: "/v1/status", summary: "How this member is.", answer: statusView },
  peers: {
    method: "GET",
    path: "/v1/peers",
    summary: "All members as this one sees them, and how replication to each is doing.",
    answer: peersView,
  },
  counters: {
    method: "GET",
    path: "/v1/counters",
    summary: "The counters of [metrics.md](metrics.md), by name; those with a label by the label's value.",
    answer: countersView,
  },
  drain: {
    method: "POST",
    path: "/v1/drain",
    summary:
      "Gives all bindings to other members, which routers prefer from now on. Returns the status at that moment.",
    answer: statusView,
  },
  undrain: {
    method: "POST",
    path: "/v1/undrain",
    summary: "Ends a drain. Returns the status at that moment.",
    answer: statusView,
  },
  rebalance: {
    method: "POST",
    path: "/v1/rebalance",
    summary: "Gives bindings to the members that their ranking places them on. Returns the status at that moment.",
    answer: statusView,
  },
  reload: {
    method: "POST",
    path: "/v1/reload",
    summary: "Reads the configuration file again and applies it if it can be. Returns once that is done.",
    query: reloadQuery,
    answer: reloadView,
  },
  readiness: {
    method: "GET",
    path: "/readyz",
    summary: "200 if this member is ready, otherwise 503.",
    answer: readinessView,
    statusOf: ({ ready }: ReadinessView) => (ready ? 200 : 503),
  },
} as const satisfies Record<string, ApiRequest>;
