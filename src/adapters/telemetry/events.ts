/**
 * Every event that may appear in the log: its level, its message, and a paragraph for the operator who finds it there.
 * docs/events.md is made from this catalogue by test/adapters/telemetry/events.test.ts.
 */
export type EventLevel = "debug" | "info" | "warn" | "error";

interface EventDefinition {
  readonly level: EventLevel;
  /** The `msg` of the log line: one short phrase, always the same; what varies goes into fields. */
  readonly message: string;
  /** What it means and what to do about it. */
  readonly explanation: string;
}

export const events = {
  // Daemon
  "daemon-started": {
    level: "info",
    message: "daemon started",
    explanation:
      "All parts are running. The home agent becomes ready, and is announced, when its store is loaded and its health allows it. `version` and `bootCount` distinguish this start from earlier ones.",
  },
  "daemon-stopping": {
    level: "info",
    message: "daemon stops",
    explanation:
      "A signal asked the daemon to stop (`signal`). Routes are withdrawn first, then everything queued is written.",
  },
  "daemon-stopped": {
    level: "info",
    message: "daemon stopped",
    explanation: "The last line of a normal end: routes are withdrawn, the store is closed, and sockets are removed.",
  },
  "daemon-failed": {
    level: "error",
    message: "daemon could not be started",
    explanation:
      "Something kept the daemon from starting (`err`): another daemon that has the store, a port in use, or an ExaBGP that can't be run. What had been started was stopped again, and the process ends.",
  },
  "daemon-crashed": {
    level: "error",
    message: "daemon crashed",
    explanation:
      "An error in the daemon (`err`) that nothing caught: the process ends at once, without withdrawing; its routes go as they do when a daemon is killed. Report it.",
  },
  "recording-ended": {
    level: "warn",
    message: "recording ended",
    explanation:
      "The file of `anyhome run --record` can't be written, or its disk is slower than what is to be recorded (`reason`). Service goes on; what was recorded until then can be replayed.",
  },
  "log-resumed": {
    level: "warn",
    message: "log goes on after a gap",
    explanation:
      "Between this line and the one before it, `lines` lines are missing: stdout accepted none for so long (a full disk, a reader that stood still) that there was no room for more. The alarm `log` in `anyhome status` says so while it lasts, and the counter `log-lines-lost` has the total.",
  },
  "configuration-reloaded": {
    level: "info",
    message: "configuration reloaded",
    explanation:
      "The configuration file was reloaded, on SIGHUP or `anyhome reload`, and is in force: `changes` names the keys that differ now.",
  },
  "configuration-refused": {
    level: "error",
    message: "configuration not taken over",
    explanation:
      "The reloaded configuration file can't be used, or changes something that needs a restart (`outcome`). Everything stays as it was; `problems` says what is wrong, as `anyhome config check` does, or which keys need a restart. Correct the file and reload, or restart the daemon.",
  },
  "health-changed": {
    level: "info",
    message: "health changed",
    explanation:
      "This home agent moved from health `from` to `to` because of `reasons`. A ready one is announced normally, a draining or degraded one with low preference, a guarding one with the lowest, as no other is known to be announced. While starting or down it isn't announced.",
  },
  "data-plane-working": {
    level: "info",
    message: "packets of mobiles are forwarded",
    explanation: "The data plane is set up, on these interfaces (`uplinks`).",
  },
  "data-plane-failed": {
    level: "error",
    message: "packets of mobiles can't be forwarded",
    explanation:
      "The data plane can't be set up, or has lost something it needs (`reason`). The home agent is down, and not announced, until it works, which is tried once a second. [data-plane.md](data-plane.md#when-it-does-not-work) explains the reasons.",
  },
  "check-failed": {
    level: "warn",
    message: "health check failed",
    explanation:
      "The health check `check` counts as `state` (degraded or fail) from now on, after several such findings: `reason`. Degraded members aren't preferred; members with a failing check leave routing, unless they are the last.",
  },
  "check-passed": {
    level: "info",
    message: "health check passes",
    explanation: "The health check `check`, which was degraded or failed, passes again: `reason`.",
  },
  "last-announcer": {
    level: "error",
    message: "unfit, but the last one announced",
    explanation:
      "This home agent is unfit for `reasons`, and stays announced with the lowest preference, because no other member is known to be announced: otherwise mobiles would have nowhere to register. Repair this member, or bring back another one.",
  },
  "input-failed": {
    level: "error",
    message: "input could not be handled",
    explanation:
      "An error in the daemon (`err`) while it handled an `input` (a datagram, a frame, a timer). The input was dropped, and the service goes on. Please report it.",
  },
  "event-loop-stalled": {
    level: "warn",
    message: "event loop stalled",
    explanation:
      "The daemon could not run for `delayMs`: the host is overloaded, was suspended, or its disk blocks. Other members may have counted it as dead meanwhile.",
  },
  "address-added": {
    level: "info",
    message: "virtual address added to the loopback interface",
    explanation: "`manage-address` is on: registrations to `address` are delivered to this host from now on.",
  },
  "address-failed": {
    level: "error",
    message: "virtual address could not be managed",
    explanation:
      "`ip address` failed with `err`. It needs CAP_NET_ADMIN and iproute2. Alternatively set `manage-address: false` and add the virtual address to the loopback interface yourself.",
  },
  // Registrations
  "registration-accepted": {
    level: "debug",
    message: "registration accepted",
    explanation: "The owner granted the request of `mobile`; the reply leaves once the binding is on disk.",
  },
  "registration-denied": {
    level: "debug",
    message: "registration denied",
    explanation:
      "The owner denied the request of `mobile` with `code` of RFC 5944 3.4. 131 points to a wrong key, 133 to a wrong clock (mobiles correct theirs from that reply).",
  },
  "datagram-dropped": {
    level: "debug",
    message: "datagram dropped",
    explanation:
      "A datagram from `source` was dropped without an answer, for `reason`; the counter `datagrams-dropped` has the totals by reason.",
  },
  "relay-by-mac": {
    level: "info",
    message: "relaying by MAC address",
    explanation:
      "Requests and replies are relayed to `member` in frames to its address `mac` on the link, with the virtual address as the IP destination.",
  },
  "relay-by-ip": {
    level: "warn",
    message: "relaying by IP address instead of by MAC address",
    explanation:
      "`l2` addressing towards `member` is configured but not possible, for `reason`; relaying goes on as with `l3`. It needs CAP_NET_RAW, a link that both members share, and `l2` on both of them.",
  },
  "relay-timeout": {
    level: "warn",
    message: "no reply from the owner",
    explanation:
      "This home agent relayed requests to the owner `owner` and got no reply within `relay-timeout`: their temporary bindings were dropped, and the mobiles send again. Check that member and the network between the two.",
  },
  "relay-refused": {
    level: "warn",
    message: "relayed request refused",
    explanation:
      "A relayed request from `member` was refused, for `reason`: `hop-limit` means that members disagree about who owns a mobile for longer than a moment.",
  },
  "binding-conflict": {
    level: "warn",
    message: "two versions of a binding met",
    explanation:
      "Members held different versions of the binding of `mobile`, as after a partition; the higher version won. The line has both.",
  },
  "home-address-conflict": {
    level: "warn",
    message: "two mobiles had one home address, and one has lost it",
    explanation:
      "Two sides of a partition gave `address` away, each to another mobile. `holder` has had it for longer and keeps it; the binding of `mobile` has ended, and it is denied with 129 when it asks for the address again.",
  },
  "binding-deleted": {
    level: "info",
    message: "binding deleted by the operator",
    explanation:
      "The binding of `mobile` was deleted through the control API. The mobile may register again with a later Identification than the last one that was accepted from it.",
  },
  "replay-state-forgotten": {
    level: "warn",
    message: "replay state forgotten on the operator's word",
    explanation:
      "The binding of `mobile`, if it had one, was ended and its replay state forgotten on all members, through the control API (`anyhome bindings delete --forget-replay`). Its next request only has to be newer than this. What it had signed with a clock that was ahead can be replayed once that time has come, until it registers again.",
  },
  "pool-exhausted": {
    level: "warn",
    message: "no dynamic home address left",
    explanation:
      "This member's `pool` has no free address: mobiles that ask for one get code 130. Enlarge the pool, or shorten `pool-stickiness`.",
  },
  // Cluster
  "member-alive": {
    level: "info",
    message: "member is alive",
    explanation: "Authentic heartbeats of `member` arrive (again), and it takes part in placement.",
  },
  "member-one-way": {
    level: "warn",
    message: "member doesn't hear us",
    explanation:
      "Heartbeats of `member` arrive but say that it no longer hears ours: the network loses what we send there. Nothing is relayed to it meanwhile.",
  },
  "member-skewed": {
    level: "error",
    message: "member's clock is too far off",
    explanation:
      "The clock of `member` differs from ours by `skewMs`, more than `timers.maximum-clock-skew`. Lifetimes and timestamps would mean different things here and there, so it is left out: nothing is relayed to it, it is no backup, gets no mobiles, and has no stream. It returns by itself once the clocks agree. Check time synchronization (NTP) on both hosts.",
  },
  "member-unable": {
    level: "warn",
    message: "member can't store",
    explanation:
      "`member` is alive, but its disk fails or hangs: it gets no new mobiles, is no backup for what is registered from now on, and gives away what it owns. Check its log for `store-failed`, and its disk.",
  },
  "member-stores": {
    level: "info",
    message: "member can store again",
    explanation: "The disk of `member`, which `member-unable` reported, accepts writes again.",
  },
  "member-twice": {
    level: "error",
    message: "two daemons say they are the same member",
    explanation:
      "Authentic heartbeats of `member` come from two daemons: from `believed`, which hears this member and, if both do, was started later, and from `refused`. Two hosts have the same `node`, or one is a copy of the other. Stop the one that isn't meant to be `member`; it withdraws by itself when it hears of the other.",
  },
  "members-differ": {
    level: "error",
    message: "member has other members in its configuration",
    explanation:
      "For more than 5 s the heartbeats of `member` have shown other members, weights or pools than ours. Mobiles are then looked for in different places there and here: one may get two owners, or be taken over from a member that serves it. Give both the same configuration file, and reload it.",
  },
  "member-suspect": {
    level: "warn",
    message: "member is suspect",
    explanation:
      "Nothing was heard of `member` for `peer-timeout`. It counts as dead as soon as no living member hears it; until then only the path between it and this member may be broken.",
  },
  "member-dead": {
    level: "error",
    message: "member is dead",
    explanation:
      "Nothing was heard of `member` for `peer-timeout`: it gets no new mobiles and no relayed requests until it is heard again.",
  },
  "member-restarted": {
    level: "info",
    message: "member restarted",
    explanation: "The daemon of `member` has restarted since it was last heard; `bootCount` is that of its new start.",
  },
  "takeover-started": {
    level: "warn",
    message: "takeover started",
    explanation:
      "`member` is dead, and this home agent holds copies of `bindings` of its bindings. The backups tell each other what they hold, then the least loaded ones take over.",
  },
  "takeover-finished": {
    level: "warn",
    message: "takeover finished",
    explanation:
      "This home agent has decided about `bindings` bindings of the dead `member`: its own from now on, or another backup's.",
  },
  "requests-adopted": {
    level: "warn",
    message: "requests of a dead ingress adopted",
    explanation:
      "`member` died or restarted while it waited for replies to `requests` requests that it had relayed. This home agent has copies of its temporary bindings, relays the requests again in its place, and sends the replies to the foreign agents.",
  },
  "backup-lagging": {
    level: "warn",
    message: "backup is too slow",
    explanation:
      "`member` has not acknowledged bindings for a second, or too many are under way. It gets no new ones until all of these are acknowledged, and then catches up. Meanwhile replies don't wait for it.",
  },
  "digests-differ": {
    level: "warn",
    message: "copies differed",
    explanation:
      "The copies that this home agent holds for `member` differed from the originals in `buckets` of 1024 parts, in two successive comparisons: the rows sent after the first one did not correct it. This is a fault of Anyhome: please report it.",
  },
  "clock-step-held": {
    level: "warn",
    message: "step of the system's clock held back",
    explanation:
      "The clock of this system was set ahead by `stepMs` ms, or back if that is negative. This home agent continues with its previous time until most other members confirm the clock, or none has contradicted it for a minute. Check time synchronization.",
  },
  "clock-step-undone": {
    level: "info",
    message: "step of the system's clock undone",
    explanation: "The clock of this system shows the time again that this home agent has used all along.",
  },
  "clock-set": {
    level: "warn",
    message: "clock set",
    explanation:
      "The time that this home agent uses was set ahead by `stepMs` ms, or back if that is negative: to that of its system's clock, because others confirm it or none contradicts it, or, after a start, to the time of which the other members are certain.",
  },
  "row-rejected": {
    level: "error",
    message: "row of a peer rejected",
    explanation:
      "`member` sent a binding that can't be read, for `problem`. If the members run very different versions, bring them to the same one.",
  },
  "stream-opened": {
    level: "info",
    message: "replication stream opened",
    explanation: "The authenticated stream to `member` is open; both sides compare what they hold.",
  },
  "stream-closed": {
    level: "warn",
    message: "replication stream closed",
    explanation: "The stream to `member` ended, for `reason`. It is opened again as soon as the peer answers.",
  },
  "stream-rejected": {
    level: "warn",
    message: "replication stream rejected",
    explanation:
      "A client at `source` asked for a replication stream and could not prove to be a member, or spoke another protocol: `reason`. Either members have different secret files, or it is a stranger.",
  },
  "frame-rejected": {
    level: "warn",
    message: "cluster frame rejected",
    explanation:
      "A datagram on the cluster port from `source` was not authentic or not fresh, for `reason`. This is logged once for each source and reason, and then counted as `frames-rejected`. Either members have different secret files, or it is a stranger.",
  },
  "send-failed": {
    level: "warn",
    message: "datagram could not be sent",
    explanation:
      "The system refused to send to `destination`: `err`. The cause is often a missing route or a full socket buffer.",
  },
  "receive-failed": {
    level: "error",
    message: "socket failed",
    explanation: "A UDP socket reported `err` on receiving; it stays open.",
  },
  // Store
  "store-opened": {
    level: "info",
    message: "store opened",
    explanation: "Bindings and log were read from `data-directory`: `bindings` rows in `durationMs`.",
  },
  "store-salvaged": {
    level: "error",
    message: "store was damaged and made again",
    explanation:
      "The store was found damaged at the start (`problem`): the disk has altered, lost or misplaced what was written. It was made again from the `rows` that read back as they were written; at least `leftOut` rows or changes were left out, the first few of them named by `problems`. The other members hold copies and give them back before this member is announced. The damaged store is kept as `setAside`, and the alarm `store-damaged` lasts until that is removed. Check the disk first. [store.md](store.md#a-damaged-store) says more.",
  },
  "store-failed": {
    level: "error",
    message: "store can't write",
    explanation:
      "Writing failed with `reason` (disk full, I/O error): nothing is acknowledged any more, what this home agent owns is handed over to members that can store (requests are answered 130 where there are none), and it is not ready until a write works.",
  },
  "store-recovered": {
    level: "info",
    message: "store writes again",
    explanation:
      "The store has recovered after `store-failed`: everything queued is on disk, and requests are accepted again.",
  },
  "store-abandoned": {
    level: "error",
    message: "store can't be closed, process ends",
    explanation:
      "The disk did not answer (`err`) while the daemon stopped. A process can't end normally while one of its threads hangs in the kernel, so it kills itself after this line. Nothing that was acknowledged is lost: the next start finds it in the log.",
  },
  "start-abandoned": {
    level: "error",
    message: "start hangs, process ends",
    explanation:
      "The daemon was told to stop, and its start had still not come to an end 10 s later, as on a disk that doesn't answer. The process kills itself after this line; nothing was announced yet.",
  },
  // Routing
  "speaker-started": {
    level: "info",
    message: "routing speaker started",
    explanation: "ExaBGP runs with process id `pid`, and its helper is connected to the daemon.",
  },
  "speaker-stopped": {
    level: "error",
    message: "routing speaker stopped",
    explanation:
      "ExaBGP ended, or its helper lost the daemon: `reason`. Routers have dropped the route; the daemon starts ExaBGP again after a pause that grows.",
  },
  "speaker-output": {
    level: "debug",
    message: "routing speaker says",
    explanation: "A line that ExaBGP printed (`line`).",
  },
  "speaker-problem": {
    level: "warn",
    message: "problem with the routing speaker",
    explanation:
      "`problem` says which: ExaBGP printed a `line` that is none of its events, as a router's NOTIFICATION can make it do, or more lines than could be read; a router (`neighbor`) reported more paths than are kept, or something that makes no sense; or the version of ExaBGP isn't known. Announcements are not affected, but the state shown for a neighbor and the list of announcers may be. With OSPF, it says what keeps ospfd from announcing or from being asked.",
  },
  "announcement-lapsed": {
    level: "warn",
    message: "routes were withdrawn while the daemon was silent",
    explanation:
      "Nothing was heard from the daemon for `silentMs`: the helper inside ExaBGP, or with OSPF the kernel, took it for dead and withdrew all routes, which are announced again now if health allows it. The daemon was stopped, suspended or stalled: see `event-loop-stalled`.",
  },
  "route-announced": {
    level: "info",
    message: "route announced",
    explanation: "The speaker confirmed the announcement of `prefix`; routers may send registrations here.",
  },
  "route-withdrawn": {
    level: "info",
    message: "route withdrawn",
    explanation:
      "`prefix` was seen to be withdrawn: ExaBGP has accepted the withdrawal, and no router that reports what it has still has it from here; or it is no longer in ospfd's own link state, and all neighbors have acknowledged that.",
  },
  "route-unconfirmed": {
    level: "warn",
    message: "it isn't known whether routers have a route",
    explanation:
      "Routers had `prefix` from here, and it can no longer be seen whether they still do, for `reason`: ExaBGP or ospfd is gone, doesn't answer, or has lost its neighbors. Routers drop the route with the session, at the latest after the hold time, or with OSPF the dead interval.",
  },
  "neighbor-up": {
    level: "info",
    message: "routing neighbor is up",
    explanation: "The BGP session with the router `neighbor` is established, or the OSPF adjacency full.",
  },
  "neighbor-down": {
    level: "warn",
    message: "routing neighbor is down",
    explanation: "The BGP session with the router `neighbor`, or the OSPF adjacency, ended: `reason`.",
  },
  "bfd-up": {
    level: "info",
    message: "BFD session is up",
    explanation:
      "The router `neighbor` and this home agent hear each other's BFD packets: when one of them falls silent, the other knows within the detection time (`anyhome routes`).",
  },
  "bfd-down": {
    level: "warn",
    message: "BFD session is down",
    explanation:
      "The BFD session with the router `neighbor` ended, for `reason`; that router has dropped the routes of this home agent. The path may have been broken, the router restarted, or this host without a processor for longer than the detection time. `the path is down` means that the main loop of the daemon stood still.",
  },
  "bfd-failed": {
    level: "error",
    message: "BFD could not be spoken",
    explanation:
      "The thread that speaks BFD ended, for `reason`, and is restarted every second. UDP port 3784 may be used by another speaker, or the local address may not be on this host. Routers that wait for BFD send nothing here meanwhile.",
  },
  "bfd-ttl-unchecked": {
    level: "warn",
    message: "BFD packets from elsewhere are heard",
    explanation:
      "The filter against BFD packets with a TTL below 255, which have been forwarded, could not be set, for `reason`. Anyone who can forge a router's address can then end its session: let the host's packet filter drop such packets.",
  },
  // Control API
  "api-listening": {
    level: "info",
    message: "control API listens",
    explanation: "`anyhome status` and the other commands reach the daemon at `socket`.",
  },
  "api-request-failed": {
    level: "error",
    message: "control request failed",
    explanation: "An error in the daemon (`err`) kept it from answering `method` `url` of the control API: report it.",
  },
} as const satisfies Record<string, EventDefinition>;

export type EventId = keyof typeof events;
