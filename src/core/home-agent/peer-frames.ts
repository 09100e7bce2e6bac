/** The frames to and from other members: sealed and opened, and what can't be believed is counted, and told of once. */
import type { Membership } from "../members/membership.ts";
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import type { Incarnation } from "../protocol/acquaintance.ts";
import type { Message } from "../protocol/datagrams.ts";
import type { FrameCodec } from "../protocol/frame.ts";
import { Explanations } from "../protocol/refusals.ts";
import { type Endpoint, formatEndpoint } from "../wire/ipv4.ts";
import type { Emit } from "./io.ts";

/** Two daemons that claim to be the same member. */
export interface Twins {
  readonly member: MemberId;
  /** The address of the one that was started later. */
  readonly believed: string;
  readonly refused: string;
}

export interface BelievedMessage {
  readonly sender: MemberId;
  readonly incarnation: Incarnation;
  readonly message: Message;
}

/** How long two daemons of one name count as such after the last word of the second. */
const TWINS_REMEMBERED_MS = 10_000;

export class PeerFrames {
  readonly #codec: FrameCodec;
  readonly #membership: Membership;
  readonly #observer: Observer;
  readonly #emit: Emit;
  readonly #explanations = new Explanations();
  /** Where the last heartbeat of each member came from. */
  readonly #sources = new Map<MemberId, Endpoint>();
  readonly #twins = new Map<MemberId, Twins & { readonly heardMs: number }>();

  constructor(parts: {
    readonly codec: FrameCodec;
    readonly membership: Membership;
    readonly observer: Observer;
    readonly emit: Emit;
  }) {
    this.#codec = parts.codec;
    this.#membership = parts.membership;
    this.#observer = parts.observer;
    this.#emit = parts.emit;
  }

  /** Nothing goes to whom this member has never heard of. */
  send(to: MemberId, message: Message): void {
    const payload = this.#codec.seal(to, message);
    if (payload === undefined) return;
    const isRelay = message.type === "relay-request" || message.type === "relay-reply";
    this.#emit({ type: "frame", payload, to, isRelay });
  }

  /** `undefined` for what is not to be believed. */
  receive(payload: Uint8Array, source: Endpoint, now: Now): BelievedMessage | undefined {
    const opened = this.#codec.open(payload);
    if (opened.ok) {
      const { sender, message } = opened;
      this.#membership.lives(sender, now.monotonicMs);
      this.#observer.countBy("frames-received", message.type);
      if (message.type === "heartbeat") this.#sources.set(sender, source);
      return opened;
    }
    this.#observer.countBy("frames-rejected", opened.fault);
    if ("sender" in opened) this.#membership.unproven(opened.sender, opened.hearsLaterStart);
    if (opened.fault === "member-twice") this.#twice(opened.sender, source, now);
    // Unproven is what every member says at first after a start.
    else if (opened.fault !== "unproven" && this.#explanations.isNews(formatEndpoint(source), opened.fault))
      this.#observer.event("frame-rejected", { source: formatEndpoint(source), reason: opened.fault });
    return undefined;
  }

  /** If frames from there are refused once more, that is news again. */
  forgive(source: Endpoint): void {
    this.#explanations.forgive(formatEndpoint(source));
  }

  /** Members that two daemons say they are, lately. */
  twins(now: Now): Twins[] {
    return [...this.#twins.values()].filter(({ heardMs }) => now.monotonicMs - heardMs < TWINS_REMEMBERED_MS);
  }

  /** The daemon that was started later is believed. */
  #twice(member: MemberId, source: Endpoint, now: Now): void {
    const addresses = [this.#sources.get(member), source].map((address) => (address ? formatEndpoint(address) : "?"));
    const [believed = "?", refused = "?"] = addresses;
    if (!this.twins(now).some((twins) => twins.member === member))
      this.#observer.event("member-twice", { member, believed, refused });
    this.#twins.set(member, { member, believed, refused, heardMs: now.monotonicMs });
  }
}
