/** What the control API says about forwarding: where packets of mobiles go, and which are dropped. */
import { z } from "zod";
import { type ApiRequest, address, count, next, pageQuery, text, time } from "./kinds.ts";

export const traffic = z.object({ packets: count, octets: count });

export const forwardingView = z.object({
  homeAddress: address,
  tunnels: z
    .array(
      z.object({
        careOfAddress: address,
        encapsulation: z.enum(["ip-in-ip", "gre", "minimal"]),
        reverse: z.boolean().describe("Packets from the mobile may come back through it (RFC 3024)."),
        expiresAt: time.nullable().describe("`null` if never."),
      }),
    )
    .describe("Oldest first; several with simultaneous bindings."),
  toMobile: traffic.describe("Through this home agent, since its data plane started to work."),
  fromMobile: traffic.describe("The same in the other direction."),
});

export const forwardingOfMobileView = forwardingView.extend({
  source: z
    .enum(["owner", "backup", "lease", "nobody"])
    .describe("From where this home agent knows the tunnels: its binding, as owner or backup, or the owner's word."),
  homes: z
    .array(z.object({ member: text, alive: z.boolean() }))
    .describe("Whom packets go on to where the tunnels aren't known: the first one that is alive."),
});

export const forwardingPage = z.object({ entries: z.array(forwardingView), next });

export const forwardingCountersView = z.object({
  type: z.enum(["bpf", "user", "none"]),
  failure: text.nullable().describe("Why packets can't be forwarded; `null` while they can, and with type `none`."),
  uplinks: z.array(text).describe("The interfaces that tunnels use."),
  passedOn: z
    .object({ toMobile: count, fromMobile: count })
    .describe("Packets of mobiles unknown here that went on to another member, since it started to work."),
  drops: z
    .record(z.string(), count)
    .describe("Packets dropped since it started to work, by [reason](data-plane.md#look-at-it)."),
});

export type ForwardingView = z.infer<typeof forwardingView>;
export type ForwardingOfMobileView = z.infer<typeof forwardingOfMobileView>;
export type TrafficView = z.infer<typeof traffic>;
export type ForwardingPage = z.infer<typeof forwardingPage>;
export type ForwardingCountersView = z.infer<typeof forwardingCountersView>;

export const forwardingRequests = {
  forwarding: {
    method: "GET",
    path: "/v1/forwarding",
    summary: "A page of what is forwarded: the tunnels of each mobile, and the traffic through them.",
    query: pageQuery,
    answer: forwardingPage,
  },
  forwardingOfMobile: {
    method: "GET",
    path: "/v1/forwarding/mobiles/:mobile",
    summary: "How packets of a mobile go by this home agent, by its home address or NAI.",
    answer: forwardingOfMobileView,
  },
  forwardingCounters: {
    method: "GET",
    path: "/v1/forwarding/counters",
    summary: "The data plane: its type, whether it works, its uplinks, and the packets it dropped.",
    answer: forwardingCountersView,
  },
} as const satisfies Record<string, ApiRequest>;
