/**
 * Announces by an ospfd of FRR that runs beside the daemon, in the same network namespace.
 *
 *     daemon ── this advertiser ──(addresses with a lifetime, renewed)──▶ interfaces of the kernel
 *                    │                                                       │ zebra
 *                    └────────────── vty socket: show … json ─────────── ospfd ──OSPF──▶ routers
 *
 * Nothing but the kernel is told what to announce: a prefix is a connected network of an interface that exists as long as
 * this process, by an address that lives as long as its main loop renews it. ospfd itself is only asked what it makes of
 * this, and a process beside us ends it if it announces more (`guard.ts`). docs/advertiser.md has its configuration, and
 * each failure with its measured time.
 */
import type { MemberId } from "../../../core/names.ts";
import { formatIpv4, formatPrefix, type Ipv4Prefix } from "../../../core/wire/ipv4.ts";
import type { Advertisement, Advertiser, AdvertiserListener, AdvertiserStatus, SpeakerState } from "../advertiser.ts";
import type { Announcer } from "../announcers.ts";
import { type RoutingView, UNKNOWN_VIEW } from "../routing-view.ts";
import { FrrObserver, type FrrObserverOptions } from "./frr-observer.ts";
import { type GuardKeeper, GuardProcess, type KeepGuard } from "./guard-keeper.ts";
import { interfaceFor, Leases, type OpenInterface } from "./leases.ts";
import type { OwnState, StubNetwork } from "./link-state.ts";
import { Neighbors } from "./neighbors.ts";
import { routingViewOf } from "./view.ts";

type Member = Pick<Announcer, "id" | "address">;

export interface OspfAdvertiserOptions extends FrrObserverOptions {
  /** Name of the interface for normal preference; the others are named after it. */
  readonly interfaceName: string;
  /** Routes outlive the last sign of life of the main loop by this time and up to a quarter more. */
  readonly leaseSeconds: number;
  readonly self: MemberId;
  /** All members; the address of each is the router id of its ospfd. */
  readonly members: readonly Member[];
  /** The prefixes that the cluster announces. */
  readonly prefixes: readonly Ipv4Prefix[];
  readonly openInterface?: OpenInterface;
  readonly keepGuard?: KeepGuard;
}

const RENEWALS_PER_LEASE = 4;
const LOOK_INTERVAL_MS = 1000;
/** How often to look while ospfd has not yet done what was asked for, and for how long at most. */
const EAGER_LOOK_INTERVAL_MS = 50;
const EAGER_MS = 2000;
/**
 * How long `stop` waits for ospfd's withdrawal; the guard needs part of this if the withdrawal doesn't follow by itself.
 */
const WITHDRAWAL_DEADLINE_MS = 6000;

export class OspfAdvertiser implements Advertiser {
  readonly #options: OspfAdvertiserOptions;
  readonly #listener: AdvertiserListener;
  readonly #neighbors: Neighbors;
  readonly #frr: FrrObserver;
  #members: readonly Member[];
  #leases: Leases | undefined;
  #guard: GuardKeeper | undefined;
  #desired: readonly Advertisement[] = [];
  #applied: readonly Advertisement[] = [];
  #view: RoutingView = UNKNOWN_VIEW;
  #state: SpeakerState = "stopped";
  #restarts = 0;
  #lastError: string | undefined;
  #renewals: NodeJS.Timeout | undefined;
  #nextLook: NodeJS.Timeout | undefined;
  /** Monotonic ms of the last `set`. */
  #changedMs = Number.NEGATIVE_INFINITY;
  #withdrawn: (() => void) | undefined;
  #opening = false;
  #stopping = false;
  #told = "";

  constructor(options: OspfAdvertiserOptions, listener: AdvertiserListener) {
    this.#options = options;
    this.#listener = listener;
    this.#members = options.members;
    this.#neighbors = new Neighbors(options.log);
    this.#frr = new FrrObserver(options);
  }

