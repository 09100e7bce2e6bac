/** Tells the others the health and load of this member, learns theirs, and knows which members can take a mobile. */
import type { MemberId } from "../names.ts";
import type { Now } from "../now.ts";
import type { Observer } from "../observer.ts";
import { bootCountOf, type Incarnation, NO_INCARNATION } from "../protocol/acquaintance.ts";
import { type HealthState, type Heartbeat, isFit, type Load, type Message } from "../protocol/datagrams.ts";
import type { Membership, PeerStatus } from "./membership.ts";
import type { Candidate, PlacementMember } from "./placement.ts";
import type { TrustedClock } from "./trusted-clock.ts";

/** The kinds of health whose members get new mobiles: of the members that can store, all of the first kind that exists. */
const TAKERS: readonly HealthState[] = ["ready", "degraded", "guarding"];

export class Heartbeats {
  readonly #self: MemberId;
  #weights: ReadonlyMap<MemberId, number> = new Map();
  readonly #membership: Membership;
  readonly #clock: TrustedClock;
  readonly #observer: Observer;
  readonly #send: (to: MemberId, message: Message) => void;
  readonly #load: (now: Now) => Load;
  #intervalMs = 0;
  #health: HealthState = "starting";
  #announced = false;
  #unfitCount = 0;
  takesLinkRelay = false;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly self: MemberId;
    readonly members: readonly PlacementMember[];
    readonly membership: Membership;
    readonly clock: TrustedClock;
    readonly observer: Observer;
    readonly intervalMs: number;
    readonly send: (to: MemberId, message: Message) => void;
    readonly load: (now: Now) => Load;
  }) {
    this.#self = options.self;
    this.#membership = options.membership;
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.#send = options.send;
    this.#load = options.load;
    this.configure(options);
  }

  /** A new member is told at once. */
  configure(options: { readonly members: readonly PlacementMember[]; readonly intervalMs: number }): void {
    this.#weights = new Map(options.members.map(({ id, weight }) => [id, weight]));
    this.#intervalMs = options.intervalMs;
    this.#nextMs = Number.NEGATIVE_INFINITY;
  }

  get health(): HealthState {
    return this.#health;
  }

  /** When the next heartbeat is due, or a silent peer has to be declared dead; monotonic ms. */
  get nextDueMs(): number {
    return this.#nextMs;
  }

  /** A change is told at once: the others stop or start placing mobiles here, and leaving routing to this member. */
  setHealth(health: HealthState, announced: boolean): void {
    if (health === this.#health && announced === this.#announced) return;
    if (isFit(this.#health) && !isFit(health)) this.#unfitCount++;
    this.#health = health;
    this.#announced = announced;
    this.#nextMs = Number.NEGATIVE_INFINITY;
  }

  /** Returns whether that has changed; a change is sent at once, too. */
  setCanStore(canStore: boolean): boolean {
    if (canStore === this.#membership.canStoreHere) return false;
    this.#membership.canStoreHere = canStore;
    this.#nextMs = Number.NEGATIVE_INFINITY;
    return true;
  }

  /**
   * Members that an unfit one may leave routing to: those that are fit and announced, and still are after they have heard
   * that this member is unfit. The last member that becomes unfit has none, as all others were unfit before they heard of
   * it. So they never all leave, however late their heartbeats arrive.
   */
  get standIns(): MemberId[] {
    return [...this.#membership.values()]
      .filter(
        ({ state, health, announced, heardUnfitCount }) =>
          (state === "alive" || state === "skewed") &&
          isFit(health) &&
          announced &&
          heardUnfitCount === this.#unfitCount,
      )
      .map(({ id }) => id);
  }

  /**
   * Returns the peer's state if that or its ability has changed, and whether its daemon has restarted since it was last
   * heard.
   */
  received(
    sender: MemberId,
    incarnation: Incarnation,
    heartbeat: Heartbeat,
    now: Now,
  ): { readonly state: PeerStatus["state"] | undefined; readonly restarted: boolean } {
    const before = this.#membership.get(sender);
    if (this.#membership.judgesClocks(now.monotonicMs)) this.#clock.heard(sender, heartbeat, now.monotonicMs);
    this.#membership.heard(sender, incarnation, heartbeat, now);
    const after = this.#membership.get(sender);
    this.#report(before, after);
    // A start that is heard for the first time waits to be named; until then our frames don't show it that we hear it.
    if (before !== undefined && before.incarnation !== incarnation) this.#nextMs = Number.NEGATIVE_INFINITY;
    return {
      state: before?.state === after?.state && before?.canStore === after?.canStore ? undefined : after?.state,
      restarted: before !== undefined && hasRestarted(before, incarnation),
    };
  }

  /** Returns the peers that have fallen silent. */
  passTime(now: Now): PeerStatus[] {
    const changed = this.#membership.expire(now.monotonicMs).flatMap((before) => {
      const after = this.#membership.get(before.id);
      this.#report(before, after);
      return after === undefined ? [] : [after];
    });
    this.#beat(now);
    return changed;
  }

  #beat(now: Now): void {
    if (now.monotonicMs < this.#nextMs) return;
    this.#nextMs = now.monotonicMs + this.#intervalMs;
    const load = this.#load(now);
    for (const { id } of this.#membership.values()) {
      this.#send(id, {
        type: "heartbeat",
        ...this.#clock.tell(now),
        health: this.#health,
        announced: this.#announced,
        unfitCount: this.#unfitCount,
        heardUnfitCount: this.#membership.get(id)?.unfitCount ?? 0,
        membersDigest: this.#membership.membersDigest,
        load,
        takesLinkRelay: this.takesLinkRelay,
        canStore: this.#membership.canStoreHere,
        silent: this.#membership.silent,
      });
    }
  }

  /** Every member that can be relayed to, this one included. The healthiest of the able ones accept new mobiles. */
  candidates(now: Now): ReadonlyMap<MemberId, Candidate> {
    const reachable = [...this.#membership.values()].filter(({ state }) => state === "alive");
    const { canStoreHere: canStore } = this.#membership;
    const all = [{ id: this.#self, health: this.#health, canStore, load: this.#load(now) }, ...reachable];
    const able = all.filter((member) => member.canStore);
    const considered = new Set(able.length > 0 ? able : all);
    const best = TAKERS.find((kind) => [...considered].some(({ health }) => health === kind));
    return new Map(
      all.map((member) => [
        member.id,
        {
          id: member.id,
          weight: this.#weights.get(member.id) ?? 0,
          acceptsNewMobiles: considered.has(member) && member.health === best,
          canStore: member.canStore,
          ownedBindings: member.load.ownedBindings,
        },
      ]),
    );
  }

  #report(before: PeerStatus | undefined, after: PeerStatus | undefined): void {
    if (before === undefined || after === undefined) return;
    const member = after.id;
    if (hasRestarted(before, after.incarnation)) {
      this.#observer.event("member-restarted", { member, bootCount: bootCountOf(after.incarnation) });
    }
    if (after.hasOtherMembers && !before.hasOtherMembers) {
      this.#observer.countBy("members-differing", member);
      this.#observer.event("members-differ", { member });
    }
    if (before.canStore && !after.canStore) this.#observer.event("member-unable", { member });
    if (!before.canStore && after.canStore) this.#observer.event("member-stores", { member });
    if (before.state === after.state) return;
    if (after.state === "suspect") this.#observer.event("member-suspect", { member });
    if (after.state === "alive") this.#observer.event("member-alive", { member });
    if (after.state === "one-way" && before.state === "alive") this.#observer.event("member-one-way", { member });
    if (after.state === "skewed") {
      this.#observer.event("member-skewed", { member, skewMs: Math.round(after.clockSkewMs) });
    }
    if (after.state === "dead") this.#observer.event("member-dead", { member });
  }
}

function hasRestarted(before: PeerStatus, incarnation: Incarnation): boolean {
  return before.incarnation !== NO_INCARNATION && before.incarnation !== incarnation;
}
