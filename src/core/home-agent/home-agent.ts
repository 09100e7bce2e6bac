/**
 * One home agent of the cluster, without any I/O: inputs and the time go in, outputs come out.
 *
 *                     datagram                        frame                       stream
 *                        │                              │                            │
 *                   ┌────▼─────┐  relay-request    ┌────▼────┐  heartbeats    ┌──────▼─────┐
 *            ┌──────┤ Ingress  ├───────────────────▶  other  │◀──────────────▶│ Replicator │
 *            │      │          ◀───────────────────┤ members │                │ Takeover   │
 *            │      └────┬─────┘  relay-reply      └─────────┘                └──────┬─────┘
 *            │           │ serve                                                     │ rows
 *            │      ┌────▼─────┐  rows    ┌──────────────┐  changes   ┌─────────┐    │
 *          reply    │  Owner   ├──────────▶ BindingTable ├────────────▶ Journal ├──▶ store
 *            │      │ (engine) │          │              ◀────────────┼─────────┼────┘
 *            ▼      └──────────┘          └──────────────┘            └─────────┘
 *      foreign agent
 *
 * The daemon, the tests and the simulator drive the same object.
 */
import { derivePlacementKey } from "../auth/cluster-key.ts";
import type { Binding } from "../bindings/binding.ts";
import { decodeBindingRow } from "../bindings/binding-row.ts";
import { BindingTable } from "../bindings/binding-table.ts";
import { Journal } from "../bindings/journal.ts";
import type { Location } from "../bindings/location.ts";
import { decodeLocationRow } from "../bindings/location-row.ts";
import { LocationTable } from "../bindings/location-table.ts";
import type { StoreTable } from "../bindings/row-change.ts";
import type { TemporaryBinding } from "../bindings/temporary-bindings.ts";
import type { ForwardingEntry } from "../forwarding/forwarding-entry.ts";
import { Heartbeats } from "../members/heartbeats.ts";
import { LoadMeter } from "../members/load-meter.ts";
import { Membership, type PeerStatus } from "../members/membership.ts";
import { Placement } from "../members/placement.ts";
import { TrustedClock } from "../members/trusted-clock.ts";
import type { MemberId, MobileIdentity } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import { incarnationOf } from "../protocol/acquaintance.ts";
import type { HealthState, Load, Message } from "../protocol/datagrams.ts";
import { FrameCodec } from "../protocol/frame.ts";
import type { MoveProgress } from "../replication/mover.ts";
import type { LinkState } from "../replication/peer-progress.ts";
import { Replication } from "../replication/replication.ts";
import { type Endpoint, formatIpv4, type Ipv4Address } from "../wire/ipv4.ts";
import { Answers } from "./answers.ts";
import { Deletions } from "./deletions.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { Forwarding } from "./forwarding.ts";
import { Ingress } from "./ingress.ts";
import type { Emit, Input, Output } from "./io.ts";
import { Owner } from "./owner.ts";
import { PeerFrames, type Twins } from "./peer-frames.ts";
import { PeerStreams } from "./peer-streams.ts";
import { OwnerFinder } from "./routes.ts";
import {
  clockOptions,
  type HomeAgentSettings,
  makeEngine,
  peersOf,
  type Reconfiguration,
  safetySettings,
  temporaryCopySettings,
} from "./settings.ts";

export class HomeAgent {
  #settings: HomeAgentSettings;
  readonly #clock: TrustedClock;
  readonly #journal: Journal;
  readonly #table: BindingTable;
  readonly #codec: FrameCodec;
  readonly #membership: Membership;
  readonly #placement: Placement;
  readonly #locations: LocationTable;
  readonly #owner: Owner;
  readonly #deletions: Deletions;
  readonly #finder: OwnerFinder;
  readonly #ingress: Ingress;
  readonly #registrations = new LoadMeter();
  readonly #heartbeats: Heartbeats;
  readonly #replication: Replication;
  readonly #frames: PeerFrames;
  readonly #streams: PeerStreams;
  readonly #answers: Answers;
  readonly #forwarding: Forwarding;
  /** Of the first input, monotonic ms. */
  #startedAtMs: number | undefined;
  #outputs: Output[] = [];
  /** Since it last settled. */
  #hasTicked = false;
  #mayBeSafe = false;
  #eventLoopDelayMs = 0;
  #storeQueue = 0;

