/** Each safety mechanism is switched off once, and the simulation must find out: a check that can't fail checks nothing. */
import { expect, test } from "vitest";
import type { FaultKind } from "../../src/sim/faults.ts";
import type { SimulationOptions } from "../../src/sim/simulation.ts";
import { type Edit, hunt } from "./mutant.ts";

interface Mutation {
  /** What is switched off. */
  readonly name: string;
  readonly edits?: readonly Edit[];
  readonly faults: readonly FaultKind[];
  readonly options?: Partial<SimulationOptions>;
  /** What must be found. */
  readonly finds: RegExp;
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: "the disk is waited for before anything is acknowledged",
    options: { lyingDisks: true },
    faults: [],
    finds: /disks that have it/,
  },
  {
    name: "a backup is waited for before the reply",
    edits: [
      {
        file: "core/home-agent/owner.ts",
        from: "return this.#coverage(row) >= acknowledgements;",
        to: "return true;",
      },
    ],
    faults: [],
    finds: /disks that have it/,
  },
  {
    name: "a disk that has failed acknowledges nothing",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "return journal.writable ? journal.position : Number.POSITIVE_INFINITY;",
        to: "return journal.writable ? journal.position : 0;",
      },
    ],
    faults: ["disk-full", "disk-error"],
    finds: /disks that have it/,
  },
  {
    name: "an owner that was superseded doesn't answer",
    edits: [
      {
        file: "core/home-agent/owner.ts",
        from: "if (row?.ownership.owner !== this.#self) return false;",
        to: "if (row?.ownership.owner !== this.#self) return this.#safety.coverage(answer.binding, 0) >= acknowledgements;",
      },
    ],
    faults: ["partition"],
    options: { mobiles: 60 },
    finds: /disks that have it/,
  },
  {
    name: "a synchronization is acknowledged for itself",
    edits: [
      {
        file: "core/replication/peer-progress.ts",
        from: "this.#synchronizedAt = number;",
        to: "this.#synchronizedAt = 0;",
      },
    ],
    faults: ["partition", "one-way"],
    options: { nodes: 6 },
    finds: /disks that have it/,
  },
  {
    name: "lifetimes are short while there are too few backups",
    edits: [
      {
        file: "core/home-agent/owner.ts",
        from: "lifetimeCapSeconds: isSafe ? undefined : degradedLifetimeSeconds",
        to: "lifetimeCapSeconds: undefined",
      },
      { file: "core/home-agent/owner.ts", from: "return isShort && this.#safety", to: "return this.#safety" },
    ],
    faults: ["partition"],
    finds: /disks that have it/,
  },
  {
    name: "each member hands out home addresses of its own slice",
    faults: ["partition"],
    options: { sharedPool: true, mobiles: 40 },
    finds: /have the same home address/,
  },
  {
    name: "a higher generation wins",
    edits: [{ file: "core/bindings/merge.ts", from: "return a.generation - b.generation || ", to: "return " }],
    faults: ["kill", "pause", "partition"],
    finds: /copies differ|a copy where none belongs|doesn't have it|older registration|replayed|nobody has taken over/,
  },
  {
    name: "whoever takes a binding over raises its generation",
    edits: [
      {
        file: "core/replication/takeover.ts",
        from: "generation: generation + 1, backups: []",
        to: "generation, backups: []",
      },
    ],
    faults: ["kill", "wipe"],
    finds: /nobody has taken over/,
  },
  {
    name: "the newer registration wins, by what the mobile signed",
    edits: [
      {
        file: "core/bindings/merge.ts",
        from: "const newest = compareRegistrations(a, b) >= 0 ? a : b;",
        to: "const newest = b;",
      },
    ],
    faults: ["partition", "pause"],
    finds: /is lost|older|copies differ|lives on|replayed|went back/,
  },
  {
    name: "an owner's own change of a row is a newer version",
    edits: [
      { file: "core/bindings/revision.ts", from: "counter: counter + 1,", to: "counter," },
      { file: "core/bindings/revision.ts", from: "Math.max(nowMs, acceptedAtMs)", to: "acceptedAtMs" },
      { file: "core/bindings/revision.ts", from: "      decidedBy,\n", to: "" },
    ],
    options: { sliceSize: 1, mobiles: 30 },
    faults: [],
    finds: /have the same home address/,
  },
  {
    name: "a binding that an operator has ended stays so when a member returns with a copy",
    edits: [
      { file: "core/bindings/revision.ts", from: "counter: counter + 1,", to: "counter," },
      { file: "core/bindings/revision.ts", from: "Math.max(nowMs, acceptedAtMs)", to: "acceptedAtMs" },
      { file: "core/bindings/revision.ts", from: "      decidedBy,\n", to: "" },
    ],
    faults: ["kill", "pause"],
    options: { mobiles: 24 },
    finds: /lives on after an operator has ended its binding/,
  },
  {
    name: "a home address that a mobile has left keeps a tombstone",
    edits: [
      {
        file: "core/registration/acceptance.ts",
        from: "|| !isLeft) return undefined",
        to: "|| isLeft || !isLeft) return undefined",
      },
    ],
    options: { restless: 10 },
    faults: [],
    finds: /replayed request was accepted|same home address|copies differ|older registration/,
  },
  {
    name: "the home of an address is asked before it is given away",
    edits: [
      {
        file: "core/replication/address-claims.ts",
        from: "return this.#answer(homeAddress, now) === undefined && ",
        to: "return this.#answer(homeAddress, now) === null && ",
      },
      { file: "core/replication/address-claims.ts", from: "this.#doubtful.add(homeAddress)", to: "return" },
    ],
    options: { nodes: 8, restless: 10 },
    faults: [],
    finds: /have the same home address/,
  },
  {
    name: "whoever holds the key of many mobiles has room for so many rows",
    edits: [
      {
        file: "core/registration/mobile-quota.ts",
        from: "return isCounted || (this.#counts.get(association) ?? 0) < this.#maximum;",
        to: "return isCounted || true;",
      },
    ],
    faults: [],
    options: { maximumMobilesPerAssociation: 2 },
    finds: /more mobiles of one association than its quota/,
  },
  {
    name: "a mobile counts for the key that it has signed with, not for its realm",
    edits: [
      {
        file: "core/registration/acceptance.ts",
        from: "association: describeMobiles(association.mobiles),",
        to: 'association: identity.nai === undefined ? describeMobiles(association.mobiles) : "realm example.com",',
      },
    ],
    faults: [],
    options: { maximumMobilesPerAssociation: 2, restless: 8 },
    finds: /more mobiles of one association than its quota/,
  },
  {
    name: "a home address that was given away twice is settled",
    edits: [{ file: "core/replication/address-claims.ts", from: "this.#doubtful.add(homeAddress)", to: "return" }],
    options: { nodes: 5, restless: 10 },
    faults: ["partition"],
    finds: /have the same home address/,
  },
  {
    name: "tombstones are kept",
    edits: [
      {
        file: "core/bindings/mobility-bindings.ts",
        from: "return Math.max(neededUnreservedUntilMs(binding), binding.registration.reservedUntilMs);",
        to: "return lastExpiryMs(binding.registration.careOfAddresses, 0);",
      },
    ],
    faults: ["kill"],
    finds: /lives on|replayed request|identical requests got different/,
  },
  {
    name: "a tombstone is kept for replays alone where nobody has an old copy",
    edits: [
      {
        file: "core/home-agent/owner.ts",
        from: "return isEverywhere && this.#journal",
        to: "return !isEverywhere && this.#journal",
      },
    ],
    faults: [],
    options: { quietMs: 30_000 },
    finds: /a tombstone is kept that nothing needs/,
  },
  {
    name: "a tombstone outlasts the copies that somebody out of reach may have",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "return owner === this.#options.self && generation === 1 && createdAtMs > this.#levelSinceMs;",
        to: "return owner === this.#options.self && generation === 1 && createdAtMs > 0;",
      },
    ],
    faults: [],
    options: {
      nodes: 5,
      durationMs: 20_000,
      plan: [{ kind: "partition", atMs: 2600, lastsMs: 38_000, members: [0, 1] }],
    },
    finds: /lives on after its deregistration/,
  },
  {
    name: "a tombstone is kept until all backups have it on their disks",
    edits: [
      {
        file: "core/home-agent/owner.ts",
        from: "return isEverywhere && this.#journal",
        to: "return this.#journal",
      },
    ],
    faults: [],
    options: {
      durationMs: 20_000,
      plan: [
        { kind: "disk-hang", atMs: 4000, lastsMs: 38_000, members: [1] },
        { kind: "kill", atMs: 39_000, lastsMs: 500, members: [1] },
      ],
    },
    finds: /lives on after its deregistration/,
  },
  {
    name: "copies end when their owner's row does, whatever the clock says that is here",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "if (row === undefined || row.ownership.owner === self || !isKnownTo(forgotten, row)) return;",
        to: "return;",
      },
    ],
    faults: [],
    options: { quietMs: 30_000 },
    finds: /has outlived its time|nothing mends it/,
  },
  {
    name: "a copy whose owner has forgotten it unheard is found by comparison",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "this.#links.get(from)?.forget(forgottenRow(received));",
        to: "",
      },
    ],
    faults: ["path", "partition"],
    options: { durationMs: 60_000, quietMs: 30_000 },
    finds: /has outlived its time|nothing mends it/,
  },
  {
    name: "what an operator has forgotten wins over all that was signed before",
    edits: [
      {
        file: "core/bindings/merge.ts",
        from: "compare(a.orderTime, b.orderTime)",
        to: "compare(a.signedTime, b.signedTime)",
      },
    ],
    faults: [],
    finds: /though its replay state was forgotten|copies differ/,
  },
  {
    name: "what another member has accepted and was signed later survives that replay state is forgotten",
    edits: [
      {
        file: "core/bindings/merge.ts",
        from: "compare(a.orderTime, b.orderTime) ||",
        to: "a.replayResets - b.replayResets || compare(a.signedTime, b.signedTime) ||",
      },
    ],
    faults: ["one-way", "partition"],
    options: { nodes: 5, mobiles: 20, durationMs: 24_000 },
    finds: /by an older registration|replaced by an older one/,
  },
  {
    name: "a step of the system's clock is held back",
    edits: [
      {
        file: "core/members/trusted-clock.ts",
        from: "if (this.#isCertain) this.#follow(offsetMs, monotonicMs);",
        to: "if (this.#isCertain) this.#offsetMs = offsetMs;",
      },
    ],
    faults: ["clock-step"],
    finds: /is locked out|expired before its time|is lost/,
  },
  {
    name: "who holds back the same step confirms nothing",
    edits: [
      {
        file: "core/members/trusted-clock.ts",
        from: "if (isCloser(witness.offsetMs)) balance++;",
        to: "if (isCloser(witness.systemOffsetMs)) balance++;",
      },
    ],
    faults: ["clock-step"],
    finds: /is locked out|expired before its time|is lost|beyond its lifetime|extended/,
  },
  {
    name: "nothing expires by a clock that nobody has confirmed since the start",
    edits: [
      { file: "core/home-agent/home-agent.ts", from: "if (this.#clock.isCertain) {", to: "if (this.#hasTicked) {" },
    ],
    faults: [],
    options: {
      plan: [
        { kind: "clock-step", atMs: 6000, lastsMs: 9000, members: [0] },
        { kind: "kill", atMs: 8000, lastsMs: 1000, members: [0] },
      ],
    },
    finds: /is lost|expired before its time|nobody has the registration|differ and have one version/,
  },
  {
    name: "a step that was contradicted isn't believed when nobody contradicts any more",
    edits: [
      {
        file: "core/members/trusted-clock.ts",
        from: "const isContradicted = held.isContradicted || balance < 0;",
        to: "const isContradicted = balance < 0;",
      },
    ],
    faults: [],
    options: {
      durationMs: 90_000,
      plan: [
        { kind: "clock-step", atMs: 6000, lastsMs: 79_000, members: [0] },
        { kind: "partition", atMs: 72_000, lastsMs: 8000, members: [0] },
      ],
    },
    finds: /is locked out|expired before its time|is lost|beyond its lifetime|nobody has the registration/,
  },
  {
    name: "temporary bindings are replicated",
    edits: [
      {
        file: "core/replication/temporary-copies.ts",
        from: "this.#outgoingTo(backup).made.push(copy);",
        to: "",
      },
    ],
    faults: ["kill-ingress"],
    finds: /died alone, and nobody answered/,
  },
  {
    name: "an Identification is accepted once",
    edits: [
      {
        file: "core/registration/replay-protection.ts",
        from: "return last === undefined || timestampDifference(",
        to: "return true || timestampDifference(",
      },
    ],
    faults: [],
    finds: /replayed request was accepted/,
  },
  {
    name: "who is no member any more is dead",
    edits: [
      {
        file: "core/replication/replication.ts",
        from: "for (const member of removed) this.#died(member, now);",
        to: "",
      },
      { file: "core/replication/takeover.ts", from: 'state ?? "dead") === "dead"', to: 'state ?? "alive") === "dead"' },
    ],
    faults: ["leave"],
    finds: /nobody has taken over/,
  },
  {
    name: "a member that starts trusts no timestamp from before",
    edits: [
      {
        file: "core/registration/replay-protection.ts",
        from: "Math.min(replay.windowMs, runningMs)",
        to: "replay.windowMs",
      },
    ],
    options: { nodes: 5, mobiles: 40, atOnce: 2, acknowledgements: 1 },
    faults: ["kill", "power-cycle"],
    finds: /replayed request was accepted/,
  },
  {
    name: "the Identification is part of the row",
    edits: [
      {
        file: "core/replication/takeover.ts",
        from: "const claimed: Binding = { ...before,",
        to: "const claimed: Binding = { ...before, registration: { ...before.registration, identification: before.registration.identification - (60n << 32n) },",
      },
    ],
    faults: ["kill", "wipe"],
    finds: /replayed request was accepted|went back/,
  },
  {
    name: "a takeover collects what the survivors hold",
    edits: [
      { file: "core/replication/takeover.ts", from: "COLLECTION_TIMEOUT_MS = 400", to: "COLLECTION_TIMEOUT_MS = 0" },
    ],
    faults: ["kill", "slow-disk"],
    options: { nodes: 5, mobiles: 40, atOnce: 3, acknowledgements: 1 },
    finds: /replayed|different replies|extended|older registration/,
  },
  {
    name: "nobody is dead while somebody hears them",
    edits: [
      {
        file: "core/members/membership.ts",
        from: 'if (state === "alive" && !silent.includes(member)) return false;',
        to: "",
      },
    ],
    faults: ["path"],
    finds: /for dead, though/,
  },
  {
    name: "a member that stood still has confirmed what it owns",
    edits: [{ file: "core/replication/replication.ts", from: "this.#replicator.recheck(now);", to: "" }],
    faults: ["pause"],
    finds: /older registration|replayed|extended|different replies|disks that have it/,
  },
  {
    name: "a newer copy that belongs elsewhere is kept until its owner has it",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "this.#strays.set(mobile, { owner, number: this.tell(owner, row) });",
        to: "this.#letGo(row);",
      },
    ],
    options: { nodes: 7, atOnce: 2 },
    faults: ["partition", "one-way"],
    finds: /is lost|older/,
  },
  {
    name: "members compare what they hold when a stream opens",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "const buckets = digests.differing(owner, told);",
        to: "const buckets = digests.differing(owner, told).slice(0, 0);",
      },
    ],
    faults: ["wipe"],
    finds: /copies differ|doesn't have it|is lost/,
  },
  {
    name: "what doesn't read back from a disk as it was written is left out",
    edits: [
      {
        file: "core/bindings/stored-row.ts",
        from: "rowChecksum(table, key, row) === checksum;",
        to: "checksum >= 0;",
      },
    ],
    faults: ["flipped-bits", "torn-write"],
    finds: /believes what its disk has made of/,
  },
  {
    name: "a row that stands in the place of another is left out",
    edits: [
      {
        file: "core/bindings/stored-row.ts",
        from: 'crc32(row ?? "", crc32(key, crc32(table)))',
        to: 'crc32(row ?? "", crc32(table))',
      },
    ],
    faults: ["misdirected-write"],
    finds: /has lost rows to its disk, and tells of 0/,
  },
  {
    name: "what is left out is told",
    edits: [{ file: "core/bindings/stored-row.ts", from: "this.#leftOut += count;", to: "" }],
    faults: ["flipped-bits", "truncated-file"],
    finds: /has lost rows to its disk, and tells of 0/,
  },
  {
    name: "an owner gets back from its backups what its disk has lost",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: 'this.#startBacklog(owner, link, "copies", copies, () =>',
        to: 'this.#startBacklog(owner, link, "copies", copies.slice(0, 0), () =>',
      },
    ],
    faults: ["flipped-bits", "lost-fsync", "truncated-file"],
    finds: /doesn't have it|is lost|older/,
  },
  {
    name: "a retransmission gets the reply that it had, and extends nothing",
    edits: [
      {
        file: "core/registration/engine.ts",
        from: "if (retransmitted !== undefined) {",
        to: "if (retransmitted === null) {",
      },
    ],
    faults: [],
    finds: /identical requests got different replies|extended/,
  },
  {
    name: "a mobile's home is told who owns it",
    edits: [
      {
        file: "core/replication/homes.ts",
        from: "if (member !== owner && !backups.includes(member))",
        to: "if (member === owner)",
      },
    ],
    options: { nodes: 8 },
    faults: ["partition", "one-way"],
    finds: /copies differ/,
  },
  {
    name: "a frame is believed if it names one of this start of its receiver",
    edits: [
      { file: "core/protocol/acquaintance.ts", from: "if (named.incarnation !== this.#own) {", to: "if (false) {" },
    ],
    faults: ["kill"],
    finds: /a recorded frame changed/,
  },
  {
    name: "the owner vouches for the foreign agent that an ingress writes down",
    edits: [
      {
        file: "core/home-agent/answers.ts",
        from: "foreignAgent.address === source.address &&",
        to: "",
      },
      { file: "core/home-agent/answers.ts", from: "foreignAgent.port === source.port,", to: "source.port > 0," },
    ],
    faults: [],
    finds: /from where it never asked/,
  },
  {
    name: "an ingress binding ends when that of the owner does",
    edits: [
      {
        file: "core/home-agent/ingress.ts",
        from: "expiresAtMs: boundUntilMs,",
        to: "expiresAtMs: boundUntilMs + 5000,",
      },
    ],
    faults: [],
    finds: /outlives what was granted/,
  },
  {
    name: "what is not authentic is refused where it comes in",
    edits: [
      {
        file: "core/home-agent/doorkeeper.ts",
        from: 'if (typeof screened !== "string") return screened;',
        to: 'if (typeof screened !== "string") return undefined;',
      },
    ],
    faults: [],
    finds: /relayed a request of a mobile that nobody knows/,
  },
  {
    name: "a frame is believed once",
    edits: [
      {
        file: "core/protocol/acquaintance.ts",
        from: 'if (!this.#window.accept(sent.sequence)) return "replayed";',
        to: "",
      },
    ],
    faults: [],
    finds: /a recorded frame changed/,
  },
  {
    name: "a start that is over doesn't follow the one after it",
    edits: [
      {
        file: "core/protocol/acquaintance.ts",
        from: "return named.sequence > this.#namedSequence && (this.#isSilent || incarnation > this.#believed);",
        to: "return true;",
      },
    ],
    faults: ["kill"],
    finds: /a recorded frame changed/,
  },
  {
    name: "packets go where a mobile has registered last",
    edits: [
      {
        file: "core/forwarding/forwarding-changes.ts",
        from: "before?.registration.careOfAddresses === after?.registration.careOfAddresses;",
        to: "before?.registration.careOfAddresses.length === after?.registration.careOfAddresses.length;",
      },
    ],
    faults: [],
    finds: /otherwise than its row says/,
  },
  {
    name: "nothing is forwarded to a mobile whose binding has ended",
    edits: [
      {
        file: "core/forwarding/forwarding-changes.ts",
        from: "if (isSame) return;",
        to: "if (isSame || !after?.registration.careOfAddresses.length) return;",
      },
    ],
    faults: [],
    finds: /otherwise than its owner says/,
  },
  {
    name: "the homes of an address are told how packets reach its mobile",
    edits: [
      {
        file: "core/replication/lender.ts",
        from: "return new Set(homes.filter((home) => !isHolder(home, row)));",
        to: "return NOBODY;",
      },
    ],
    faults: ["kill"],
    options: { nodes: 6 },
    finds: /reaches nobody, not/,
  },
  {
    name: "whoever was told how packets reach a mobile hears of what changes",
    edits: [
      {
        file: "core/replication/lender.ts",
        from: "for (const member of new Set([...homes, ...borrowers]))",
        to: "for (const member of homes)",
      },
    ],
    faults: [],
    options: { nodes: 6 },
    finds: /reaches 192\.0\.2\.\d, not/,
  },
  {
    name: "what an owner has told ends when somebody else has become the owner",
    edits: [
      {
        file: "core/replication/lender.ts",
        from: "const untilMs = isHandedOver ? now.wallMs + leaseMs : Number.NEGATIVE_INFINITY;",
        to: "const untilMs = Number.POSITIVE_INFINITY;",
      },
    ],
    faults: [],
    options: { nodes: 6 },
    finds: /otherwise than its owner says/,
  },
  {
    name: "a member whose disk has failed is alive, and not able",
    edits: [
      { file: "core/bindings/journal.ts", from: "return this.#writable && !this.#hangs;", to: "return !this.#hangs;" },
    ],
    faults: ["disk-full", "disk-error"],
    options: { durationMs: 24_000 },
    finds: /is not served, while only/,
  },
  {
    name: "a disk that hangs is found out by how long a write takes",
    edits: [
      {
        file: "core/bindings/journal.ts",
        from: "return this.#writable && !this.#hangs;",
        to: "return this.#writable;",
      },
    ],
    faults: ["disk-hang"],
    options: { durationMs: 24_000 },
    finds: /is not served, while only/,
  },
  {
    name: "what is asked for at a member that can't store is handed over, and waits for who takes it",
    edits: [
      {
        file: "core/home-agent/routes.ts",
        from: "if (membership.isAble(self)) return undefined;",
        to: "return undefined;",
      },
      {
        file: "core/replication/mover.ts",
        from: "return this.draining || !this.#options.membership.canStoreHere;",
        to: "return this.draining;",
      },
    ],
    faults: ["disk-full", "disk-error", "disk-hang"],
    options: { durationMs: 24_000 },
    finds: /is not served, while only/,
  },
  {
    name: "a former owner that lags hears of its successor",
    edits: [
      {
        file: "core/replication/replicator.ts",
        from: "if (number === Number.POSITIVE_INFINITY && receiver === former?.owner)",
        to: "if (number === -1)",
      },
    ],
    faults: ["disk-hang"],
    options: { durationMs: 24_000 },
    finds: /by an older registration/,
  },
];

/** Runs until something is found; each mutation shows within far fewer. */
const MAXIMUM_SEEDS = 150;

test.each(MUTATIONS)("is noticed when it no longer holds that $name", { timeout: 300_000 }, async (mutation) => {
  const { edits = [], faults, options, finds } = mutation;
  const found = await hunt(
    edits,
    { nodes: 3, mobiles: 12, faults, ...options },
    { first: 1, seeds: MAXIMUM_SEEDS, finds },
  );
  if (found === undefined) expect.fail(`nothing was noticed in ${MAXIMUM_SEEDS} seeds`);
  process.stderr.write(`switched off that ${mutation.name}: caught by seed ${found.seed}: ${found.violation}\n`);
});
