/** The sections `advertiser` and `bfd` of the configuration file; docs/advertiser.md and docs/routing.md explain them. */
import { z } from "zod";
import { duration, integer, path, text, wholeSeconds } from "./fields.ts";
import { section } from "./shapes.ts";

export const advertiser = z.discriminatedUnion(
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
      "runtime-directory": path()
        .optional()
        .describe(
          "What daemon and ExaBGP share: socket and configuration. `{node}` stands for the member's id. Default: `exabgp-{node}` beside the control socket.",
        ),
      group: text("the name or number of a group", 32, /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/)
        .optional()
        .describe("Who runs the sidecar's ExaBGP is in this group, and may join. Default: the daemon's own."),
      "hold-time": wholeSeconds("9s", { from: "3s", to: "65535s", also: "0s" }).describe(
        "BGP hold time; 0s switches keepalives off, so that only BFD notices when a host vanishes.",
      ),
      "heartbeat-timeout": duration("1s", { from: "100ms", to: "1m" }).describe(
        "A daemon that shows no sign of life for this long has its routes withdrawn.",
      ),
    }),
    section({
      type: z
        .literal("ospf")
        .describe("Announce by OSPF, with an FRR that runs beside the daemon, in the same network namespace."),
      interface: text(
        "the name of an interface, of 8 letters, digits, dots and underscores at most",
        8,
        /^(?!lo$)[A-Za-z0-9_][A-Za-z0-9._]*$/,
      )
        .default("anyhome")
        .describe(
          "The daemon makes three interfaces, this one and those with `-low` and `-lowest` behind it, on which ospfd shall run at a rising cost.",
        ),
      "vty-directory": path()
        .default("/var/run/frr")
        .describe("Where the vty sockets of FRR are. `{node}` stands for the member's id."),
      lease: wholeSeconds("1s", { from: "1s", to: "1m" }).describe(
        "A daemon that shows no sign of life for this long has its routes withdrawn.",
      ),
    }),
  ],
  { error: "a section with a type: none, exabgp or ospf" },
);

export const bfd = section({
  "transmit-interval": duration("300ms", { from: "10ms", to: "1m" }).describe(
    "How often packets are sent while a session is up; the slower side decides.",
  ),
  "receive-interval": duration("300ms", { from: "10ms", to: "1m" }).describe(
    "How often packets can be taken from a router.",
  ),
  "detect-multiplier": integer(1, 255)
    .default(3)
    .describe("A router counts a session as down after so many intervals of silence."),
  "heartbeat-timeout": duration("800ms", { from: "80ms", to: "1m" }).describe(
    "A daemon whose main loop stands still for this long ends its sessions.",
  ),
});
