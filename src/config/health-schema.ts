/** The section `health` of the configuration file; docs/routing.md explains it. */
import { z } from "zod";
import { community, duration, durationLimit, integer, metric, name, number, size, text } from "./fields.ts";
import { list, nonEmptyList, section } from "./shapes.ts";

const from = (sample: string, what: string) => durationLimit(sample, { from: "1ms", to: "1h" }).describe(what);

const rungAttributes = (communities: readonly string[], med: number | undefined, prepend: number) =>
  section({
    communities: list(community())
      .prefault([...communities])
      .describe("Communities (RFC 1997). `65535:0` asks routers for the least local preference (RFC 8326)."),
    med: (med === undefined ? metric().optional() : metric().default(med)).describe(
      "MULTI_EXIT_DISC: the lower one is preferred, where routers compare those of different neighbors.",
    ),
    "as-path-prepend": integer(0, 16)
      .default(prepend)
      .describe("How often our AS is prepended, for routers that don't know the community."),
  });

const execCheck = section({
  name: name("a name such as uplink").describe("Name of the check, unique among all."),
  command: nonEmptyList(text("a program or an argument", 1024), "a program, with its arguments").describe(
    "Program and arguments, run without a shell; it passes if it exits with 0.",
  ),
  interval: duration("10s", { from: "100ms", to: "1d" }).describe("Pause between the end of one run and the next."),
  timeout: duration("5s", { from: "100ms", to: "1h" }).describe("A run that takes longer is killed, and has failed."),
  rise: integer(1, 1000).default(2).describe("Runs in a row that pass before it counts as passed again."),
  fall: integer(1, 1000).default(3).describe("Runs in a row that fail before it counts as failed."),
  "on-failure": z
    .enum(["withdraw", "degrade"])
    .default("withdraw")
    .describe("`withdraw` leaves routing, if others are announced; `degrade` only makes others preferred."),
});

export const health = section({
  "start-delay": duration("1s", { from: "0s", to: "1h" }).describe(
    "How long a member must be fit before its first announcement, while others are announced.",
  ),
  "hold-down": duration("3s", { from: "0s", to: "1h" }).describe(
    "How long it must be fitter before it is announced so again, and others announced before an unfit one leaves.",
  ),
  rise: integer(1, 1000).default(3).describe("Looks in a row, two per second, that make a check better."),
  fall: integer(1, 1000).default(3).describe("Looks in a row that make it worse."),
  damping: section({
    "half-life": duration("1m", { from: "1s", to: "1h" }).describe(
      "The penalty, 1 per fall from `ready`, halves in this time (RFC 2439).",
    ),
    suppress: number(1, 1000).default(3).describe("A penalty from here on keeps the member `degraded`."),
    reuse: number(0.1, 1000).default(1).describe("Until it has decayed to this; less than `suppress`."),
    maximum: duration("4m", { from: "1s", to: "1d" }).describe(
      "Damping keeps a member `degraded` for no longer than this; `reuse` doubled in each half-life of it must reach `suppress`.",
    ),
  })
    .prefault({})
    .describe("A member that falls again and again stays announced, and others are preferred."),
  low: rungAttributes(["65535:0"], undefined, 0)
    .prefault({})
    .describe("BGP attributes of a member that is `degraded` or `draining`."),
  lowest: rungAttributes(["65535:0"], 4_294_967_295, 6)
    .prefault({})
    .describe("BGP attributes of a member that is `guarding`: unfit, and the last one announced."),
  "event-loop": section({
    degraded: from("500ms", "The event loop kept others waiting for so long."),
    fail: from("5s", "So long makes the member unfit."),
  })
    .prefault({})
    .describe("Whether the process gets to run."),
  "store-latency": section({
    degraded: from("500ms", "A commit takes so long."),
    fail: from("2s", "So long makes the member unfit. Past 3s it can't serve, whatever stands here."),
  })
    .prefault({})
    .describe("How long commits take."),
  "free-disk": section({
    degraded: size().prefault("256MiB").describe("Less than this is free where the store is."),
    fail: size().prefault("32MiB").describe("Less than this makes the member unfit."),
  })
    .prefault({})
    .describe("Room on the disk of `data-directory`; 0B switches a limit off."),
  "receive-overflows": section({
    degraded: integer(1, 1_000_000_000)
      .default(1000)
      .describe("Datagrams per second that the kernel drops, as they come faster than they are read."),
    fail: integer(1, 1_000_000_000).default(1_000_000_000).describe("So many make the member unfit."),
  })
    .prefault({})
    .describe("Overload, as seen by the kernel."),
  clock: section({
    degraded: from("1s", "The clocks of most members differ from ours by so much."),
    fail: from("5s", "So much makes the member unfit: it would refuse timestamps."),
  })
    .prefault({})
    .describe("With three members or more; with two it can't be told whose clock is wrong."),
  "unheard-after": duration("10s", { from: "1s", to: "1h" }).describe(
    "Without any BGP session, or with its announcement filtered, for so long, a member is degraded.",
  ),
  exec: list(execCheck).prefault([]).describe("Checks of the operator."),
});
