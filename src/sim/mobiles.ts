/**
 * Mobile nodes and their foreign agents: they register, move, deregister, send again what was not answered, and an attacker
 * replays what was. They remember what they were told, which is what the cluster is held to.
 */

import type { MobileAssociation } from "../core/auth/association.ts";
import { computeAuthenticator } from "../core/auth/authenticator.ts";
import type { Binding } from "../core/bindings/binding.ts";
import { compareRegistrations } from "../core/bindings/merge.ts";
import type { MobileKey } from "../core/names.ts";
import { mobileKeyOf } from "../core/registration/identity.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import { type Endpoint, formatEndpoint, formatIpv4, type Ipv4Address, ipv4, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { MessageWriter } from "../core/wire/message-writer.ts";
import { epochMsFromNtp, ntpFromEpochMs } from "../core/wire/ntp-timestamp.ts";
import {
  decodeRegistrationReply,
  encodeRequestFields,
  type RegistrationReply,
} from "../core/wire/registration-message.ts";
import { isAccepted, ReplyCode } from "../core/wire/reply-code.ts";
import { associationOf, type Names, nextNames, type Person, restless, settled } from "./names.ts";
import { EPOCH_MS, type SimulatedNode } from "./node.ts";
import { DEGRADED_LIFETIME_SECONDS, VIRTUAL_ENDPOINT } from "./settings.ts";
import type { ReplySent, World } from "./world.ts";

/** A request, and what became of it. */
export interface Attempt {
  readonly identification: bigint;
  /** As the mobile showed it. */
  readonly nai: string | undefined;
  readonly careOfAddress: string;
  readonly requestedSeconds: number;
  readonly payload: Uint8Array;
  readonly source: Endpoint;
  sentMs: number;
  /** The last of its datagrams. */
  lastSentMs: number;
  /** It was under way in a partition, or before all copies were equal: it may have been accepted twice. */
  isUncertain: boolean;
  datagrams: number;
  replies: number;
  /** The member that the last datagram went to, and those that replies came from. */
  ingress: string | undefined;
  readonly repliers: Set<string>;
  /** The first reply that accepted it. */
  accepted: { readonly atMs: number; readonly reply: RegistrationReply; readonly bytes: string } | undefined;
}

export interface Mobile extends Person {
  /** The last that it was told is its own. */
  homeAddress: Ipv4Address;
  /** It has registered with its NAI. */
  shown: boolean;
  /** When it lost its home address to another that a partition had given it to as well. */
  cededAtMs: number;
  /** What it asks for. */
  readonly lifetimesSeconds: readonly number[];
  /** Its clock is ahead now and then, until an operator helps it. */
  readonly mayBeAhead: boolean;
  /** It is out of reach for a while, now and then. */
  readonly rests: boolean;
  /** It sends nothing before. */
  silentUntilMs: number;
  /** Of its clock, minus true time: it takes over what a home agent says that refuses its own (RFC 5944 5.7.1). */
  clockOffsetMs: number;
  /** When an operator last had its replay state forgotten. */
  forgottenAtMs: number;
  /** Requests refused for their Identification, since one was accepted. */
  mismatches: number;
  /** In the order in which the mobile made them. */
  readonly attempts: Attempt[];
}

/** Nothing of the mobile is left: it gave its home address as the one to end, RFC 5944 3.6.1.1. */
export function deregistersAll({ careOfAddress, requestedSeconds }: Attempt, { homeAddress }: Mobile): boolean {
  return requestedSeconds === 0 && careOfAddress === formatIpv4(homeAddress);
}

/** What a foreign agent, or an attacker, waits for the reply to. */
interface Pending {
  readonly mobile: Mobile;
  readonly attempt: Attempt;
  /** Of a replay: the request that it repeats, and whether it may be taken for a retransmission. */
  readonly replay?: { readonly of: Attempt; readonly mayBeRetransmission: boolean };
}

/** Of every third mobile nothing is left when the simulation ends. */
const SHORT_LIFETIMES_SECONDS = [2, 5, 10];
const LIFETIMES_SECONDS = [[10, 600, 1200, 1800], [600, 1200, 1800], SHORT_LIFETIMES_SECONDS];

