/**
 * What must hold at every moment, faults or not; looked at every 100 ms of simulated time and at every reply and event.
 * What can hold only once faults are over is in invariants.ts.
 */

import type { Binding, CareOfBinding } from "../core/bindings/binding.ts";
import { encodeBindingRow } from "../core/bindings/binding-row.ts";
import { type IngressBinding, isNewerOwnership } from "../core/bindings/location.ts";
import { encodeLocationRow } from "../core/bindings/location-row.ts";
import { compareVersions, type RegistrationVersion, versionOf } from "../core/bindings/merge.ts";
import { isTombstone, withoutExpired } from "../core/bindings/mobility-bindings.ts";
import type { MobileKey } from "../core/names.ts";
import { mobileKeyOf } from "../core/registration/identity.ts";
import { WINDOW_ROWS } from "../core/replication/peer-progress.ts";
import { formatEndpoint, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { nameOf } from "./disk-damage.ts";
import { type Attempt, deregistersAll, isDegraded, keysOf, type Mobile, rowOf } from "./mobile.ts";
import type { Mobiles } from "./mobiles.ts";
import { associationOf } from "./names.ts";
import { EPOCH_MS, type Loaded, type SimulatedNode } from "./node.ts";
import { ASSOCIATION, DEGRADED_LIFETIME_SECONDS, MAXIMUM_PENDING } from "./settings.ts";
import { Versions } from "./versions.ts";
import { noteViolation } from "./violations.ts";
import type { Reported, World } from "./world.ts";

const INTERVAL_MS = 100;
/** From the end of a partition, or of whatever struck a member, until it may be held to what others know. */
const CONVERGENCE_MS = 5000;
/** Expiry is looked for once a second, by clocks that the fault `clock` has made late. */
const EXPIRY_SLACK_MS = 2500;
/** A member that starts, and hears nobody who could tell it the time, goes by its own clock after so long. */
const CERTAINTY_MS = 60_000;
/** Clocks may differ by so much. */
const CLOCK_SLACK_MS = 2000;
/** Within this time a member that no other hears is dead, and one that is heard again is alive to all. */
const DETECTION_MS = 2000;
/** The same, then a second for those who did not hear all of it, and the time to look again. */
const TAKEOVER_MS = 3500;
/** Within this time a hanging disk is detected, all members know, and what waited for it has been handed over. */
const HANDOVER_MS = 2500;
/** Within this time an answer is there. */
const ANSWER_MS = 1000;
/** More than the network loses in a row. */
const SURELY_RECEIVED = 4;

export class Monitor {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #mobiles: Mobiles;
  readonly #versions: Versions;
  /** The version of each row on each member, for as long as it runs and its disk works. */
  readonly #signed = new Map<string, Map<MobileKey, RegistrationVersion>>();

  constructor(world: World, mobiles: Mobiles) {
    this.#world = world;
    this.#mobiles = mobiles;
    this.#versions = new Versions(world);
    world.onRestored = (node, loaded) => this.#checkRestored(node, loaded);
    world.onEvent = (reported) => this.#reported(reported);
    world.onViolation = (violation) => this.#violated(violation);
    mobiles.onAccepted = (mobile, attempt) => this.#accepted(mobile, attempt);
    this.#look();
  }

  #look(): void {
    for (const node of this.#world.nodes) {
      if (node.state !== "running") continue;
      this.#checkQueues(node);
      this.#checkQuotas(node);
      this.#checkRows(node);
      this.#checkForwarding(node);
      this.#checkForeignAgents(node);
    }
    this.#checkAddresses();
    for (const mobile of this.#mobiles.mobiles) {
      this.#checkServed(mobile);
      this.#checkKept(mobile);
    }
    this.#checkDeadDisks();
    this.#world.queue.after(INTERVAL_MS, () => this.#look());
  }

  /** What a disk has made of a row is left out, so that it is neither served nor sent to others, and told. */
  #checkRestored({ id, agent }: SimulatedNode, { damage: { visible, forged }, leftOut }: Loaded): void {
    if (leftOut < visible)
      this.#violated(`${id} has lost rows to its disk, and tells of ${leftOut} instead of ${visible}`);
    for (const row of agent.bindings)
      if (forged.has(nameOf(encodeBindingRow(row))))
        this.#violated(`${id} believes what its disk has made of ${row.mobile}`);
    for (const location of agent.locations)
      if (forged.has(nameOf(encodeLocationRow(location))))
        this.#violated(`${id} believes what its disk has made of the location of ${location.mobile}`);
  }

  /** As it is, whatever clocks say. */
  get #timeMs(): number {
    return EPOCH_MS + this.#world.queue.nowMs;
  }

  #violated(violation: string): void {
    noteViolation(this.violations, this.#world.queue.nowMs, violation);
  }

  /** An accepting reply has left: so many disks have what it says, or its lifetime is short. */
  #accepted(mobile: Mobile, { identification, accepted }: Attempt): void {
    const { homeAddress, name } = mobile;
    const { reply } = accepted ?? {};
    if (reply === undefined || reply.lifetimeSeconds <= DEGRADED_LIFETIME_SECONDS) return;
    // Who lost its disk a moment ago may have had it.
    if (this.#world.diskLostAtMs > this.#world.queue.nowMs - CONVERGENCE_MS) return;
    const disks = this.#world.disksWith(keysOf(mobile, reply.homeAddress), identification);
    if (disks <= this.#world.acknowledgements)
      this.#violated(
        `${name} (${homeAddress}) was accepted for ${reply.lifetimeSeconds} s with ${disks} disks that have it`,
      );
  }

  /** Overload sheds; nothing grows without end. */
  #checkQueues(node: SimulatedNode): void {
    const { temporaryBindings, unsafeAnswers, deferredRequests, rowsUnderWay } = node.agent.queues;
    const most = Math.max(temporaryBindings, unsafeAnswers, deferredRequests);
    if (most > MAXIMUM_PENDING) this.#violated(`${node.id} has ${most} requests waiting`);
    if (rowsUnderWay > 2 * WINDOW_ROWS) this.#violated(`${node.id} has ${rowsUnderWay} rows under way to a peer`);
  }

  /**
   * Of the mobiles that share a key, a member has accepted so many new ones at most; those that it took over come on top.
   */
  #checkQuotas(node: SimulatedNode): void {
    const counts = new Map<number, number>();
    for (const { ownership, nai, homeAddress } of node.agent.bindings) {
      // What a mobile leaves behind under a name that it goes by no longer is bounded by time.
      if (ownership.owner !== node.id || ownership.generation > 1 || homeAddress === UNSPECIFIED) continue;
      const mobile = nai === undefined ? undefined : this.#mobiles.mobiles.find((one) => one.nai === nai);
      const { spi } = mobile === undefined ? ASSOCIATION : associationOf(mobile, nai);
      counts.set(spi, (counts.get(spi) ?? 0) + 1);
    }
    for (const [spi, count] of counts)
      if (count > this.#world.maximumMobilesPerAssociation)
        this.#violated(`${node.id} has accepted more mobiles of one association than its quota: SPI ${spi}`);
  }

  /** Identifications don't go back, and lifetimes end. */
  #checkRows(node: SimulatedNode): void {
    // A disk that failed takes back what it did not write, as it was never answered.
    const name = `${node.id} ${node.life} ${node.diskFailures}`;
    let signed = this.#signed.get(node.id + name);
    if (signed === undefined) {
      signed = new Map();
      this.#signed.set(node.id + name, signed);
    }
    const seen = new Map<MobileKey, RegistrationVersion>();
    for (const row of node.agent.bindings) {
      const ambiguity = this.#versions.check(row);
      if (ambiguity !== undefined) this.#violated(ambiguity);
      const version = versionOf(row);
      const before = signed.get(row.mobile);
      if (before !== undefined && compareVersions(version, before) < 0)
        this.#violated(`on ${node.id} the Identification of ${row.mobile} went back`);
      seen.set(row.mobile, version);
      // Nothing ends for good by a clock that nobody has confirmed, which is so for a while after a start alone.
      const goesByTime = node.agent.isTimeCertain || node.hasBeenServingFor(CERTAINTY_MS);
      if (row.ownership.owner === node.id && node.hasBeenServingFor(0) && goesByTime) this.#checkLifetime(node, row);
    }
    this.#signed.set(node.id + name, seen);
  }

  #isOutdated({ mobile, homeAddress, ownership }: Binding): boolean {
    return this.#world.nodes.some(({ id, agent }) => {
      const own = agent.findBinding({ homeAddress, nai: undefined });
      return own?.mobile === mobile && own.ownership.owner === id && isNewerOwnership(own.ownership, ownership);
    });
  }

  /** Packets of mobiles that this member owns or backs up go where its rows say. */
  #checkForwarding({ id, agent, tunnels }: SimulatedNode): void {
    const live = [...agent.bindings].filter(
      (row) => !isTombstone(row) && (row.ownership.owner === id || row.ownership.backups.includes(id)),
    );
    // Until a partition's doubles are settled, an address may be in two rows here: one of them has it.
    const holders = live.filter((row) => agent.findBinding({ homeAddress: row.homeAddress, nai: undefined }) === row);
    for (const row of holders) {
      // It may have been told of a newer ownership, which its disk or its stream has kept from its table.
      if (this.#isOutdated(row)) continue;
      const { homeAddress, mobile, registration } = row;
      const careOf = registration.careOfAddresses.map(({ careOfAddress, expiresAtMs }) => [careOfAddress, expiresAtMs]);
      const forwarded = tunnels.get(homeAddress)?.map(({ careOfAddress, expiresAtMs }) => [careOfAddress, expiresAtMs]);
      if (String(forwarded) !== String(careOf))
        this.#violated(`${id} forwards the packets of ${mobile} otherwise than its row says`);
    }
  }

  /**
   * Whatever names a foreign agent names one by which the mobile asked; at an ingress it lasts no longer than was granted.
   */
  #checkForeignAgents(node: SimulatedNode): void {
    const attemptOf = (mobile: MobileKey, { identification, foreignAgent }: CareOfBinding | IngressBinding) => {
      const attempt = this.#mobiles.attemptBy(identification, foreignAgent);
      if (attempt === undefined)
        this.#violated(`${node.id} has ${mobile} at ${formatEndpoint(foreignAgent)}, from where it never asked`);
      return attempt;
    };
    for (const { mobile, registration } of node.agent.bindings)
      for (const careOfBinding of registration.careOfAddresses) attemptOf(mobile, careOfBinding);
    for (const { mobile, ingress } of node.agent.locations) {
      const attempt = ingress && attemptOf(mobile, ingress);
      if (attempt?.accepted === undefined || attempt.isUncertain) continue;
      const { atMs, reply } = attempt.accepted;
      if (
        ingress !== undefined &&
        ingress.expiresAtMs > EPOCH_MS + atMs + reply.lifetimeSeconds * 1000 + CLOCK_SLACK_MS / 2
      )
        this.#violated(`the ingress binding of ${mobile} on ${node.id} outlives what was granted`);
    }
  }

  #checkLifetime(node: SimulatedNode, row: Binding): void {
    const late = withoutExpired(row, this.#timeMs - EXPIRY_SLACK_MS);
    if (late !== row) this.#violated(`${node.id} serves ${row.mobile} beyond its lifetime`);
  }

  /** No home address belongs to two mobiles; one of a pool not even on two sides of a partition. */
  #checkAddresses(): void {
    const isWhole = this.#world.wasWholeSince(this.#world.queue.nowMs - CONVERGENCE_MS);
    const holders = new Map<number, Binding>();
    for (const node of this.#world.nodes) {
      if (!node.hasBeenServingFor(0)) continue;
      for (const row of node.agent.bindings) {
        if (row.ownership.owner !== node.id || isTombstone(withoutExpired(row, this.#timeMs))) continue;
        const holder = holders.get(row.homeAddress);
        if (holder !== undefined && holder.mobile !== row.mobile && (isWhole || (holder.dynamic && row.dynamic)))
          this.#violated(`${row.mobile} and ${holder.mobile} have the same home address`);
        holders.set(row.homeAddress, row);
      }
    }
  }

  /** A member that serves a mobile knows what it was told last, unless paths are broken or were a moment ago. */
  #checkServed(mobile: Mobile): void {
    const { nowMs } = this.#world.queue;
    const last = this.#mobiles.lastAccepted(mobile);
    if (last?.accepted === undefined || !this.#world.wasWholeSince(nowMs - CONVERGENCE_MS)) return;
    const { reply, atMs } = last.accepted;
    const { nai, homeAddress, name } = mobile;
    const key = mobileKeyOf({ homeAddress, nai });
    const isUncertain = this.#mobiles.unknownAfter(mobile).length > 0;
    for (const node of this.#world.nodes) {
      if (key === undefined || !node.hasBeenServingFor(CONVERGENCE_MS)) continue;
      const row = rowOf(node, mobile);
      if (row === undefined) continue;
      this.#checkTakenOver(node, row);
      if (row.ownership.owner !== node.id) continue;
      const { registration } = withoutExpired(row, this.#timeMs);
      const granted = registration.careOfAddresses.find((entry) => entry.identification === last.identification);
      const grantedUntilMs = EPOCH_MS + atMs + reply.lifetimeSeconds * 1000;
      if (!last.isUncertain && granted !== undefined && granted.expiresAtMs > grantedUntilMs + CLOCK_SLACK_MS / 2)
        this.#violated(`the registration of ${name} at ${node.id} was extended without being asked for anew`);
      if (registration.identification < last.identification && atMs < nowMs - INTERVAL_MS)
        this.#violated(
          `${node.id} serves ${name} by an older registration than that accepted at ${atMs.toFixed(0)} ms`,
        );
      if (isUncertain || registration.careOfAddresses.length === 0) continue;
      if (reply.lifetimeSeconds === 0 && deregistersAll(last, mobile))
        this.#violated(`${name} lives on at ${node.id} after its deregistration at ${atMs.toFixed(0)} ms`);
      if (reply.lifetimeSeconds > 0 && atMs + reply.lifetimeSeconds * 1000 + CLOCK_SLACK_MS < nowMs)
        this.#violated(`${name} outlives its lifetime at ${node.id}`);
    }
  }

  /** A disk that takes nothing keeps no mobile from being served for long, as long as other members are well. */
  #checkDeadDisks(): void {
    const { nowMs } = this.#world.queue;
    const dead = this.#world.nodes.filter(({ diskDeadSinceMs }) => diskDeadSinceMs !== undefined);
    const well = this.#world.nodes.filter((node) => !dead.includes(node));
    const sinceMs = Math.max(...dead.map(({ diskDeadSinceMs = nowMs }) => diskDeadSinceMs)) + HANDOVER_MS;
    const isCalm =
      this.#world.wasWholeSince(sinceMs - CONVERGENCE_MS) &&
      this.#world.network.wasFairSince(sinceMs) &&
      dead.every(({ state, isSlow, wellSinceMs }) => state === "running" && !isSlow && wellSinceMs < sinceMs) &&
      well.every((node) => node.hasBeenServingFor(nowMs - sinceMs + CONVERGENCE_MS) && node.disk.wasFairSince(sinceMs));
    if (dead.length === 0 || well.length === 0 || sinceMs > nowMs || !isCalm) return;
    const who = dead.map(({ id }) => id).join();
    for (const mobile of this.#mobiles.mobiles) {
      // A mobile whose address another one has is denied with 129 by all members.
      if (mobile.habit === "contending") continue;
      const unanswered = this.#mobiles
        .unknownAfter(mobile)
        .filter(({ sentMs, lastSentMs }) => sentMs > sinceMs && lastSentMs < nowMs - ANSWER_MS);
      const datagrams = unanswered.reduce((sum, attempt) => sum + attempt.datagrams, 0);
      if (datagrams < SURELY_RECEIVED) continue;
      this.#violated(`${mobile.name} is not served, while only ${who} can't store`);
    }
  }

  /** Some member has what the mobile was told last, or a newer one, in memory or on the disk that it will start with. */
  #checkKept(mobile: Mobile): void {
    const last = this.#mobiles.lastAccepted(mobile);
    if (last?.accepted === undefined || isDegraded(last)) return;
    // By the address alone it is the same as whoever had that before it: on the other side that one may go on.
    const isDistinct = mobile.habit !== "succeeding";
    if (!isDistinct && !this.#world.wasWholeSince(this.#world.queue.nowMs - CONVERGENCE_MS)) return;
    // Of what is over nothing needs to stay.
    const { reply, atMs } = last.accepted;
    if (mobile.cededAtMs >= atMs || atMs + reply.lifetimeSeconds * 1000 <= this.#world.queue.nowMs + CLOCK_SLACK_MS)
      return;
    const { identification } = last;
    const names = keysOf(mobile, reply.homeAddress);
    const isKept = this.#world.nodes.some((node) =>
      node.state === "down"
        ? node.hasOnDisk(names, identification)
        : (rowOf(node, mobile)?.registration.identification ?? -1n) >= identification,
    );
    if (!isKept) this.#violated(`nobody has the registration of ${mobile.name} accepted at ${atMs.toFixed(0)} ms`);
  }

  /** A backup doesn't wait for ever for a takeover. */
  #checkTakenOver({ id }: SimulatedNode, { mobile, ownership: { owner, backups } }: Binding): void {
    const { state, downSinceMs } = this.#world.node(owner);
    if (!backups.includes(id) || state !== "down" || downSinceMs > this.#world.queue.nowMs - TAKEOVER_MS) return;
    this.#violated(`nobody has taken over ${mobile} of ${owner}, which is dead`);
  }

  /** The mobile has lost its home address, so what it was granted need not be served. */
  #noteCeding(key: string): void {
    for (const mobile of this.#mobiles.mobiles) {
      if (keysOf(mobile, mobile.homeAddress).includes(key as MobileKey)) mobile.cededAtMs = this.#world.queue.nowMs;
    }
  }

  #reported(reported: Reported): void {
    if (reported.event === "member-dead") this.#checkDead(reported);
    if (reported.event === "digests-differ") this.#checkDifference(reported);
    if (reported.event === "home-address-conflict") this.#noteCeding(String(reported.fields.mobile));
  }

  /** What differs when a fault is over, the first comparison mends. */
  #checkDifference({ node, fields }: Reported): void {
    const { nowMs } = this.#world.queue;
    const owner = this.#world.node(String(fields.member));
    const areUndisturbed = [node, owner].every((one) => one.hasBeenServingFor(CONVERGENCE_MS));
    if (areUndisturbed && this.#world.wasWholeSince(nowMs - CONVERGENCE_MS))
      this.#violated(`${node.id} and ${owner.id} hold different rows, and nothing mends it`);
  }

  /** No member takes over from one that runs and that is heard by a member that is heard itself. */
  #checkDead({ node, fields }: Reported): void {
    const { nowMs } = this.#world.queue;
    const dead = this.#world.node(String(fields.member));
    if (!dead.hasBeenServingFor(DETECTION_MS) || node.isSlow || nowMs - node.wellSinceMs < DETECTION_MS) return;
    const witness = this.#world.nodes.find(
      (other) =>
        other !== node &&
        other !== dead &&
        other.hasBeenServingFor(DETECTION_MS) &&
        this.#world.network.heardSince(other.id, dead.id, nowMs - DETECTION_MS) &&
        this.#world.network.heardSince(other.id, node.id, nowMs - DETECTION_MS),
    );
    if (witness !== undefined) this.#violated(`${node.id} took ${dead.id} for dead, though ${witness.id} hears both`);
  }
}
