/**
 * Announces by an ospfd of FRR that runs beside the daemon, in the same network namespace.
 *
 *     daemon ── this advertiser ──(addresses with a lifetime, renewed)──▶ interfaces of the kernel
 *                    │                                                       │ zebra
 *                    └────────────── vty socket: show … json ─────────── ospfd ──OSPF──▶ routers
 *
 * Nothing but the kernel is told what to announce: a prefix is a connected network of an interface that exists as long as this
 * process, by an address that lives as long as its main loop renews it. ospfd itself is only asked what it makes of it.
 * docs/advertiser.md has its configuration, and each failure with its measured time.
 */
import type { MemberId } from "../../../core/names.ts";
import { formatIpv4, formatPrefix, type Ipv4Prefix } from "../../../core/wire/ipv4.ts";
import type { EventLog } from "../../telemetry/log.ts";
import type { Advertisement, Advertiser, AdvertiserListener, AdvertiserStatus, SpeakerState } from "../advertiser.ts";
import type { Announcer } from "../announcers.ts";
import { type RoutingView, UNKNOWN_VIEW } from "../routing-view.ts";
import { interfaceFor, Leases, type OpenInterface } from "./leases.ts";
import {
  AREA_COMMANDS,
  type OspfRouter,
  type OwnState,
  ownCommands,
  readOwnState,
  readRouters,
  type StubNetwork,
} from "./link-state.ts";
import { Neighbors } from "./neighbors.ts";
import { routingViewOf } from "./view.ts";
import { askVty } from "./vty.ts";

type Member = Pick<Announcer, "id" | "address">;

export interface OspfAdvertiserOptions {
  /** Of the interface for normal preference; the others are named after it. */
  readonly interfaceName: string;
  /** Routes outlive the last sign of life of the main loop by this, and up to a quarter more. */
  readonly leaseSeconds: number;
  /** The socket of ospfd that `vtysh` uses. */
  readonly vtyPath: string;
  readonly self: MemberId;
  /** All members; the address of each is the router id of its ospfd. */
  readonly members: readonly Member[];
  /** What the cluster announces. */
  readonly prefixes: readonly Ipv4Prefix[];
  readonly log: EventLog;
  readonly openInterface?: OpenInterface;
}

const RENEWALS_PER_LEASE = 4;
const LOOK_INTERVAL_MS = 1000;
/** While ospfd has not yet done what was asked for; for so long at most. */
const EAGER_LOOK_INTERVAL_MS = 50;
const EAGER_MS = 2000;
const VTY_TIMEOUT_MS = 1000;
/** The area is looked through in a part of the main loop's time only: one in so many. */
const AREA_LOOK_SHARE = 20;
/** After an area that couldn't be looked through. */
const AREA_PAUSE_MS = 10_000;
/** `stop` waits so long for ospfd's withdrawal before it removes the interfaces, which withdraws too. */
const WITHDRAWAL_DEADLINE_MS = 1000;

