/**
 * The control API's answers: a contract that operators' scripts rely on (docs/api.md). The server sends nothing else, the
 * CLI checks what it receives. Keys are always present; `null` says that there is nothing to say.
 */
import { z } from "zod";

const address = z.ipv4();
const time = z.iso.datetime();
const count = z.int().nonnegative();

const health = z.enum(["starting", "ready", "draining", "degraded", "down", "guarding"]);
export const role = z.enum(["owner", "ingress", "backup"]);
export const bindingState = z.enum(["temporary", "permanent"]);

const careOf = z.object({
  careOfAddress: address,
  /** `ADDRESS:PORT` the request came from. */
  foreignAgent: z.string(),
  /** Seconds granted; 65535 is infinite. */
  lifetime: count,
  /** `null` if infinite. */
  expiresAt: time.nullable(),
  /** Letters of the flags the mobile set, RFC 5944 3.3. */
  flags: z.array(z.enum(["S", "B", "D", "M", "G", "T"])),
});

export const bindingView = z.object({
  /** Key of the binding: `nai:USER@REALM` or `ip:HOME-ADDRESS`. */
  mobile: z.string(),
  /** 0.0.0.0 as long as none is assigned, in a temporary binding. */
  homeAddress: address,
  nai: z.string().nullable(),
  /** The one registered last. */
  careOfAddress: address.nullable(),
  /** All of them, oldest first; empty where only the owner knows them. */
  careOfAddresses: z.array(careOf),
  /** `ADDRESS:PORT` that the last accepted request (of a temporary binding: the pending one) came from. */
  foreignAgent: z.string(),
  owner: z.string(),
  ownerAddress: address,
  /** What this home agent is to the mobile. */
  roles: z.array(role),
  state: bindingState,
  /** Seconds granted, 65535 is infinite; `null` while temporary. */
  lifetime: count.nullable(),
  /** When the binding, or the temporary binding, ends; `null` if never. */
  expiresAt: time.nullable(),
  /** 64 bits as `0x` and 16 hexadecimal digits. */
  identification: z.string().regex(/^0x[0-9a-f]{16}$/),
  /** Of the ownership; `null` where it isn't known. */
  generation: count.nullable(),
});

export const bindingPage = z.object({
  bindings: z.array(bindingView),
  /** To be given as `after` for the next page; `null` on the last one. A page may be short, even empty, before that. */
  next: z.string().nullable(),
});

/** What became of a configuration file that was read anew. */
const reloadOutcome = z.enum([
  /** In force. */
  "applied",
  /** It says what is in force already. */
  "unchanged",
  /** It changes what only a restart can change: nothing was taken over. */
  "refused",
  /** It can't be used: nothing was taken over. */
  "invalid",
]);