const AHEAD_MS = 5000;

/**
 * The first request after a start, and after a clock of a member that is a second off, may be refused; not one after the
 * other.
 */
const PATIENCE = 4;

/** From the end of a partition until all copies are equal, generously. */
const CONVERGENCE_MS = 5000;

export class Mobiles {
  readonly mobiles: readonly Mobile[];
  /** What must never happen, and did. */
  readonly violations: string[] = [];
  onAccepted: (mobile: Mobile, attempt: Attempt) => void = () => undefined;
  readonly #world: World;
  /** Of all mobiles, by Identification. */
  readonly #attempts = new Map<bigint, Attempt>();
  /** By foreign agent and low bits of the Identification, as a foreign agent matches replies. */
  readonly #pending = new Map<string, Pending>();

  constructor(world: World, count: number, restlessCount = 0) {
    this.#world = world;
    const people = [
      ...Array.from({ length: count }, (_, index) => settled(index)),
      ...Array.from({ length: restlessCount }, (_, index) => restless(index)),
    ];
    this.mobiles = people.map((person, index) => {
      const lifetimesSeconds = LIFETIMES_SECONDS[index % LIFETIMES_SECONDS.length] ?? [];
      return {
        ...person,
        shown: false,
        cededAtMs: Number.NEGATIVE_INFINITY,
        lifetimesSeconds,
        rests: lifetimesSeconds === SHORT_LIFETIMES_SECONDS,
        mayBeAhead: index < count && index % 6 === 4,
        silentUntilMs: 0,
        clockOffsetMs: 0,
        forgottenAtMs: Number.NEGATIVE_INFINITY,
        mismatches: 0,
        attempts: [],
      };
    });
    world.onReply = (reply) => this.#replied(reply);
  }

  /** Keeps every mobile busy until a time. */
  liveUntil(endMs: number): void {
    const { queue, random } = this.#world;
    for (const mobile of this.mobiles) {
      const act = () => {
        if (queue.nowMs >= endMs) return;
        this.#act(mobile);
        queue.after(random.between(200, 3000), act);
      };
      queue.after(random.between(0, 2000), act);
    }
  }

  /** The newest request that the mobile was told is accepted. */
  lastAccepted(mobile: Mobile): Attempt | undefined {
    const last = mobile.attempts.findLast(({ accepted }) => accepted !== undefined);
    return last !== undefined && last.sentMs > mobile.forgottenAtMs ? last : undefined;
  }

  /** Requests made after the newest that was accepted; they may have had an effect without a reply. */
  unknownAfter(mobile: Mobile): readonly Attempt[] {
    return mobile.attempts.slice(mobile.attempts.findLastIndex(({ accepted }) => accepted !== undefined) + 1);
  }

  /** The request with this Identification, if a mobile has sent it by this foreign agent. */
  attemptBy(identification: bigint, foreignAgent: Endpoint): Attempt | undefined {
    const attempt = this.#attempts.get(identification);
    return attempt !== undefined && formatEndpoint(attempt.source) === formatEndpoint(foreignAgent)
      ? attempt
      : undefined;
  }

  /** The newest requests of mobiles that have been sent once, there, and not been answered. */
  waitingFor(ingress: string): { readonly mobile: Mobile; readonly attempt: Attempt }[] {
    return this.mobiles.flatMap((mobile) => {
      const attempt = mobile.attempts.at(-1);
      const waits = attempt?.ingress === ingress && attempt.datagrams === 1 && attempt.replies === 0;
      return waits ? [{ mobile, attempt }] : [];
    });
  }