  constructor(settings: HomeAgentSettings, observer: Observer) {
    const { cluster, secret, self, bootCount, startNonce, members } = settings;
    const peers = peersOf(settings);
    const emit: Emit = (output) => this.#outputs.push(output);
    const send = (to: MemberId, message: Message) => this.#frames.send(to, message);
    this.#settings = settings;
    this.#clock = new TrustedClock(clockOptions(settings), observer);
    this.#journal = new Journal((changes) => emit({ type: "append", changes }));
    this.#table = new BindingTable(this.#journal);
    this.#codec = new FrameCodec({ cluster, secret, self, peers, incarnation: incarnationOf(bootCount, startNonce) });
    this.#placement = new Placement(derivePlacementKey(secret, cluster), members);
    const membersDigest = this.#placement.digest;
    this.#membership = new Membership({ ...settings, peers, membersDigest });
    this.#frames = new PeerFrames({ codec: this.#codec, membership: this.#membership, observer, emit });
    this.#locations = new LocationTable(this.#journal);
    this.#forwarding = new Forwarding(this.#table, () => this.#alive, settings.forwardingLeaseMs);
    this.#heartbeats = new Heartbeats({
      self,
      members,
      membership: this.#membership,
      clock: this.#clock,
      observer,
      intervalMs: settings.heartbeatIntervalMs,
      send,
      load: (now) => this.load(now),
    });
    const parts = {
      self,
      table: this.#table,
      locations: this.#locations,
      journal: this.#journal,
      membership: this.#membership,
      placement: this.#placement,
      observer,
      candidates: (now: Now) => this.#heartbeats.candidates(now),
    };
    this.#streams = new PeerStreams(emit);
    this.#replication = new Replication({
      ...parts,
      peers,
      bootCount,
      forwardingLeaseMs: settings.forwardingLeaseMs,
      leased: (lease, owner, now) => this.#forwarding.learn(lease, owner, now),
      settings: settings.replication,
      temporaryCopies: temporaryCopySettings(settings),
      adopt: (copy, now) => this.#ingress.adopt(copy, now),
      answered: (homeAddress, now) => this.#owner.answered(homeAddress, now),
      send: (to, message) => this.#streams.send(to, message),
    });
    this.#owner = new Owner({
      ...parts,
      engine: makeEngine(settings),
      safety: this.#replication,
      settings: safetySettings(settings),
      maximumUncommitted: settings.maximumPending,
      runningMs: ({ monotonicMs }) => monotonicMs - (this.#startedAtMs ?? monotonicMs),
      answer: (served, answer, now) => this.#answers.deliver(served, answer, now),
      passOn: (served, now) => this.#ingress.passOn(served, now),
      resume: (served, now) => this.#ingress.resume(served, now),
    });
    this.#deletions = new Deletions({ ...parts, owner: this.#owner, emit });
    const replication = this.#replication;
    this.#finder = new OwnerFinder({ ...parts, replication, loadFactor: settings.loadFactor });
    this.#ingress = new Ingress({
      ...parts,
      settings,
      owner: this.#owner,
      doorkeeper: new Doorkeeper({ ...parts, engine: () => this.#owner.engine }),
      finder: this.#finder,
      replication,
      forwarding: this.#forwarding,
      emit,
      send,
    });
    this.#answers = new Answers({
      virtualEndpoint: settings.virtualEndpoint,
      locations: this.#locations,
      replication,
      ingress: this.#ingress,
      registrations: this.#registrations,
    });
  }

  /** A row that was on disk at start. Before the first input only. Throws a LayoutError. */
  restore(table: StoreTable, row: Uint8Array): void {
    if (table === "location") this.#locations.restore(decodeLocationRow(row));
    else this.#table.keep(decodeBindingRow(row));
  }

  /** From here on, outputs say what changes in `forwardingEntries`. */
  startForwarding(): void {
    this.#forwarding.start();
    this.#replication.startLending();
  }

  /** Handles one input and returns what follows from it. */
  handle(input: Input, now: Now): Output[] {
    this.take(input, now);
    return this.settle(now);
  }

  /** Any number of inputs of the same time, then `settle`: what they have in common is done once. */
  take(input: Input, system: Now): void {
    const now = this.#timeOfInput(system);
    this.#startedAtMs ??= now.monotonicMs;
    this.#hasTicked ||= input.type === "tick";
    this.#mayBeSafe ||= makesSafe(input);
    switch (input.type) {
      case "datagram":
        this.#ingress.receive(input.payload, input.source, input.destination, now);
        break;
      case "frame":
        this.#receiveFrame(input.payload, input.source, now);
        break;
      case "stream":
        this.#receiveStream(input.peer, input.bytes, now);
        break;
      case "stream-opened":
        this.#streams.opened(input.peer);
        this.#replication.opened(input.peer, now);
        break;
      case "stream-closed":
        this.#streamClosed(input.peer);
        this.#forwarding.silent(input.peer, now);
        break;
      case "durable":
        this.#journal.durable(input.position);
        this.#replication.acknowledge();
        break;
      case "store-failed":
        this.#journal.failed();
        this.#heartbeats.setCanStore(false);
        this.#owner.storeFailed(input.firstPosition, now);
        this.#deletions.storeFailed(input.firstPosition);
        break;
      case "store-recovered":
        this.#journal.recovered();
        this.#table.rewrite();
        this.#replication.recovered();
        break;
      case "vitals":
        this.#eventLoopDelayMs = input.eventLoopDelayMs;
        this.#storeQueue = input.storeQueue;
        this.#heartbeats.takesLinkRelay = input.takesLinkRelay ?? false;
        this.#heartbeats.setHealth(input.health, input.announced);
        break;
      case "missed":
        for (const homeAddress of input.homeAddresses) this.#replication.missed(homeAddress, now);
        break;
      case "routing-view":
        this.#membership.routed(input.announcers);
        break;
      case "stalled":
        this.#stoodStill(now);
        break;
      case "drain":
        this.#replication.drain(input.draining);
        break;
      case "rebalance":
        this.#replication.rebalance();
        break;
      case "delete-binding":
        this.#deletions.begin(input, now);
        break;
      case "reconfigure":
        this.#reconfigure(input.changes, now);
        break;
      case "tick":
        break;
    }
  }

  /** The time that this member uses, for callers other than inputs; asking for it changes nothing. */
  time(system: Now): Now {
    return this.#clock.at(system);
  }

  /** The time of an input, by which alone this member learns what has become of its system's clocks. */
  #timeOfInput(system: Now): Now {
    const now = this.#clock.read(system);
    // A machine that sleeps takes its monotonic clock along: it is the wall clock that has gone on without this member.
    if (this.#clock.sleptMs > this.#settings.peerTimeoutMs / 2) this.#stoodStill(now);
    return now;
  }

  /**
   * False from a start until others have confirmed what the system's clock says, or nobody was there to ask: nothing
   * expires meanwhile.
   */
  get isTimeCertain(): boolean {
    return this.#clock.isCertain;
  }

  /** By how much the system's clock was set ahead or back, as long as this member doesn't believe it. */
  get heldClockStepMs(): number | undefined {
    return this.#clock.heldStepMs;
  }

  /** Others may have taken this member for dead: nothing is its own until they have confirmed it. */
  #stoodStill(now: Now): void {
    this.#journal.stalled();
    this.#membership.stalled(now.monotonicMs);
    this.#owner.stalled();
    this.#ingress.stalled();
    this.#replication.stalled(now);
  }

  /** Whatever follows from the inputs taken, and from the time. The outputs are to be carried out in their order. */
  settle(system: Now): Output[] {
    const now = this.#timeOfInput(system);
    this.#journal.passTime(now);
    if (this.#heartbeats.setCanStore(this.#journal.canStore) && !this.#journal.canStore) this.#owner.storeHangs(now);
    for (const { id, state } of this.#heartbeats.passTime(now)) {
      this.#codec.silent(id);
      this.#replication.peerChanged(id, state, now);
    }
    if (this.#clock.isCertain) {
      this.#owner.expire(now);
      this.#locations.expire(now.wallMs);
    }
    this.#forwarding.passTime(now, this.#clock.isCertain);
    this.#owner.giveUp(now);
    this.#replication.passTime(now);
    // Large pieces of work only on ticks, which the driver gives between whatever else comes: with a piece for every input,
    // heartbeats would wait behind them until their senders are taken for dead, which makes more work.
    if (this.#hasTicked) this.#replication.work(now);
    if (this.#mayBeSafe) {
      this.#owner.progress(now);
      this.#deletions.progress(now);
    }
    this.#hasTicked = false;
    this.#mayBeSafe = false;
    this.#ingress.passTime(now);
    this.#replication.flush(now);
    return this.#takeOutputs();
  }

  /** When it must be given a tick at the latest, even if nothing else happens; monotonic ms. */
  nextWakeMs(system: Now): number {
    const now = this.time(system);
    const onWallClock = Math.min(this.#table.nextDueMs, this.#locations.nextDueMs, this.#forwarding.nextExpiryMs);
    return Math.min(
      this.#heartbeats.nextDueMs,
      this.#ingress.nextDeadlineMs,
      this.#owner.nextDeadlineMs,
      this.#deletions.nextDeadlineMs,
      this.#replication.nextDueMs,
      this.#forwarding.nextDueMs,
      this.#clock.isCertain ? now.monotonicMs + Math.max(onWallClock - now.wallMs, 0) : this.#clock.certainAtMs,
    );
  }

  #reconfigure(changes: Reconfiguration, now: Now): void {
    const before = this.#settings;
    const settings = { ...before, ...changes };
    const peers = peersOf(settings);
    const { members, heartbeatIntervalMs, policy, associations } = settings;
    this.#settings = settings;
    this.#clock.configure(clockOptions(settings));
    this.#codec.setPeers(peers);
    this.#placement.setMembers(members);
    this.#membership.configure({ ...settings, peers, membersDigest: this.#placement.digest });
    this.#heartbeats.configure({ members, intervalMs: heartbeatIntervalMs });
    this.#owner.configure(safetySettings(settings));
    if (policy !== before.policy || associations !== before.associations) this.#owner.setEngine(makeEngine(settings));
    this.#finder.configure(settings);
    const temporaryCopies = temporaryCopySettings(settings);
    this.#replication.configure({ peers, settings: settings.replication, temporaryCopies }, now);
  }

  // Views, for the control API. They are live: read them, don't keep them.

  /** As owner or as backup; tombstones included. */
  findBinding(identity: MobileIdentity): Binding | undefined {
    return this.#table.find(identity);
  }

  findLocation(identity: MobileIdentity): Location | undefined {
    return this.#locations.find(identity);
  }

  get bindings(): Iterable<Binding> {
    return this.#table.values();
  }

  get locations(): Iterable<Location> {
    return this.#locations.values();
  }

  /** How the packets of all mobiles reach them that this member owns, backs up, or was told of. */
  get forwardingEntries(): Iterable<ForwardingEntry> {
    return this.#forwarding.entries();
  }

  forwardingEntryOf(homeAddress: Ipv4Address): ForwardingEntry {
    return this.#forwarding.entryOf(homeAddress);
  }

  /** Whom packets of an unknown mobile are passed on to: the first of these that is alive. */
  homesOf(homeAddress: Ipv4Address): readonly MemberId[] {
    return this.#placement.rank(`ip:${formatIpv4(homeAddress)}`);
  }

  get temporaryBindings(): Iterable<TemporaryBinding> {
    return this.#ingress.temporaryBindings;
  }

  get peers(): Iterable<PeerStatus> {
    return this.#membership.values();
  }

  peer(id: MemberId): PeerStatus | undefined {
    return this.#membership.get(id);
  }

  /** Members that two daemons say they are, lately. */
  twins(now: Now): Twins[] {
    return this.#frames.twins(now);
  }

  /** Members that hear another daemon, started later, that says it is this one. */
  get hearingAnother(): readonly MemberId[] {
    return this.#membership.hearingAnother;
  }

  get health(): HealthState {
    return this.#heartbeats.health;
  }

  /** Members that this one may leave routing to when it is unfit. */
  get standIns(): readonly MemberId[] {
    return this.#heartbeats.standIns;
  }

  /** Peers that this member must be level with before it may be announced. */
  get catchingUpWith(): readonly MemberId[] {
    return this.#replication.catchingUpWith;
  }

  /** Too few backups are in reach: what is accepted now is not as safe as promised. */
  get isDegraded(): boolean {
    return this.#replication.isDegraded;
  }

  /** Of giving bindings away on purpose; `undefined` if that was never asked for. */
  get moveProgress(): MoveProgress | undefined {
    return this.#replication.moveProgress;
  }

  linkTo(peer: MemberId): { readonly state: LinkState; readonly backlogRows: number } {
    return this.#replication.linkTo(peer);
  }

  get counts(): {
    readonly owned: number;
    readonly backup: number;
    readonly tombstones: number;
    readonly ingress: number;
    readonly temporary: number;
  } {
    const { self } = this.#settings;
    const owned = this.#table.liveCount(self);
    const tombstones = this.#table.tombstoneCount(self);
    return {
      owned,
      backup: this.#table.size - owned - tombstones,
      tombstones,
      ingress: this.#locations.ingressCount,
      temporary: this.#ingress.temporaryCount,
    };
  }

  /** What is waiting; each is bounded. */
  get queues(): {
    readonly temporaryBindings: number;
    readonly unsafeAnswers: number;
    readonly deferredRequests: number;
    /** The most to any peer. */
    readonly rowsUnderWay: number;
  } {
    return {
      temporaryBindings: this.#ingress.temporaryCount,
      unsafeAnswers: this.#owner.unsafeCount,
      deferredRequests: this.#ingress.deferredCount,
      rowsUnderWay: this.#replication.rowsUnderWay,
    };
  }

  load(now: Now): Load {
    return {
      ownedBindings: this.#table.liveCount(this.#settings.self),
      registrationsPerSecond: this.#registrations.perSecond(now.monotonicMs),
      eventLoopDelayMs: this.#eventLoopDelayMs,
      storeQueue: this.#storeQueue,
    };
  }

  get #alive(): MemberId[] {
    return this.#settings.members.flatMap(({ id }) => (this.#membership.isAlive(id) ? [id] : []));
  }

  #receiveFrame(payload: Uint8Array, source: Endpoint, now: Now): void {
    const received = this.#frames.receive(payload, source, now);
    if (received === undefined) return;
    const { sender, incarnation, message } = received;
    switch (message.type) {
      case "heartbeat": {
        const { state, restarted } = this.#heartbeats.received(sender, incarnation, message, now);
        if (state !== undefined) this.#frames.forgive(source);
        if (state === "skewed") this.#streams.end(sender, "clock-skew");
        if (restarted) this.#replication.peerRestarted(sender);
        if (state !== undefined) this.#replication.peerChanged(sender, state, now);
        break;
      }
      case "relay-request":
        this.#ingress.relayed(sender, message, now);
        break;
      case "relay-reply":
        this.#ingress.replied(sender, message, now);
        break;
    }
  }

  #receiveStream(peer: MemberId, bytes: Uint8Array, now: Now): void {
    if (!this.#isBelieved(peer)) {
      this.#streams.end(peer, "clock-skew");
      return;
    }
    const messages = this.#streams.read(peer, bytes);
    if (messages.length > 0) this.#membership.lives(peer, now.monotonicMs);
    try {
      for (const message of messages) {
        this.#mayBeSafe ||= message.type === "ack";
        this.#replication.receive(peer, message, now);
      }
    } catch (error) {
      // What was not taken in would be acknowledged with what comes after it.
      this.#streams.end(peer, "failed");
      throw error;
    }
  }

  #streamClosed(peer: MemberId): void {
    this.#streams.closed(peer);
    this.#replication.closed(peer);
    // What was to be said on it must not be said on the next one, where numbers mean other messages.
    this.#outputs = this.#outputs.filter((output) => output.type !== "stream" || output.to !== peer);
  }

  /** Neither a stranger or a former member, nor a member whose clock differs too much from ours. */
  #isBelieved(peer: MemberId): boolean {
    return (this.#membership.get(peer)?.state ?? "skewed") !== "skewed";
  }

  #takeOutputs(): Output[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    // Before any reply: when a mobile hears that it is registered, its packets find it.
    return [...this.#forwarding.takeOutputs(), ...outputs];
  }
}

/**
 * After which inputs an answer that waits may be sent, or given up: looking through them all after every datagram would
 * cost too much.
 */
function makesSafe(input: Input): boolean {
  return input.type === "durable" || input.type === "tick" || input.type === "stream-closed";
}