export const reloadView = z.object({
  /** With `check=true`: what would become of it; nothing was taken over. */
  checked: z.boolean(),
  outcome: reloadOutcome,
  changes: z.array(
    z.object({
      /** Of the key, as in `members[ha1].weight`. */
      path: z.string(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      /** It can be taken over without a restart. */
      live: z.boolean(),
    }),
  ),
  /** Errors and warnings of the file, as `anyhome config check` prints them. */
  problems: z.array(z.string()),
});

/** Whose binding, or replay state, is gone. */
export const deletionView = bindingView.pick({ mobile: true, homeAddress: true, nai: true, owner: true });

/** Strict: with `chek=true` somebody wants to look only. */
export const deletionQuery = z.strictObject({ "forget-replay": z.enum(["true", "false"]).default("false") });

export const reloadQuery = z.strictObject({ check: z.enum(["true", "false"]).default("false") });

export const statusView = z.object({
  node: z.string(),
  cluster: z.string(),
  version: z.string(),
  uptimeSeconds: z.number().nonnegative(),
  bootCount: count,
  health,
  ready: z.boolean(),
  /** An operator wants it to give its bindings away. */
  draining: z.boolean(),
  /** How much routers shall prefer it; `null`: it isn't announced. */
  preference: z.enum(["normal", "low", "lowest"]).nullable(),
  /** Why its health isn't `ready`. */
  reasons: z.array(z.string()),
  /** The last time that the configuration file was read anew; `null` if that was at the start. */
  lastReload: z.object({ at: time, outcome: reloadOutcome, problem: z.string().nullable() }).nullable(),
  /** Of the member itself, then the operator's. */
  checks: z.array(
    z.object({
      name: z.string(),
      state: z.enum(["pass", "degraded", "fail", "unknown"]),
      since: time,
      reason: z.string(),
    }),
  ),
  virtualAddress: address,
  virtualNetwork: z.string(),
  bindings: z.object({ owned: count, backup: count, ingress: count, temporary: count, tombstones: count }),
  /** Of the last `drain` or `rebalance`: how many of the bindings there were have been looked at, given away, not taken. */
  moving: z
    .object({ running: z.boolean(), bindings: count, examined: count, moved: count, unclaimed: count })
    .nullable(),
  registrationsPerSecond: z.number().nonnegative(),
  store: z.object({
    queuedChanges: count,
    unfoldedChanges: count,
    lastCommitMs: z.number().nonnegative(),
    /** `null` where it can't be told. */
    freeBytes: z.number().nonnegative().nullable(),
  }),
  alarms: z.array(z.object({ id: z.string(), since: time, message: z.string() })),
  /** The last ones that this member has decided about, oldest first. */
  takeovers: z.array(z.object({ at: time, member: z.string(), bindings: count })),
});

export const peerView = z.object({
  id: z.string(),
  address,
  port: z.int().min(1).max(65535),
  state: z.enum(["self", "alive", "one-way", "skewed", "suspect", "dead", "unknown"]),
  /** As the peer says; `null` if it was never heard. */
  health: health.nullable(),
  /** How long ago; `null` if never. 0 for oneself. */
  lastHeardMs: z.number().nonnegative().nullable(),
  load: z
    .object({
      ownedBindings: count,
      registrationsPerSecond: z.number().nonnegative(),
      eventLoopDelayMs: z.number().nonnegative(),
      storeQueue: count,
    })
    .nullable(),
  /** Its clock minus ours. */
  clockSkewMs: z.number().nullable(),
  bootCount: count.nullable(),
  /** Whether it has the same members, weights and pools in its configuration, but for a few seconds; `null` if it was never heard. */
  members: z.enum(["same", "other"]).nullable(),
  /** Of the stream to it; `null` for oneself. */
  replication: z.object({ state: z.enum(["down", "catching-up", "streaming"]), backlogRows: count }).nullable(),
  /** How requests and replies are relayed to it, and why by IP address where MAC addresses are wanted; `null` for oneself. */
  relay: z.object({ addressing: z.enum(["l3", "l2"]), reason: z.string().nullable() }).nullable(),
});

const advertisement = z.object({
  prefix: z.string(),
  /** `HIGH:LOW` each. */
  communities: z.array(z.string()),
  med: z.number().nullable(),
  asPathPrepend: count,
});

const bfdNeighbor = z.object({
  address,
  state: z.enum(["admin-down", "down", "init", "up"]),
  since: time,
  /** Why it isn't up. */
  reason: z.string().nullable(),
  /** The router's silence for so long ends the session; `null` while it is silent. */
  detectionTimeMs: z.number().nonnegative().nullable(),
  /** As agreed with the router, before jitter. */
  transmitIntervalMs: z.number().nonnegative(),
});

export const routesView = z.object({
  type: z.enum(["exabgp", "ospf", "none"]),
  speaker: z.enum(["stopped", "starting", "running", "failed"]),
  pid: z.int().nullable(),
  restarts: count,
  lastError: z.string().nullable(),
  /** What routers should learn from this home agent. */
  desired: z.array(advertisement),
  /** What the speaker has confirmed. */
  applied: z.array(advertisement),
  neighbors: z.array(
    z.object({
      address: z.string(),
      state: z.enum(["down", "connected", "up"]),
      since: time,
      reason: z.string().nullable(),
      /** Whether it tells all announcements it has; `false` too while it may still be about to. */
      complete: z.boolean(),
      /** What it has from us, as it tells back: by prefix; `null` where that can't be known. */
      accepted: z.record(z.string(), z.boolean().nullable()),
    }),
  ),
  /** What the routers say of the prefixes that the cluster announces. */
  view: z.array(
    z.object({
      prefix: z.string(),
      /** The members that announce it; `null` where that can't be known. */
      announcers: z.array(z.string()).nullable(),
      paths: z.array(
        z.object({
          /** The router that tells. */
          neighbor: z.string(),
          pathId: z.string().nullable(),
          /** The member that announces it; `null`: nobody of the cluster. */
          announcer: z.string().nullable(),
          nextHop: z.string(),
          asPath: z.array(count),
          med: count.nullable(),
          communities: z.array(z.string()),
          largeCommunities: z.array(z.string()),
        }),
      ),
    }),
  ),
  /** BFD sessions with routers; empty where this home agent speaks none. */
  bfd: z.array(bfdNeighbor),
});

/** By name; those with a label by the label's value: `{ "dropped": { "truncated-message": 3 } }`. */
export const countersView = z.record(z.string(), z.union([z.number(), z.record(z.string(), z.number())]));

export const peersView = z.array(peerView);

export const readinessView = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

export const errorView = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const traffic = z.object({ packets: count, octets: count });

export const forwardingView = z.object({
  homeAddress: address,
  /** Oldest first; several with simultaneous bindings. */
  tunnels: z.array(
    z.object({
      careOfAddress: address,
      encapsulation: z.enum(["ip-in-ip", "gre", "minimal"]),
      /** What the mobile sends may come back through it (RFC 3024). */
      reverse: z.boolean(),
      /** `null` if never. */
      expiresAt: time.nullable(),
    }),
  ),
  /** Through this home agent, since its data plane works. */
  toMobile: traffic,
  fromMobile: traffic,
});

export const forwardingPage = z.object({
  entries: z.array(forwardingView),
  /** As of `bindingPage`. */
  next: z.string().nullable(),
});

export const forwardingCountersView = z.object({
  type: z.enum(["bpf", "none"]),
  /** Why packets can't be forwarded; `null` while they can, and with type `none`. */
  failure: z.string().nullable(),
  /** The interfaces by which tunnels come and go. */
  uplinks: z.array(z.string()),
  /** Packets dropped since it works, by reason. */
  drops: z.record(z.string(), count),
});

const PAGE_LIMIT = 1000;

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, `a whole number from 1 to ${PAGE_LIMIT}`)
    .transform(Number)
    .pipe(z.int().max(PAGE_LIMIT))
    .default(100),
  /** `next` of the page before. */
  after: z.string().min(1).max(1024).optional(),
});

export const bindingQuery = pageQuery.extend({
  /** Home address or NAI. */
  mobile: z.string().min(1).max(255).optional(),
  owner: z.string().min(1).max(255).optional(),
  role: role.optional(),
  state: bindingState.optional(),
});

export type BindingView = z.infer<typeof bindingView>;
export type DeletionView = z.infer<typeof deletionView>;
export type BindingPage = z.infer<typeof bindingPage>;
export type StatusView = z.infer<typeof statusView>;
export type PeerView = z.infer<typeof peerView>;
export type RoutesView = z.infer<typeof routesView>;
export type CountersView = z.infer<typeof countersView>;
export type ReadinessView = z.infer<typeof readinessView>;
export type ForwardingView = z.infer<typeof forwardingView>;
export type ForwardingPage = z.infer<typeof forwardingPage>;
export type ForwardingCountersView = z.infer<typeof forwardingCountersView>;
export type ReloadView = z.infer<typeof reloadView>;
