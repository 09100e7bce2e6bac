/**
 * The table of settings: a row for each key, with its kind, its default, its meaning, and whether a reload may change it.
 * Everything else follows from the table: what the file may contain, the name of each setting in the program (`names.ts`),
 * `anyhome config show`, the JSON Schema for editors (`anyhome config schema`), and the list of keys in docs/config.md.
 */
import { z } from "zod";
import { advertiser, bfd } from "./advertiser-schema.ts";
import { securityAssociations } from "./associations-schema.ts";
import {
  announced,
  duration,
  flag,
  hostAddress,
  hostNetwork,
  integer,
  lifetime,
  memberId,
  name,
  number,
  path,
  sourceNetwork,
  text,
  wholeSeconds,
} from "./fields.ts";
import { health } from "./health-schema.ts";
import { member } from "./members-schema.ts";
import { list, live, nonEmptyList, section } from "./shapes.ts";

const timers = section({
  "heartbeat-interval": duration("200ms", { from: "10ms", to: "1m" })
    .describe("How often every member tells the others its health and load.")
    .register(live),
  "peer-timeout": duration("800ms", { from: "20ms", to: "10m" })
    .describe("A member not heard for this long counts as dead. More than two heartbeat intervals.")
    .register(live),
  "maximum-clock-skew": duration("30s", { from: "1s", to: "1h" })
    .describe("A member whose clock differs by more is left out: not relayed to, no backup, no new mobiles.")
    .register(live),
  "relay-timeout": duration("2s", { from: "100ms", to: "1m" }).describe(
    "How long the ingress home agent waits for the owner's reply.",
  ),
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
  "hop-limit": integer(1, 255).default(3).describe("A request is relayed at most this often."),
  "maximum-pending": integer(1, 1_000_000)
    .default(16_384)
    .describe("Temporary bindings at most; further requests that need relaying are dropped and counted."),
});

const placement = section({
  "load-factor": number(1, 100)
    .default(1.25)
    .describe("A member takes new mobiles up to this multiple of its fair share of all bindings."),
});

const replication = section({
  copies: integer(0, 16)
    .default(2)
    .describe("Backups that hold a copy of each binding, where there are as many other members."),
  acks: integer(0, 16)
    .default(1)
    .describe("Backups that must have a registration on their disks before it is answered."),
  degraded: z
    .enum(["serve", "refuse"])
    .default("serve")
    .describe("With fewer backups in reach than `acks`: serve with short lifetimes, or refuse with code 130."),
  "degraded-lifetime": wholeSeconds("300s", { from: "1s", to: "65534s" }).describe(
    "Longest lifetime granted while degraded, so that little is at stake.",
  ),
  "digest-interval": duration("10s", { from: "1s", to: "1h" }).describe(
    "How often owners and backups compare what they hold.",
  ),
});

const registration = section({
  "maximum-lifetime": lifetime("30m", { from: "1s", to: "65534s" }).describe("Longest lifetime granted."),
  "maximum-simultaneous-bindings": integer(1, 64)
    .default(4)
    .describe("Care-of addresses per mobile. With 1, S is answered with code 1; more than allowed with 135."),
  encapsulation: list(z.enum(["ip-in-ip", "minimal", "gre"]))
    .prefault(["ip-in-ip", "minimal", "gre"])
    .describe("Encapsulations granted; a request for another one is answered 139. IP-in-IP is always among them."),
  "reverse-tunneling": z
    .enum(["refused", "allowed", "required"])
    .default("allowed")
    .describe("`refused` answers T with 137, `required` its absence with 138 (RFC 3024)."),
  "home-networks": list(hostNetwork())
    .optional()
    .describe("Networks whose addresses may be home addresses; others are answered 129. Default: the virtual network."),
  "prohibited-care-of-networks": list(sourceNetwork())
    .prefault([])
    .describe("Care-of addresses and foreign agents in these networks are answered 129."),
  "authentication-failure-replies-per-second": integer(0, 100_000)
    .default(100)
    .describe("Rate at which wrong authenticators are answered 131; beyond it they are dropped and counted."),
  "pool-stickiness": duration("24h", { from: "0s", to: "365d" }).describe(
    "How long a dynamic home address stays reserved for its NAI after it was released.",
  ),
  "maximum-mobiles-per-association": integer(1, 100_000_000)
    .default(1_000_000)
    .describe(
      "Mobiles that have authenticated by one security association, such as that of a realm, and that this member owns rows of, also shortly after they have deregistered; a new one beyond is answered 130.",
    ),
});

const forwardingDataPlane = {
  device: text("the name of an interface, of 15 letters, digits, dots and underscores at most", 15, /^[A-Za-z0-9._]+$/)
    .default("anyhome0")
    .describe("The interface that the daemon makes, and routes the virtual network to."),
  uplinks: z
    .union([
      z.literal("auto"),
      nonEmptyList(text("the name of an interface", 15, /^[^\s/]+$/), "at least one interface"),
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
  cluster: name("a cluster name such as lab").describe(
    "Name of the cluster. Members of different clusters do not understand each other.",
  ),
  "secret-file": path().describe(
    "File with the secret that members authenticate each other with: at least 32 bytes, equal on all members. Relative to this file, as all paths.",
  ),
  node: memberId()
    .optional()
    .describe("Which member this host is. The option `--node` and the variable ANYHOME_NODE come first."),
  "virtual-network": hostNetwork().describe("What every ready home agent announces."),
  "virtual-address": hostAddress().describe("The home agent address that mobiles know; in the virtual network."),
  announce: nonEmptyList(announced(), "at least one of network, address, or a prefix")
    .prefault(["network"])
    .describe(
      "What is announced: the virtual network as a whole, the virtual address as a /32, and other prefixes that lead here.",
    ),
  "manage-address": flag()
    .default(true)
    .describe("The daemon adds the virtual address to the loopback interface; with `false` the operator does."),
  "data-directory": path()
    .default("/var/lib/anyhome")
    .describe("Where bindings are kept. `{node}` stands for the member's id, here and in `control-socket`."),
  "control-socket": path()
    .default("/run/anyhome/control.sock")
    .describe("Unix socket of the control API, which `anyhome status` and others use."),
  members: nonEmptyList(member, "at least one member").describe("All members of the cluster."),
  timers: timers.prefault({}).describe("Intervals and timeouts."),
  relay: relay.prefault({}).describe("How requests are relayed between members."),
  placement: placement.prefault({}).describe("How new mobiles spread over the members.").register(live),
  replication: replication.prefault({}).describe("Copies of bindings; equal on all members.").register(live),
  registration: registration
    .prefault({})
    .describe("What registrations are granted; equal on all members.")
    .register(live),
  "security-associations": securityAssociations
    .prefault({})
    .describe("Who may register, and how that is proved.")
    .register(live),
  "security-associations-file": path()
    .optional()
    .describe("Another file with `mobiles` and `foreign-agents` in addition. JSON loads fastest, for 100,000 and more.")
    .register(live),
  advertiser: advertiser.prefault({ type: "none" }).describe("How the virtual network is announced."),
  "data-plane": dataPlane.prefault({ type: "none" }).describe("What forwards the packets of mobiles."),
  bfd: bfd.prefault({}).describe("Timers of BFD, for the members that have `bfd`."),
  health: health.prefault({}).describe("When this home agent is announced, and how."),
  log: log.prefault({}).describe("What is logged, on stdout as JSON lines.").register(live),
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
