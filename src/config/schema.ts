/**
 * What may stand in the configuration file: the single source for checking it, for the JSON Schema that editors use
 * (`anyhome config schema`), and for the reference in docs/config.md.
 */
import { z } from "zod";
import * as field from "./fields.ts";
import { health } from "./health-schema.ts";
import { list, NAME, section } from "./shapes.ts";

const memberId = () => field.text("a member id such as ha1", 64, NAME);

/** So that all attributes fit into one UPDATE. */
const MAXIMUM_COMMUNITIES = 32;

const neighbor = section({
  address: field.hostAddress().describe("Address of the router."),
  as: field.autonomousSystem().describe("Its autonomous system."),
  communities: list(field.community())
    .max(MAXIMUM_COMMUNITIES, { error: `at most ${MAXIMUM_COMMUNITIES} communities` })
    .prefault([])
    .describe("Communities (RFC 1997) of what it is told, beside those that health adds."),
  "large-communities": list(field.largeCommunity())
    .max(MAXIMUM_COMMUNITIES, { error: `at most ${MAXIMUM_COMMUNITIES} large communities` })
    .prefault([])
    .describe("Large communities (RFC 8092) of what it is told, beside the one that names the member."),
  med: field
    .integer(0, 4_294_967_295)
    .optional()
    .describe("MULTI_EXIT_DISC of what it is told; the lower one is preferred. Default: none is sent."),
  "as-path-prepend": field
    .integer(0, 16)
    .default(0)
    .describe("How often our AS is prepended once more, so that this router rather takes another path."),
});

const bgp = section({
  as: field.autonomousSystem().describe("Autonomous system of this member; one per member tells announcers apart."),
  "router-id": field.routerId().describe("BGP identifier, unique in the network."),
  "local-address": field
    .hostAddress()
    .optional()
    .describe("Source of the BGP sessions. Default: the member's `address`."),
  neighbors: list(neighbor).min(1, { error: "at least one neighbor" }).describe("The routers to announce to."),
}).describe("How this member announces the virtual network. Needed with advertiser type `exabgp`.");

const memberBfd = section({
  neighbors: list(field.hostAddress())
    .min(1, { error: "at least one neighbor" })
    .describe("Addresses of the routers, on a subnet of this member; each must be set up for BFD with this member."),
  "local-address": field
    .hostAddress()
    .optional()
    .describe("Source of the BFD sessions. Default: the member's `address`."),
}).describe(
  "With which routers this member speaks BFD (RFC 5881), whatever announces its routes. Needs UDP port 3784 for itself.",
);

const member = section({
  id: memberId().describe("Name of the member, unique in the cluster."),
  address: field.hostAddress().describe("Its own address, on which members reach each other; not the virtual address."),
  port: field
    .port()
    .default(4340)
    .describe("Port of the cluster channel: UDP for heartbeats and relayed requests, TCP for replication."),
  weight: field
    .integer(1, 10_000)
    .default(100)
    .describe("Share of new mobiles, relative to the weights of the other members."),
  backups: list(memberId())
    .prefault([])
    .describe("Members that back this one up, before all others. Without: the next in each mobile's own ranking."),
  pool: list(field.addressRange())
    .prefault([])
    .describe("Dynamic home addresses this member hands out (RFC 2794), disjoint from every other member's."),
  listen: field
    .endpoint()
    .optional()
    .describe(
      "Where it receives registrations, for trials without privileges. Default: the virtual address, port 434.",
    ),
  bgp: bgp.optional(),
  bfd: memberBfd.optional(),
});

const keySources = {
  key: field
    .text("text", 1024, /./s)
    .optional()
    .describe("The key as text; its UTF-8 bytes are the key. One of `key`, `key-hex`, `key-file`."),
  "key-hex": field
    .text("pairs of hexadecimal digits", 2048, /^([0-9A-Fa-f]{2})+$/)
    .optional()
    .describe("The key in hexadecimal."),
  "key-file": field
    .path()
    .optional()
    .describe(
      "File that holds the key: its text, without a final line end, or in hexadecimal after `hex:`. Relative to the file that names it.",
    ),
};

const association = {
  spi: field.integer(256, 4_294_967_295).describe("Security Parameter Index; 0 to 255 are reserved (RFC 5944 3.5.2)."),
  algorithm: z
    .enum(["hmac-md5", "keyed-md5"])
    .default("hmac-md5")
    .describe("HMAC-MD5 (RFC 5944 3.5.1), or the prefix+suffix MD5 of RFC 2002 for old mobiles."),
  ...keySources,
};

