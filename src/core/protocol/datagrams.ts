/**
 * The tables of what members say to each other over UDP, as bodies of cluster frames (core/protocol/frame.ts). What a
 * receiver makes of them is in docs/protocol.md, their bytes in docs/messages.md.
 */
import {
  bytes,
  choice,
  endpoint,
  flag,
  gauge16,
  gauge32,
  list,
  member,
  mobile,
  optional,
  time,
  u8,
  u32,
  u64,
} from "../layout/kinds.ts";
import { type MessageOf, MessageSet, type RecordOf, record } from "../layout/record.ts";
import { tunnels } from "./tunnels.ts";

/** Where a member stands. `guarding`: as unfit as `down`, but still announced, as the last one. */
export const HEALTH_STATES = ["starting", "ready", "draining", "degraded", "down", "guarding"] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/** It serves well enough for others to leave routing to it. */
export function isFit(health: HealthState): boolean {
  return health === "ready" || health === "degraded" || health === "draining";
}

const LOAD = {
  ownedBindings: [gauge32, "Bindings that the sender owns."],
  registrationsPerSecond: [gauge32, "The mean of the last five whole seconds."],
  storeQueue: [gauge32, "Row changes that are not on disk yet."],
  eventLoopDelayMs: [gauge16, "The longest since health was last assessed."],
} as const;

/** What a member tells the others about its load. */
export type Load = RecordOf<typeof LOAD>;

export const DATAGRAMS = new MessageSet({
  heartbeat: {
    number: 1,
    says: "This is how I am, and whom I hear.",
    fields: {
      sentAtMs: [u64, "The time that the sender goes by."],
      systemTimeMs: [u64, "What the clock of its system says, which is another one while a step is held back."],
      load: [record(LOAD), "What it has to do."],
      health: [choice(...HEALTH_STATES), "Where it stands."],
      isTimeCertain: [flag, "Others have confirmed the sender's time."],
      announced: [flag, "Routers have the sender's announcement, as far as it knows."],
      takesLinkRelay: [flag, "It takes relay frames to its MAC address and the virtual IP address."],
      canStore: [flag, "Its disk takes what is written. Alive is not able: without a disk it can promise nothing."],
      silent: [
        list(u8, member),
        "The members that it does not hear: one is dead only when every living member says so.",
      ],
      unfitCount: [u32, "How often the sender has become unfit since its start."],
      heardUnfitCount: [
        u32,
        "The receiver's unfit count as the sender knows it: a receiver that has become unfit learns who knows.",
      ],
      membersDigest: [u32, "Of the members in the sender's configuration, with their weights and pools."],
    },
  },
  "relay-request": {
    number: 2,
    says: "Serve this request, or pass it on.",
    fields: {
      requestId: [u64, "Chosen by the ingress, which finds its temporary binding by it: the reply gives it back."],
      minimumGeneration: [u32, "A binding that is made for this request must have at least this ownership generation."],
      source: [
        endpoint,
        "Where the request came from: the foreign agent, or the mobile itself. FA-HA associations go by it.",
      ],
      destination: [endpoint, "Where it was sent to: the virtual home agent address, port 434."],
      hopLimit: [u8, "How many times it may still be relayed, this one included."],
      ingress: [member, "The member that routing delivered the request to, and that the reply goes to."],
      request: [bytes, "The untouched Registration Request."],
    },
  },
  "relay-reply": {
    number: 3,
    says: "This is the answer to that request.",
    fields: {
      requestId: [u64, "As in the request."],
      generation: [u32, "The ownership generation of the mobile's binding at the owner; 0 where it has none."],
      knownUntilMs: [
        time,
        "How long the owner keeps the mobile's row, even as a tombstone: so long the ingress remembers the owner.",
      ],
      boundUntilMs: [
        time,
        "When the binding that this request has made, by the foreign agent that it came from, ends; 0 if there is none.",
      ],
      homeAddressSinceMs: [
        time,
        "Since when the mobile has had its home address without a break; for ever: it is gone.",
      ],
      destination: [
        endpoint,
        "The virtual home agent address: the reply comes back addressed to it, as the request was.",
      ],
      backups: [list(u8, member), "Who holds copies of the binding, and decides about it if the owner dies."],
      mobile: [
        optional(mobile),
        "The key of the mobile's row, which a request without its NAI doesn't tell; none where it has no row.",
      ],
      lease: [
        optional(
          record({
            number: [u64, "As of a `lease` on a stream."],
            tunnels: [tunnels, "Oldest first."],
          }),
        ),
        "How packets reach the mobile, where the ingress has no row of it: it forwards before the reply leaves.",
      ],
      reply: [bytes, "The Registration Reply, signed by the owner. Empty: the owner gives no answer."],
    },
  },
});

type Datagrams = typeof DATAGRAMS.tables;
export type Message = MessageOf<Datagrams>;
export type Heartbeat = MessageOf<Datagrams, "heartbeat">;
export type RelayRequest = MessageOf<Datagrams, "relay-request">;
export type RelayReply = MessageOf<Datagrams, "relay-reply">;

/** Of a request that was discarded silently, and whose mobile has no row. */
export const DISCARDED: Omit<RelayReply, "requestId" | "destination"> = {
  type: "relay-reply",
  generation: 0,
  backups: [],
  knownUntilMs: 0,
  boundUntilMs: 0,
  mobile: undefined,
  homeAddressSinceMs: Number.POSITIVE_INFINITY,
  lease: undefined,
  reply: new Uint8Array(),
};