  #act(mobile: Mobile): void {
    const { random, queue } = this.#world;
    if (queue.nowMs < mobile.silentUntilMs) return;
    if (mobile.mayBeAhead) {
      // Within the window of timestamps, so that it is accepted; then its clock is set right, which locks it out.
      const wasHelped = queue.nowMs < mobile.forgottenAtMs + AHEAD_MS;
      if (mobile.mismatches > 0 && !wasHelped) this.#forgetReplayState(mobile);
      else if (random.chance(0.3)) mobile.clockOffsetMs = mobile.clockOffsetMs > 0 ? 0 : AHEAD_MS;
    }
    // Long enough for the cluster to forget it.
    if (mobile.rests && random.chance(0.06)) mobile.silentUntilMs = queue.nowMs + random.between(10_000, 30_000);
    const last = mobile.attempts.at(-1);
    // A foreign agent, or the network, may send again what has been answered.
    if (last !== undefined && random.chance(last.replies === 0 ? 0.5 : 0.03)) this.#send(mobile, last);
    else if (random.chance(0.04)) this.#replay(mobile);
    else if (random.chance(0.08)) this.#attempt(mobile, 0);
    else this.#attempt(mobile, random.pick(mobile.lifetimesSeconds));
  }

  #attempt(mobile: Mobile, requestedSeconds: number): void {
    const { random, queue } = this.#world;
    if (requestedSeconds === 0 && this.lastAccepted(mobile) === undefined) return;
    const last: Names = { homeAddress: mobile.homeAddress, nai: this.#shownNai(mobile) };
    const names = requestedSeconds === 0 ? last : nextNames(mobile, this.mobiles, random);
    if (names === undefined) return;
    const agent = random.integer(3);
    const all = requestedSeconds === 0 && random.chance(0.7);
    const careOfAddress = all ? formatIpv4(names.homeAddress) : `192.0.2.${agent + 1}`;
    const source: Endpoint = { address: ipv4(`192.0.2.${agent + 1}`), port: 434 };
    let identification = ntpFromEpochMs(EPOCH_MS + queue.nowMs + mobile.clockOffsetMs + random.next());
    // By its low half a foreign agent tells its requests apart.
    while (this.#pending.has(pendingKey(source, identification))) identification++;
    const attempt: Attempt = {
      identification,
      nai: names.nai,
      careOfAddress,
      requestedSeconds,
      payload: encode(names, associationOf(mobile, names.nai), requestedSeconds, careOfAddress, identification),
      source,
      sentMs: queue.nowMs,
      lastSentMs: queue.nowMs,
      isUncertain: false,
      datagrams: 0,
      replies: 0,
      ingress: undefined,
      repliers: new Set(),
      accepted: undefined,
    };
    mobile.attempts.push(attempt);
    this.#attempts.set(identification, attempt);
    this.#send(mobile, attempt);
  }

  #send(mobile: Mobile, attempt: Attempt): void {
    const { announced, random, queue } = this.#world;
    if (announced.length === 0) return;
    attempt.isUncertain ||= !this.#world.wasWholeSince(queue.nowMs - CONVERGENCE_MS);
    this.#pending.set(pendingKey(attempt.source, attempt.identification), { mobile, attempt });
    attempt.datagrams++;
    attempt.lastSentMs = queue.nowMs;
    const ingress = random.pick(announced);
    attempt.ingress = ingress.id;
    this.#world.datagram(ingress, attempt.payload, attempt.source);
  }

  /**
   * An attacker sends an accepted request again. A member that holds it as the mobile's last takes it for a retransmission,
   * repeats the reply, and changes nothing (RFC 5944 3.8.2.2); that no member holds it for long once there is a later one,
   * the monitor checks. If none does, it must not be accepted. What was granted for a short time may be known to one member
   * alone, and be lost with it.
   */
  #replay(mobile: Mobile): void {
    const { announced, random, queue } = this.#world;
    // What was signed before its replay state was forgotten, with a clock that was ahead, may be new again.
    const old = mobile.attempts.filter(
      ({ accepted, sentMs }) => accepted !== undefined && sentMs > mobile.forgottenAtMs,
    );
    // Across a partition, and until copies have met again, no member can know what the other side has accepted.
    if (old.length === 0 || announced.length === 0 || !this.#world.wasWholeSince(queue.nowMs - CONVERGENCE_MS)) return;
    const attempt = random.pick(old);
    const source: Endpoint = { address: ipv4("198.51.100.66"), port: 6666 };
    this.#pending.set(pendingKey(source, attempt.identification), {
      mobile,
      attempt: {
        ...attempt,
        source,
        datagrams: 1,
        replies: 0,
        repliers: new Set(),
        accepted: undefined,
      },
      replay: {
        of: attempt,
        mayBeRetransmission:
          isDegraded(attempt) || this.#world.nodes.some((node) => holdsAsLast(node, mobile, attempt)),
      },
    });
    this.#world.datagram(random.pick(announced), attempt.payload, source);
  }

  #replied({ from, destination, payload }: ReplySent): void {
    const decoded = decodeRegistrationReply(payload);
    if (!decoded.ok) {
      this.violations.push(`${from} sent a reply that can't be decoded: ${decoded.fault.reason}`);
      return;
    }
    const reply = decoded.message;
    const pending = this.#pending.get(pendingKey(destination, reply.identification));
    if (pending === undefined) {
      this.violations.push(`${from} sent a reply to ${formatEndpoint(destination)}, which had not asked`);
      return;
    }
    const { mobile, attempt, replay } = pending;
    attempt.replies++;
    const where = `${mobile.name} at ${attempt.sentMs.toFixed(0)} ms`;
    // The network may double a frame, but a home agent answers each datagram once.
    if (attempt.replies > attempt.datagrams && !this.#mayRepeat(attempt, from))
      this.violations.push(`${where}: more replies than requests`);
    attempt.repliers.add(from);
    if (reply.code === ReplyCode.IdentificationMismatch && replay === undefined) {
      if (mobile.mayBeAhead) this.#checkForgotten(mobile, attempt);
      this.#synchronise(mobile, reply);
    }
    if (!isAccepted(reply.code)) return;
    const bytes = Buffer.from(payload).toString("hex");
    if (replay !== undefined) {
      if (!replay.mayBeRetransmission || bytes !== replay.of.accepted?.bytes)
        this.violations.push(`${where}: a replayed request was accepted by ${from}`);
      return;
    }
    if (attempt.accepted !== undefined) {
      // The two sides of a partition may give a mobile two dynamic home addresses.
      if (attempt.accepted.bytes !== bytes && this.#world.wasWholeSince(attempt.sentMs))
        this.violations.push(`${where}: identical requests got different replies`);
      return;
    }
    mobile.mismatches = 0;
    if (reply.lifetimeSeconds > attempt.requestedSeconds)
      this.violations.push(`${where}: more lifetime than was asked for`);
    attempt.isUncertain ||= !this.#world.wasWholeSince(attempt.sentMs);
    attempt.accepted = { atMs: this.#world.queue.nowMs, reply, bytes };
    const last = this.lastAccepted(mobile);
    mobile.homeAddress = last?.accepted?.reply.homeAddress ?? mobile.homeAddress;
    mobile.shown ||= last?.nai !== undefined;
    this.onAccepted(mobile, attempt);
  }

  #shownNai({ nai, habit, shown }: Mobile): string | undefined {
    return habit === "renaming" && !shown ? undefined : nai;
  }

  /**
   * What it had signed counts no more, wherever it asks; what it has signed since does, and its clock may be ahead again.
   */
  #checkForgotten(mobile: Mobile, { sentMs, identification }: Attempt): void {
    const { queue, nodes } = this.#world;
    const isSuperseded = mobile.attempts.some(
      (other) =>
        other.accepted !== undefined && other.sentMs > mobile.forgottenAtMs && other.identification > identification,
    );
    if (isSuperseded) return;
    // An operator's word that no disk had yet goes with the member that it was given to.
    if (!nodes.every((node) => node.hasBeenServingFor(queue.nowMs - mobile.forgottenAtMs + CONVERGENCE_MS))) return;
    const isNew = sentMs > mobile.forgottenAtMs + 1000 && sentMs < mobile.forgottenAtMs + AHEAD_MS;
    if (isNew && this.#world.wasWholeSince(mobile.forgottenAtMs - CONVERGENCE_MS) && mobile.mismatches > 0)
      this.violations.push(
        `${mobile.name} is refused at ${queue.nowMs.toFixed(0)} ms, though its replay state was forgotten`,
      );
  }

  /**
   * An operator lets a mobile in that is refused, as its last request was from a clock that was ahead; not while members
   * can't reach each other, as the page on the command says.
   */
  #forgetReplayState(mobile: Mobile): void {
    if (!this.#world.wasWholeSince(this.#world.queue.nowMs)) return;
    const { nai, homeAddress } = mobile;
    for (const node of this.#world.nodes) {
      if (node.state !== "running" || !node.forgetReplayState({ nai, homeAddress })) continue;
      mobile.forgottenAtMs = this.#world.queue.nowMs;
      mobile.mismatches = 0;
      mobile.clockOffsetMs = 0;
      return;
    }
  }

  /** The high 32 bits are seconds of the home agent's clock: any time in that second may be meant. */
  #synchronise(mobile: Mobile, reply: RegistrationReply): void {
    const { queue } = this.#world;
    const theirsMs = epochMsFromNtp((reply.identification >> 32n) << 32n, EPOCH_MS + queue.nowMs) + 500;
    mobile.clockOffsetMs = theirsMs - EPOCH_MS - queue.nowMs;
    mobile.mismatches++;
    if (mobile.mismatches > PATIENCE && this.#world.wasWholeSince(queue.nowMs - CONVERGENCE_MS))
      this.violations.push(
        `${mobile.name} is locked out: ${mobile.mismatches} times told another time, and refused by it`,
      );
  }

  /** The backup of an ingress that seemed dead can't know whether its last replies have left. */
  #mayRepeat({ repliers, sentMs }: Attempt, from: string): boolean {
    const { queue } = this.#world;
    if (!this.#world.wasWholeSince(sentMs)) return true;
    return [...repliers].some((id) => id !== from && !this.#world.node(id).hasBeenServingFor(queue.nowMs - sentMs));
  }
}

/** Whether it has shown its NAI to the cluster, the mobile may not know. */
export function keysOf({ nai }: Mobile, homeAddress: Ipv4Address): readonly (MobileKey | undefined)[] {
  return [mobileKeyOf({ homeAddress, nai: undefined }), mobileKeyOf({ homeAddress: UNSPECIFIED, nai })];
}

/** The row that a member holds of a mobile, as that has shown itself by now: whoever else has its address is not meant. */
export function rowOf({ agent }: SimulatedNode, mobile: Mobile): Binding | undefined {
  const [byAddress, byNai] = keysOf(mobile, mobile.homeAddress);
  // Where the mobile can't know, as one side of a partition knows its NAI and the other doesn't, the newer counts.
  const isItsOwn = ({ mobile: key }: Binding) => key === byNai || (key === byAddress && !mobile.shown);
  const newestFirst = (a: Binding, b: Binding) => (compareRegistrations(a, b) > 0 ? -1 : 1);
  return [...agent.bindings].filter(isItsOwn).sort(newestFirst)[0];
}

function holdsAsLast(node: SimulatedNode, mobile: Mobile, { identification }: Attempt): boolean {
  return node.state !== "down" && rowOf(node, mobile)?.registration.identification === identification;
}

/** Of what was granted without enough backups. */
export function isDegraded({ requestedSeconds, accepted }: Attempt): boolean {
  return accepted?.reply.lifetimeSeconds === DEGRADED_LIFETIME_SECONDS && requestedSeconds > DEGRADED_LIFETIME_SECONDS;
}

function encode(
  { homeAddress, nai }: Names,
  association: MobileAssociation,
  lifetimeSeconds: number,
  careOfAddress: string,
  identification: bigint,
): Uint8Array {
  const writer = new MessageWriter(
    encodeRequestFields({
      flags: 0,
      lifetimeSeconds,
      homeAddress,
      homeAgent: VIRTUAL_ENDPOINT.address,
      careOfAddress: ipv4(careOfAddress),
      identification,
    }),
  );
  if (nai !== undefined) writer.appendNai(nai);
  return writer
    .appendAuthentication(ExtensionType.MobileHomeAuthentication, association.spi, (covered) =>
      computeAuthenticator(association, covered),
    )
    .finish();
}

function pendingKey(foreignAgent: Endpoint, identification: bigint): string {
  return `${formatEndpoint(foreignAgent)} ${identification & 0xffff_ffffn}`;
}