const mobileAssociation = section({
  nai: field
    .nai()
    .optional()
    .describe(
      "The mobile with this NAI. One of `nai`, `home-address`, `range`, `realm`; the most specific match wins.",
    ),
  "home-address": field.hostAddress().optional().describe("The mobile with this home address."),
  range: field.addressRange().optional().describe("All mobiles with home addresses in this range."),
  realm: field.realm().optional().describe("All mobiles whose NAI has this realm."),
  ...association,
  replay: z.enum(["timestamps", "nonces"]).default("timestamps").describe("Style of replay protection (RFC 5944 5.7)."),
  window: field
    .duration({ from: "1s", to: "1h", example: "7s" })
    .optional()
    .describe("Tolerated clock difference, with timestamps only. Default: 7s."),
});

const foreignAgentAssociation = section({
  network: field
    .sourceNetwork()
    .optional()
    .describe("Foreign agents with addresses in this network. One of `network`, `address`."),
  address: field.hostAddress().optional().describe("The foreign agent with this address."),
  ...association,
});

/** Of the main file, and of the file that `security-associations-file` names. */
export const securityAssociations = section({
  mobiles: list(mobileAssociation).prefault([]).describe("Associations with mobile nodes."),
  "foreign-agents": list(foreignAgentAssociation).prefault([]).describe("Associations with foreign agents."),
});

const timers = section({
  "heartbeat-interval": field
    .duration({ from: "10ms", to: "1m", example: "200ms" })
    .prefault("200ms")
    .describe("How often every member tells the others its health and load."),
  "peer-timeout": field
    .duration({ from: "20ms", to: "10m", example: "800ms" })
    .prefault("800ms")
    .describe("A member not heard for this long counts as dead. More than two heartbeat intervals."),
  "maximum-clock-skew": field
    .duration({ from: "1s", to: "1h", example: "30s" })
    .prefault("30s")
    .describe("A member whose clock differs by more is left out: not relayed to, no backup, no new mobiles."),
  "relay-timeout": field
    .duration({ from: "100ms", to: "1m", example: "2s" })
    .prefault("2s")
    .describe("How long the ingress home agent waits for the owner's reply."),
});

const relayAddressing = () => z.enum(["l3", "l2"]);

const relayPair = section({
  members: list(memberId()).length(2, { error: "two members" }).describe("The pair, in either order."),
  addressing: relayAddressing().describe("How these two relay to each other."),
});

const relay = section({
  addressing: relayAddressing()
    .default("l3")
    .describe(
      "How members relay to each other: `l3` to the other's own address; `l2` on one link, to its MAC address and the virtual IP address, and as `l3` where that can't be.",
    ),
  pairs: list(relayPair).prefault([]).describe("Pairs of members with an addressing of their own."),
  "hop-limit": field.integer(1, 255).default(3).describe("A request is relayed at most this often."),
  "maximum-pending": field
    .integer(1, 1_000_000)
    .default(16_384)
    .describe("Temporary bindings at most; further requests that need relaying are dropped and counted."),
});

const placement = section({
  "load-factor": field
    .number(1, 100)
    .default(1.25)
    .describe("A member takes new mobiles up to this multiple of its fair share of all bindings."),
});

const replication = section({
  copies: field
    .integer(0, 16)
    .default(2)
    .describe("Backups that hold a copy of each binding, where there are as many other members."),
  acks: field
    .integer(0, 16)
    .default(1)
    .describe("Backups that must have a registration on their disks before it is answered."),
  degraded: z
    .enum(["serve", "refuse"])
    .default("serve")
    .describe("With fewer backups in reach than `acks`: serve with short lifetimes, or refuse with code 130."),
  "degraded-lifetime": field
    .duration({ from: "1s", to: "65534s", example: "300s", wholeSeconds: true })
    .prefault("300s")
    .describe("Longest lifetime granted while degraded, so that little is at stake."),
  "digest-interval": field
    .duration({ from: "1s", to: "1h", example: "10s" })
    .prefault("10s")
    .describe("How often owners and backups compare what they hold."),
});

