/** The section `members` of the configuration file. */
import {
  addressRange,
  autonomousSystem,
  community,
  endpoint,
  hostAddress,
  integer,
  largeCommunity,
  memberId,
  metric,
  port,
  routerId,
} from "./fields.ts";
import { list, live, nonEmptyList, section } from "./shapes.ts";

/** So that all attributes fit into one UPDATE. */
const MAXIMUM_COMMUNITIES = 32;

const neighbor = section({
  address: hostAddress().describe("Address of the router."),
  as: autonomousSystem().describe("Its autonomous system."),
  communities: list(community())
    .max(MAXIMUM_COMMUNITIES, { error: `at most ${MAXIMUM_COMMUNITIES} communities` })
    .prefault([])
    .describe("Communities (RFC 1997) of what it is told, beside those that health adds."),
  "large-communities": list(largeCommunity())
    .max(MAXIMUM_COMMUNITIES, { error: `at most ${MAXIMUM_COMMUNITIES} large communities` })
    .prefault([])
    .describe("Large communities (RFC 8092) of what it is told, beside the one that names the member."),
  med: metric()
    .optional()
    .describe("MULTI_EXIT_DISC of what it is told; the lower one is preferred. Default: none is sent."),
  "as-path-prepend": integer(0, 16)
    .default(0)
    .describe("How often our AS is prepended once more, so that this router rather takes another path."),
});

const bgp = section({
  as: autonomousSystem().describe("Autonomous system of this member; one per member tells announcers apart."),
  "router-id": routerId().describe("BGP identifier, unique in the network."),
  "local-address": hostAddress().optional().describe("Source of the BGP sessions. Default: the member's `address`."),
  neighbors: nonEmptyList(neighbor, "at least one neighbor").describe("The routers to announce to."),
}).describe("How this member announces the virtual network. Needed with advertiser type `exabgp`.");

const memberBfd = section({
  neighbors: nonEmptyList(hostAddress(), "at least one neighbor").describe(
    "Addresses of the routers, on a subnet of this member; each must be set up for BFD with this member.",
  ),
  "local-address": hostAddress().optional().describe("Source of the BFD sessions. Default: the member's `address`."),
}).describe(
  "With which routers this member speaks BFD (RFC 5881), whatever announces its routes. Needs UDP port 3784 for itself.",
);

export const member = section({
  id: memberId().describe("Name of the member, unique in the cluster."),
  address: hostAddress().describe("Its own address, on which members reach each other; not the virtual address."),
  port: port()
    .default(4340)
    .describe("Port of the cluster channel: UDP for heartbeats and relayed requests, TCP for replication."),
  weight: integer(1, 10_000)
    .default(100)
    .describe("Share of new mobiles, relative to the weights of the other members.")
    .register(live),
  backups: list(memberId())
    .prefault([])
    .describe("Members that back this one up, before all others. Without: the next in each mobile's own ranking.")
    .register(live),
  pool: list(addressRange())
    .prefault([])
    .describe("Dynamic home addresses this member hands out (RFC 2794), disjoint from every other member's.")
    .register(live),
  listen: endpoint()
    .optional()
    .describe(
      "Where it receives registrations, for trials without privileges. Default: the virtual address, port 434.",
    ),
  bgp: bgp.optional(),
  bfd: memberBfd.optional(),
});