  /** Rejects if the interfaces can't be made; ospfd may be started later. */
  async start(): Promise<void> {
    this.#state = "starting";
    try {
      await this.#open();
    } catch (error) {
      this.#state = "failed";
      this.#lastError = (error as Error).message;
      throw error;
    }
    this.#guard = this.#keepGuard();
    const intervalMs = (this.#options.leaseSeconds * 1000) / RENEWALS_PER_LEASE;
    this.#renewals = setInterval(() => this.#renew(), intervalMs);
    await this.#look();
  }

  set(advertisements: readonly Advertisement[]): void {
    if (this.#stopping) return;
    this.#want(advertisements);
    this.#changed();
  }

  setMembers(members: readonly Member[]): void {
    this.#members = members;
    this.#learn();
    this.#changed();
  }

  status(): AdvertiserStatus {
    return {
      type: "ospf",
      speaker: this.#state,
      restarts: this.#restarts,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      desired: this.#desired,
      applied: this.#applied,
      neighbors: this.#neighbors.status,
      view: this.#view,
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#want([]);
    if (this.#applied.length > 0) {
      const deadline = setTimeout(() => this.#withdrawn?.(), WITHDRAWAL_DEADLINE_MS);
      await new Promise<void>((resolve) => {
        this.#withdrawn = resolve;
      });
      clearTimeout(deadline);
    }
    clearInterval(this.#renewals);
    clearTimeout(this.#nextLook);
    this.#leases?.close();
    this.#leases = undefined;
    this.#guard?.release();
    this.#state = "stopped";
    this.#confirm([], "the daemon stops before anybody has told of the withdrawal");
    this.#changed();
  }

  #keepGuard(): GuardKeeper {
    const { vtyPath, interfaceName, prefixes, log } = this.#options;
    const keep: KeepGuard = this.#options.keepGuard ?? ((order, log) => new GuardProcess(order, log));
    const routerId = this.#ownRouterId ?? "";
    return keep({ vtyPath, routerId, interfaceName, prefixes: prefixes.map(formatPrefix) }, log);
  }

  #want(advertisements: readonly Advertisement[]): void {
    this.#desired = [...advertisements];
    this.#changedMs = performance.now();
    this.#onLeases((leases) => leases.set(this.#desired));
    if (this.#state !== "stopped") this.#lookIn(EAGER_LOOK_INTERVAL_MS);
  }

  async #open(): Promise<void> {
    const { interfaceName, leaseSeconds, openInterface } = this.#options;
    this.#leases = await Leases.open(interfaceName, leaseSeconds, openInterface);
    this.#leases.set(this.#desired);
  }

  #renew(): void {
    if (this.#leases === undefined) {
      void this.#reopen();
      return;
    }
    this.#onLeases((leases) => {
      const silentMs = leases.renew();
      if (silentMs === undefined) return;
      // We were stopped or stalled. Whether that makes us unfit is for the health checks to decide, with another `set`.
      this.#options.log.event("announcement-lapsed", { silentMs: Math.round(silentMs) });
    });
  }

  /** On a failure everything is closed, which withdraws it, and made again. */
  #onLeases(action: (leases: Leases) => void): void {
    if (this.#leases === undefined) return;
    try {
      action(this.#leases);
    } catch (error) {
      this.#leases.close();
      this.#leases = undefined;
      this.#failed(`the interfaces can't be used: ${(error as Error).message}`);
    }
  }

  async #reopen(): Promise<void> {
    if (this.#opening || this.#stopping) return;
    this.#opening = true;
    try {
      await this.#open();
      this.#restarts += 1;
    } catch (error) {
      this.#failed((error as Error).message);
    }
    this.#opening = false;
    this.#lookIn(EAGER_LOOK_INTERVAL_MS);
    // `stop` may have been called meanwhile.
    if (this.#stopping) this.#leases?.close();
  }

  #lookIn(delayMs: number): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    await this.#frr.look(this.#ownRouterId ?? "");
    if (this.#frr.own === undefined) this.#failed(this.#frr.blindness);
    if (this.#state === "stopped") return;
    this.#learn();
    this.#changed();
    const isEager = !this.#isSettled && performance.now() - this.#changedMs < EAGER_MS;
    this.#lookIn(isEager ? EAGER_LOOK_INTERVAL_MS : LOOK_INTERVAL_MS);
  }

  /** What the router id of this ospfd must be. */
  get #ownRouterId(): string | undefined {
    const self = this.#members.find(({ id }) => id === this.#options.self);
    return self && formatIpv4(self.address);
  }

  /** Whether routers have been told exactly what is desired. */
  get #isSettled(): boolean {
    return this.#applied.length === this.#desired.length && this.#desired.every((it) => this.#applied.includes(it));
  }

  #learn(): void {
    const { own, blindness, routers } = this.#frr;
    const { prefixes, self } = this.#options;
    this.#neighbors.update(own?.neighbors ?? [], Date.now());
    if (own === undefined) {
      this.#confirm([], blindness);
      this.#view = UNKNOWN_VIEW;
      return;
    }
    const hearers = own.neighbors.filter(({ state }) => state === "Full");
    if (hearers.length === 0) {
      this.#confirm([], "ospfd has no adjacency: it tells what it has to nobody");
    } else {
      const isAcknowledged = hearers.every(({ isLevel }) => isLevel);
      const leaving = this.#applied.filter((it) => !this.#desired.some((wanted) => isSamePrefix(wanted, it)));
      this.#confirm([
        ...this.#desired.filter((it) => this.#isOriginated(it, own)),
        ...leaving.filter(({ prefix }) => !isAcknowledged || stubsOf(own.stubs, prefix).length > 0),
      ]);
    }
    this.#view =
      routers === undefined ? UNKNOWN_VIEW : routingViewOf(own, routers, { prefixes, self, members: this.#members });
    const problem = this.#problemWith(own);
    if (problem !== undefined) this.#failed(problem);
    else if (this.#leases !== undefined) this.#state = "running";
  }

  /** Whether it is announced with the metric of the interface that it should be on, and with no other. */
  #isOriginated({ prefix, preference }: Advertisement, { stubs: all, costs }: OwnState): boolean {
    const stubs = stubsOf(all, prefix);
    const cost = costs.get(interfaceFor(this.#options.interfaceName, preference));
    return stubs.length > 0 && stubs.every(({ metric }) => cost === undefined || metric === cost);
  }

  #problemWith({ routerId, costs }: OwnState): string | undefined {
    const expected = this.#ownRouterId;
    if (routerId !== expected)
      return `ospfd has the router id ${routerId}: set it to this member's address, ${expected}`;
    const brokenLink = this.#frr.zebraProblem ?? this.#guard?.problem;
    if (brokenLink !== undefined) return brokenLink;
    if (this.#leases === undefined || performance.now() - this.#changedMs < EAGER_MS) return undefined;
    const missing = this.#desired
      .map(({ preference }) => interfaceFor(this.#options.interfaceName, preference))
      .find((name) => !costs.has(name));
    return missing && `ospfd doesn't run on ${missing}: its configuration needs \`ip ospf area\` there`;
  }

  #failed(problem: string): void {
    if (this.#stopping) return;
    const isNews = this.#state !== "failed" || this.#lastError !== problem;
    this.#state = "failed";
    this.#lastError = problem;
    if (isNews) this.#options.log.event("speaker-problem", { problem });
    this.#changed();
  }

  /** @param blindness why it can't be known what has become of routes that are no longer among them */
  #confirm(applied: readonly Advertisement[], blindness?: string): void {
    const { log } = this.#options;
    const before = new Set(this.#applied.map(({ prefix }) => formatPrefix(prefix)));
    const after = new Set(applied.map(({ prefix }) => formatPrefix(prefix)));
    this.#applied = applied;
    for (const prefix of after.difference(before)) log.event("route-announced", { prefix });
    for (const prefix of before.difference(after)) {
      if (blindness === undefined) log.event("route-withdrawn", { prefix });
      else log.event("route-unconfirmed", { prefix, reason: blindness });
    }
    if (applied.length === 0) this.#withdrawn?.();
  }

  /** Tells the listener only about changes, as nothing changes between most looks. */
  #changed(): void {
    const status = this.status();
    const told = JSON.stringify(status);
    if (told === this.#told) return;
    this.#told = told;
    this.#listener.changed(status);
  }
}

function isSamePrefix(a: Advertisement, b: Advertisement): boolean {
  return formatPrefix(a.prefix) === formatPrefix(b.prefix);
}

function stubsOf(stubs: readonly StubNetwork[], prefix: Ipv4Prefix): StubNetwork[] {
  return stubs.filter((stub) => formatPrefix(stub.prefix) === formatPrefix(prefix));
}
