/** What the control API says about routing: announcements, routers, and who else announces. */
import { z } from "zod";
import { type ApiRequest, address, count, milliseconds, text, time } from "./kinds.ts";

const advertisement = z.object({
  prefix: text,
  communities: z.array(text).describe("`HIGH:LOW` each."),
  med: z.number().nullable(),
  asPathPrepend: count,
});

const bfdNeighbor = z.object({
  address,
  state: z.enum(["admin-down", "down", "init", "up"]),
  since: time,
  reason: text.nullable().describe("Why it isn't up."),
  detectionTimeMs: milliseconds
    .nullable()
    .describe("How long a silence of the router ends the session; `null` while it is silent."),
  transmitIntervalMs: milliseconds.describe("As agreed with the router, before jitter."),
});

export const routesView = z.object({
  type: z.enum(["exabgp", "ospf", "none"]),
  speaker: z.enum(["stopped", "starting", "running", "failed"]),
  pid: z.int().nullable(),
  restarts: count,
  lastError: text.nullable(),
  desired: z.array(advertisement).describe("What routers should learn from this home agent."),
  applied: z.array(advertisement).describe("What the speaker has confirmed."),
  neighbors: z.array(
    z.object({
      address: text,
      state: z.enum(["down", "connected", "up"]),
      since: time,
      reason: text.nullable(),
      complete: z
        .boolean()
        .describe(
          "Whether it has reported all the announcements it has; `false` as well while it may still be about to.",
        ),
      accepted: z
        .record(z.string(), z.boolean().nullable())
        .describe("By prefix, whether it has our announcement; `null` where that can't be known."),
    }),
  ),
  view: z
    .array(
      z.object({
        prefix: text,
        announcers: z
          .array(text)
          .nullable()
          .describe("The members that announce it; `null` where that can't be known, which differs from `[]`."),
        paths: z.array(
          z.object({
            neighbor: text.describe("The router that reports the path."),
            pathId: text.nullable(),
            announcer: text.nullable().describe("The member that announces it; `null` if it is none of the cluster."),
            nextHop: text,
            asPath: z.array(count),
            med: count.nullable(),
            communities: z.array(text),
            largeCommunities: z.array(text),
          }),
        ),
      }),
    )
    .describe("What the routers say about the prefixes that the cluster announces."),
  bfd: z.array(bfdNeighbor).describe("BFD sessions with routers; empty where this home agent speaks none."),
});

export type RoutesView = z.infer<typeof routesView>;

export const routeRequests = {
  routes: {
    method: "GET",
    path: "/v1/routes",
    summary:
      "What is announced, to which routers, and what these say; see [the routing view](advertiser.md#the-routing-view).",
    answer: routesView,
  },
} as const satisfies Record<string, ApiRequest>;