const registration = section({
  "maximum-lifetime": field
    .durationOrInfinite({ from: "1s", to: "65534s", example: "30m", wholeSeconds: true })
    .prefault("30m")
    .describe("Longest lifetime granted."),
  "maximum-simultaneous-bindings": field
    .integer(1, 64)
    .default(4)
    .describe("Care-of addresses per mobile. With 1, S is answered with code 1; more than allowed with 135."),
  encapsulation: list(z.enum(["ip-in-ip", "minimal", "gre"]))
    .prefault(["ip-in-ip", "minimal", "gre"])
    .describe("Encapsulations granted; a request for another one is answered 139. IP-in-IP is always among them."),
  "reverse-tunneling": z
    .enum(["refused", "allowed", "required"])
    .default("allowed")
    .describe("`refused` answers T with 137, `required` its absence with 138 (RFC 3024)."),
  "home-networks": list(field.hostNetwork())
    .optional()
    .describe("Networks whose addresses may be home addresses; others are answered 129. Default: the virtual network."),
  "prohibited-care-of-networks": list(field.sourceNetwork())
    .prefault([])
    .describe("Care-of addresses and foreign agents in these networks are answered 129."),
  "authentication-failure-replies-per-second": field
    .integer(0, 100_000)
    .default(100)
    .describe("Rate at which wrong authenticators are answered 131; beyond it they are dropped and counted."),
  "pool-stickiness": field
    .duration({ from: "0s", to: "365d", example: "24h" })
    .prefault("24h")
    .describe("How long a dynamic home address stays reserved for its NAI after it was released."),
  "maximum-mobiles-per-association": field
    .integer(1, 100_000_000)
    .default(1_000_000)
    .describe(
      "Mobiles that have authenticated by one security association, such as that of a realm, and that this member owns rows of, also shortly after they have deregistered; a new one beyond is answered 130.",
    ),
});

const advertiser = z.discriminatedUnion(
  "type",
  [
    section({ type: z.literal("none").describe("Announce nothing; something else routes to this home agent.") }),
    section({
      type: z.literal("exabgp").describe("Announce by BGP, with an ExaBGP that the daemon starts and watches."),
      mode: z
        .enum(["managed", "sidecar"])
        .default("managed")
        .describe(
          "`managed`: the daemon starts ExaBGP. `sidecar`: something else does, in the same network namespace, by `exabgp/sidecar.sh`.",
        ),
      "runtime-directory": field
        .path()
        .optional()
        .describe(
          "What daemon and ExaBGP share: socket and configuration. `{node}` stands for the member's id. Default: `exabgp-{node}` beside the control socket.",
        ),
      group: field
        .text("the name or number of a group", 32, /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/)
        .optional()
        .describe("Who runs the sidecar's ExaBGP is in this group, and may join. Default: the daemon's own."),
      "hold-time": field
        .duration({ from: "3s", to: "65535s", also: "0s", example: "9s", wholeSeconds: true })
        .prefault("9s")
        .describe("BGP hold time; 0s switches keepalives off, so that only BFD notices when a host vanishes."),
      "heartbeat-timeout": field
        .duration({ from: "100ms", to: "1m", example: "1s" })
        .prefault("1s")
        .describe("A daemon that shows no sign of life for this long has its routes withdrawn."),
    }),
    section({
      type: z
        .literal("ospf")
        .describe("Announce by OSPF, with an FRR that runs beside the daemon, in the same network namespace."),
      interface: field
        .text(
          "the name of an interface, of 8 letters, digits, dots and underscores at most",
          8,
          /^(?!lo$)[A-Za-z0-9_][A-Za-z0-9._]*$/,
        )
        .default("anyhome")
        .describe(
          "The daemon makes three interfaces, this one and those with `-low` and `-lowest` behind it, on which ospfd shall run at a rising cost.",
        ),
      "vty-directory": field
        .path()
        .default("/var/run/frr")
        .describe("Where the vty sockets of FRR are. `{node}` stands for the member's id."),
      lease: field
        .duration({ from: "1s", to: "1m", example: "1s", wholeSeconds: true })
        .prefault("1s")
        .describe("A daemon that shows no sign of life for this long has its routes withdrawn."),
    }),
  ],
  { error: "a section with a type: none, exabgp or ospf" },
);

const bfd = section({
  "transmit-interval": field
    .duration({ from: "10ms", to: "1m", example: "300ms" })
    .prefault("300ms")
    .describe("How often packets are sent while a session is up; the slower side decides."),
  "receive-interval": field
    .duration({ from: "10ms", to: "1m", example: "300ms" })
    .prefault("300ms")
    .describe("How often packets can be taken from a router."),
  "detect-multiplier": field
    .integer(1, 255)
    .default(3)
    .describe("A router counts a session as down after so many intervals of silence."),
  "heartbeat-timeout": field
    .duration({ from: "80ms", to: "1m", example: "800ms" })
    .prefault("800ms")
    .describe("A daemon whose main loop stands still for this long ends its sessions."),
});

