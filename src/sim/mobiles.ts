/**
 * Mobile nodes and their foreign agents: they register, move, deregister, and send again what was not answered. They remember
 * what they were told, which is what the cluster is held to.
 */

import type { MobileAssociation } from "../core/auth/association.ts";
import { computeAuthenticator } from "../core/auth/authenticator.ts";
import { ExtensionType } from "../core/wire/extension.ts";
import { type Endpoint, formatEndpoint, formatIpv4, ipv4 } from "../core/wire/ipv4.ts";
import { MessageWriter } from "../core/wire/message-writer.ts";
import { epochMsFromNtp, ntpFromEpochMs } from "../core/wire/ntp-timestamp.ts";
import {
  decodeRegistrationReply,
  encodeRequestFields,
  type RegistrationReply,
} from "../core/wire/registration-message.ts";
import { isAccepted, ReplyCode } from "../core/wire/reply-code.ts";
import { type Attempt, CONVERGENCE_MS, type Mobile } from "./mobile.ts";
import { associationOf, type Names, nextNames, restless, settled } from "./names.ts";
import { EPOCH_MS } from "./node.ts";
import { Operator } from "./operator.ts";
import { drawReplay, type Replay } from "./request-replays.ts";
import { VIRTUAL_ENDPOINT } from "./settings.ts";
import type { ReplySent, World } from "./world.ts";

/** What a foreign agent, or an attacker, waits for the reply to. */
type Pending = Replay | { readonly mobile: Mobile; readonly attempt: Attempt; readonly replay?: undefined };

/** Of every third mobile nothing is left when the simulation ends. */
const SHORT_LIFETIMES_SECONDS = [2, 5, 10];
const LIFETIMES_SECONDS = [[10, 600, 1200, 1800], [600, 1200, 1800], SHORT_LIFETIMES_SECONDS];

const AHEAD_MS = 5000;

/**
 * The first request after a start, and after a clock of a member that is a second off, may be refused; not one after the
 * other.
 */
const PATIENCE = 4;

export class Mobiles {
  readonly mobiles: readonly Mobile[];
  /** What must never happen, and did. */
  readonly violations: string[] = [];
  onAccepted: (mobile: Mobile, attempt: Attempt) => void = () => undefined;
  readonly #world: World;
  readonly #operator: Operator;
  /** Of all mobiles, by Identification. */
  readonly #attempts = new Map<bigint, Attempt>();
  /** By foreign agent and low bits of the Identification, as a foreign agent matches replies. */
  readonly #pending = new Map<string, Pending>();

  constructor(world: World, count: number, restlessCount = 0) {
    this.#world = world;
    this.#operator = new Operator(world);
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
        deletedAtMs: Number.NEGATIVE_INFINITY,
        isDeletionConfirmed: () => false,
        mayBeDeleted: index < count && index % 6 === 1,
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
    const endedAtMs = Math.max(mobile.forgottenAtMs, mobile.deletedAtMs);
    return last !== undefined && last.sentMs > endedAtMs ? last : undefined;
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
      if (mobile.mismatches > 0 && !wasHelped) this.#operator.letIn(mobile);
      else if (random.chance(0.3)) mobile.clockOffsetMs = mobile.clockOffsetMs > 0 ? 0 : AHEAD_MS;
    }
    if (mobile.mayBeDeleted && random.chance(0.06)) {
      this.#operator.endBinding(mobile);
      // Long enough to see that it stays so.
      mobile.silentUntilMs = queue.nowMs + random.between(3000, 12_000);
      return;
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

  #replay(mobile: Mobile): void {
    const replay = drawReplay(this.#world, mobile);
    if (replay === undefined) return;
    const { source, identification, payload } = replay.attempt;
    this.#pending.set(pendingKey(source, identification), replay);
    this.#world.datagram(this.#world.random.pick(this.#world.announced), payload, source);
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

  /** What was accepted from it last names a time that is still to come: until then only an operator can let it in. */
  #hasSignedAhead(mobile: Mobile): boolean {
    const nowMs = EPOCH_MS + this.#world.queue.nowMs;
    const last = this.lastAccepted(mobile);
    return last !== undefined && epochMsFromNtp(last.identification, nowMs) >= nowMs;
  }

  /** The high 32 bits are seconds of the home agent's clock: any time in that second may be meant. */
  #synchronise(mobile: Mobile, reply: RegistrationReply): void {
    const { queue } = this.#world;
    const theirsMs = epochMsFromNtp((reply.identification >> 32n) << 32n, EPOCH_MS + queue.nowMs) + 500;
    mobile.clockOffsetMs = theirsMs - EPOCH_MS - queue.nowMs;
    mobile.mismatches++;
    if (
      mobile.mismatches > PATIENCE &&
      !this.#hasSignedAhead(mobile) &&
      this.#world.wasWholeSince(queue.nowMs - CONVERGENCE_MS)
    )
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