export class OspfAdvertiser implements Advertiser {
  readonly #options: OspfAdvertiserOptions;
  readonly #listener: AdvertiserListener;
  readonly #neighbors: Neighbors;
  #members: readonly Member[];
  #leases: Leases | undefined;
  #own: OwnState | undefined;
  /** `undefined`: not known. */
  #routers: readonly OspfRouter[] | undefined;
  #areaProblem: string | undefined;
  #nextAreaLookMs = 0;
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
  }

  /** Rejects where the interfaces can't be made; ospfd may come later. */
  async start(): Promise<void> {
    this.#state = "starting";
    try {
      await this.#open();
    } catch (error) {
      this.#state = "failed";
      this.#lastError = (error as Error).message;
      throw error;
    }
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
    this.#state = "stopped";
    this.#confirm([]);
    this.#changed();
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
      // We were stopped or stalled. Whether that makes us unfit is for the health checks to say, by another `set`.
      this.#options.log.event("announcement-lapsed", { silentMs: Math.round(silentMs) });
    });
  }

  /** What fails is closed, which withdraws everything, and made anew. */
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
    // `stop` may have come meanwhile.
    if (this.#stopping) this.#leases?.close();
  }

  #lookIn(delayMs: number): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = setTimeout(() => void this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    try {
      const commands = ownCommands(this.#ownRouterId ?? "");
      this.#own = readOwnState(await askVty(this.#options.vtyPath, commands, VTY_TIMEOUT_MS));
      await this.#lookThroughArea();
    } catch (error) {
      this.#own = undefined;
      this.#routers = undefined;
      this.#nextAreaLookMs = 0;
      this.#failed((error as Error).message);
    }
    if (this.#state === "stopped") return;
    this.#learn();
    this.#changed();
    const isEager = !this.#isSettled && performance.now() - this.#changedMs < EAGER_MS;
    this.#lookIn(isEager ? EAGER_LOOK_INTERVAL_MS : LOOK_INTERVAL_MS);
  }

  /** Who else announces. Where the area is too large for that, it isn't known, and the announcement stays. */
  async #lookThroughArea(): Promise<void> {
    if (performance.now() < this.#nextAreaLookMs) return;
    try {
      const answers = await askVty(this.#options.vtyPath, AREA_COMMANDS, VTY_TIMEOUT_MS);
      const startedMs = performance.now();
      this.#routers = readRouters(answers);
      const now = performance.now();
      this.#nextAreaLookMs = now + (now - startedMs) * (AREA_LOOK_SHARE - 1);
      this.#areaProblem = undefined;
    } catch (error) {
      this.#routers = undefined;
      this.#nextAreaLookMs = performance.now() + AREA_PAUSE_MS;
      const problem = `who else announces isn't known, as the area can't be looked through: ${(error as Error).message}`;
      if (this.#areaProblem !== problem) this.#options.log.event("speaker-problem", { problem });
      this.#areaProblem = problem;
    }
  }

  /** As it must be. */
  get #ownRouterId(): string | undefined {
    const self = this.#members.find(({ id }) => id === this.#options.self);
    return self && formatIpv4(self.address);
  }

  /** Routers have been told what is desired, and nothing else. */
  get #isSettled(): boolean {
    return this.#applied.length === this.#desired.length && this.#desired.every((it) => this.#applied.includes(it));
  }

  #learn(): void {
    const own = this.#own;
    const { prefixes, self } = this.#options;
    this.#neighbors.update(own?.neighbors ?? [], Date.now());
    if (own === undefined) {
      this.#confirm([]);
      this.#view = UNKNOWN_VIEW;
      return;
    }
    // Without an adjacency, ospfd tells what it has to nobody.
    const isHeard = own.neighbors.some(({ state }) => state === "Full");
    const told = isHeard ? own.stubs : [];
    const leaving = this.#applied.filter((it) => !this.#desired.some((wanted) => isSamePrefix(wanted, it)));
    this.#confirm([
      ...this.#desired.filter((it) => this.#isOriginated(it, told, own)),
      ...leaving.filter(({ prefix }) => stubsOf(told, prefix).length > 0),
    ]);
    this.#view =
      this.#routers === undefined
        ? UNKNOWN_VIEW
        : routingViewOf(own, this.#routers, { prefixes, self, members: this.#members });
    const problem = this.#problemWith(own);
    if (problem !== undefined) this.#failed(problem);
    else if (this.#leases !== undefined) this.#state = "running";
  }

  /** With the metric of the interface that it shall be on, and not also with that of another one. */
  #isOriginated({ prefix, preference }: Advertisement, told: readonly StubNetwork[], { costs }: OwnState): boolean {
    const stubs = stubsOf(told, prefix);
    const cost = costs.get(interfaceFor(this.#options.interfaceName, preference));
    return stubs.length > 0 && stubs.every(({ metric }) => cost === undefined || metric === cost);
  }

  #problemWith({ routerId, costs }: OwnState): string | undefined {
    const expected = this.#ownRouterId;
    if (routerId !== expected)
      return `ospfd has the router id ${routerId}: set it to this member's address, ${expected}`;
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

  #confirm(applied: readonly Advertisement[]): void {
    const { log } = this.#options;
    const before = new Set(this.#applied.map(({ prefix }) => formatPrefix(prefix)));
    const after = new Set(applied.map(({ prefix }) => formatPrefix(prefix)));
    this.#applied = applied;
    for (const prefix of after.difference(before)) log.event("route-announced", { prefix });
    for (const prefix of before.difference(after)) log.event("route-withdrawn", { prefix });
    if (applied.length === 0) this.#withdrawn?.();
  }

  /** The listener is told of what is news only: nothing changes between most looks. */
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