const forwardingDataPlane = {
  device: field
    .text("the name of an interface, of 15 letters, digits, dots and underscores at most", 15, /^[A-Za-z0-9._]+$/)
    .default("anyhome0")
    .describe("The interface that the daemon makes, and routes the virtual network to."),
  uplinks: z
    .union([
      z.literal("auto"),
      list(field.text("the name of an interface", 15, /^[^\s/]+$/)).min(1, { error: "at least one interface" }),
    ])
    .default("auto")
    .describe(
      "The Ethernet interfaces by which tunnels come and go, as a list. `auto`: all that have an IPv4 address.",
    ),
};

const dataPlane = z.discriminatedUnion(
  "type",
  [
    section({
      type: z.literal("none").describe("This home agent forwards no packets of mobiles; something else has to."),
    }),
    section({
      type: z
        .literal("bpf")
        .describe("Programs in the Linux kernel do. Needs Linux 5.10 or newer, CAP_NET_ADMIN and CAP_BPF."),
      ...forwardingDataPlane,
    }),
    section({
      type: z
        .literal("user")
        .describe("A thread of the daemon does, where no programs can be loaded. Needs CAP_NET_ADMIN and CAP_NET_RAW."),
      ...forwardingDataPlane,
    }),
  ],
  { error: "a section with a type: none, bpf or user" },
);

const log = section({
  level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level of the lines logged."),
});

export const configFile = section({
  cluster: field
    .text("a cluster name such as lab", 64, NAME)
    .describe("Name of the cluster. Members of different clusters do not understand each other."),
  "secret-file": field
    .path()
    .describe(
      "File with the secret that members authenticate each other with: at least 32 bytes, equal on all members. Relative to this file, as all paths.",
    ),
  node: memberId()
    .optional()
    .describe("Which member this host is. The option `--node` and the variable ANYHOME_NODE come first."),
  "virtual-network": field.hostNetwork().describe("What every ready home agent announces."),
  "virtual-address": field.hostAddress().describe("The home agent address that mobiles know; in the virtual network."),
  announce: list(field.announced())
    .min(1, { error: "at least one of network, address, or a prefix" })
    .prefault(["network"])
    .describe(
      "What is announced: the virtual network as a whole, the virtual address as a /32, and other prefixes that lead here.",
    ),
  "manage-address": field
    .flag()
    .default(true)
    .describe("The daemon adds the virtual address to the loopback interface; with `false` the operator does."),
  "data-directory": field
    .path()
    .default("/var/lib/anyhome")
    .describe("Where bindings are kept. `{node}` stands for the member's id, here and in `control-socket`."),
  "control-socket": field
    .path()
    .default("/run/anyhome/control.sock")
    .describe("Unix socket of the control API, which `anyhome status` and others use."),
  members: list(member).min(1, { error: "at least one member" }).describe("All members of the cluster."),
  timers: timers.prefault({}).describe("Intervals and timeouts."),
  relay: relay.prefault({}).describe("How requests are relayed between members."),
  placement: placement.prefault({}).describe("How new mobiles spread over the members."),
  replication: replication.prefault({}).describe("Copies of bindings; equal on all members."),
  registration: registration.prefault({}).describe("What registrations are granted; equal on all members."),
  "security-associations": securityAssociations.prefault({}).describe("Who may register, and how that is proved."),
  "security-associations-file": field
    .path()
    .optional()
    .describe(
      "Another file with `mobiles` and `foreign-agents` in addition. JSON loads fastest, for 100,000 and more.",
    ),
  advertiser: advertiser.prefault({ type: "none" }).describe("How the virtual network is announced."),
  "data-plane": dataPlane.prefault({ type: "none" }).describe("What forwards the packets of mobiles."),
  bfd: bfd.prefault({}).describe("Timers of BFD, for the members that have `bfd`."),
  health: health.prefault({}).describe("When this home agent is announced, and how."),
  log: log.prefault({}).describe("What is logged, on stdout as JSON lines."),
}).meta({
  title: "Anyhome configuration",
  description: "One file that can serve all members of a cluster.",
});

export type ConfigFile = z.output<typeof configFile>;
export type SecurityAssociationsFile = z.output<typeof securityAssociations>;

/** JSON Schema (draft 2020-12) of the file as it is written, before anything is parsed. */
export function configJsonSchema() {
  return z.toJSONSchema(configFile, { io: "input" });
}
