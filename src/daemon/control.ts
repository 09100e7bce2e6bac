/** The control API's view of the running daemon. */

import type { AdvertiserStatus } from "../adapters/advertiser/advertiser.ts";
import { announcersOf, isAccepted, type RoutingView } from "../adapters/advertiser/routing-view.ts";
import type {
  BindingDetailView,
  BindingPage,
  BindingQuery,
  BindingView,
  DeletionOptions,
  DeletionView,
} from "../adapters/api/bindings.ts";
import type { ForwardingCountersView, ForwardingOfMobileView, ForwardingPage } from "../adapters/api/forwarding.ts";
import type { MobileName, PageQuery } from "../adapters/api/kinds.ts";
import type { CountersView, PeerView, ReadinessView, ReloadView, StatusView } from "../adapters/api/members.ts";
import { ControlError, type ControlService } from "../adapters/api/requests.ts";
import type { RoutesView } from "../adapters/api/routes.ts";
import type { BfdNeighborStatus } from "../adapters/bfd/speaker.ts";
import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import type { LinkPath } from "../adapters/net/mac-relay.ts";
import type { Store } from "../adapters/store/store.ts";
import type { Rung } from "../core/health/ladder.ts";
import type { CheckStatus } from "../core/health/settled-check.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { DeletionOutcome, DeletionRequest } from "../core/home-agent/io.ts";
import type { PeerStatus } from "../core/members/membership.ts";
import type { MemberId, MobileIdentity } from "../core/names.ts";
import { bootCountOf } from "../core/protocol/acquaintance.ts";
import { formatIpv4, formatPrefix, type Ipv4Address, type Ipv4Prefix, ipv4, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { viewOfBinding, viewOfLocation, viewOfRemains, viewOfTemporary } from "./binding-view.ts";
import { currentTime } from "./driver.ts";
import { ForwardingViews } from "./forwarding-views.ts";
import { Listings } from "./listings.ts";
import type { LiveConfig } from "./live-config.ts";

/** Rows looked at for one page, so that a filter that matches nothing doesn't hold up registrations. */
const MAXIMUM_ROWS_PER_PAGE = 20_000;

const WHY_NOT_DELETED: Readonly<Record<Exclude<DeletionOutcome, "deleted">, string>> = {
  "not-owned": "another member has just become the owner of this mobile: nothing was deleted",
  "store-failed": "the store can't write: nothing was deleted",
  "too-few-backups": "too few backups are in reach: nothing was deleted",
  unconfirmed:
    "done here, but not safe: the disks of this member and of enough backups have not confirmed it, and what backups accept meanwhile gives way to it",
};

export interface ControlSources {
  readonly configuration: LiveConfig;
  readonly version: string;
  readonly agent: HomeAgent;
  readonly store: Store;
  readonly counters: () => CountersView;
  /** On the monotonic clock. */
  readonly startedAtMs: number;
  /** `undefined` if a member is relayed to by its IP address. */
  readonly linkPath: (member: MemberId) => LinkPath | undefined;
  readonly rung: () => Rung;
  readonly checks: () => readonly CheckStatus[];
  readonly advertiser: () => AdvertiserStatus;
  /** `undefined` if something else forwards. */
  readonly dataPlane: DataPlane | undefined;
  readonly bfdNeighbors: () => readonly BfdNeighborStatus[];
  readonly alarms: () => StatusView["alarms"];
  readonly takeovers: () => StatusView["takeovers"];
  readonly rebalance: () => void;
  readonly deleteBinding: (deletion: Omit<DeletionRequest, "token">) => Promise<DeletionOutcome>;
  readonly draining: () => boolean;
  readonly drain: (wanted: boolean) => void;
}

interface Named {
  readonly mobile: MobileName;
}

type Rows = Iterator<() => BindingView | undefined>;

export class DaemonControl implements ControlService {
  readonly #sources: ControlSources;
  readonly #listings = new Listings<Rows>();
  readonly #forwarding: ForwardingViews;

  constructor(sources: ControlSources) {
    this.#sources = sources;
    this.#forwarding = new ForwardingViews(sources.dataPlane, sources.agent, sources.configuration.current.node);
  }

  status(): StatusView {
    const { configuration, version, agent, store, startedAtMs, alarms, takeovers } = this.#sources;
    const config = configuration.current;
    const { owned, backup, tombstones, temporary, ingress } = agent.counts;
    const { ready, reasons, health, preference } = this.#sources.rung();
    const now = currentTime();
    const statistics = store.statistics();
    return {
      node: config.node,
      cluster: config.cluster,
      version,
      uptimeSeconds: Math.round((now.monotonicMs - startedAtMs) / 1000),
      bootCount: store.bootCount,
      health,
      ready,
      draining: this.#sources.draining(),
      preference: preference ?? null,
      reasons: [...reasons],
      lastReload: configuration.lastReload,
      checks: this.#sources.checks().map(({ name, state, sinceMs, reason }) => ({
        name,
        state,
        since: new Date(sinceMs).toISOString(),
        reason,
      })),
      virtualAddress: formatIpv4(config.virtualAddress),
      virtualNetwork: formatPrefix(config.virtualNetwork),
      bindings: { owned, backup, ingress, temporary, tombstones },
      moving: agent.moveProgress ?? null,
      registrationsPerSecond: agent.load(now).registrationsPerSecond,
      store: { ...statistics, freeBytes: statistics.freeBytes ?? null },
      alarms: alarms(),
      takeovers: takeovers(),
    };
  }

  bindings(query: BindingQuery): BindingPage {
    if (query.mobile !== undefined) {
      const view = this.#binding({ mobile: query.mobile });
      return { bindings: view !== undefined && matches(view, query) ? [view] : [], next: null };
    }
    const rows = this.#listings.resume(query.after, () => this.#allViews());
    const bindings: BindingView[] = [];
    for (let looked = 0; looked < MAXIMUM_ROWS_PER_PAGE && bindings.length < query.limit; looked++) {
      const next = rows.next();
      if (next.done) return { bindings, next: null };
      const view = next.value();
      if (view !== undefined && matches(view, query)) bindings.push(view);
    }
    return { bindings, next: this.#listings.keep(rows) };
  }

  binding(named: Named): BindingDetailView | undefined {
    const view = this.#binding(named);
    return view && { ...view, traffic: this.#forwarding.trafficOf(ipv4(view.homeAddress)) };
  }

  #binding({ mobile }: Named): BindingView | undefined {
    const identity = identityOf(mobile);
    const { agent } = this.#sources;
    const row = agent.findBinding(identity);
    const location = agent.findLocation(identity);
    return (
      (row && this.#viewOfBinding(row)) ??
      (location && viewOfLocation(location, this.#addressOf)) ??
      this.#temporaryView(identity)
    );
  }

  async deleteBinding({ mobile, ...options }: Named & DeletionOptions): Promise<DeletionView | undefined> {
    const { agent, configuration, deleteBinding } = this.#sources;
    const row = options.forgetReplay ? agent.findBinding(identityOf(mobile)) : undefined;
    // For a mobile whose binding has ended there is still replay state.
    const view = this.#binding({ mobile }) ?? (row && viewOfRemains(row));
    if (view === undefined) return undefined;
    if (view.owner !== configuration.current.node) {
      throw new ControlError("not-owner", `${view.owner} owns this mobile: delete its binding there`);
    }
    const outcome = await deleteBinding({ identity: identityOf(mobile), forgetReplay: options.forgetReplay });
    if (outcome !== "deleted") throw new ControlError("unavailable", WHY_NOT_DELETED[outcome]);
    return view;
  }

  forwardingOfMobile({ mobile }: Named): ForwardingOfMobileView | undefined {
    return this.#forwarding.ofMobile(identityOf(mobile));
  }

  peers(): PeerView[] {
    const { configuration, agent, store } = this.#sources;
    const now = currentTime();
    const statuses = new Map([...agent.peers].map((peer) => [peer.id, peer]));
    return configuration.current.members.map(({ id, address, port }) => {
      const common = { id, address: formatIpv4(address), port };
      const status = statuses.get(id);
      if (status !== undefined) {
        return {
          ...common,
          ...viewOfPeer(status, now.monotonicMs),
          replication: agent.linkTo(id),
          relay: this.#relayTo(id),
        };
      }
      return {
        ...common,
        state: "self" as const,
        health: agent.health,
        lastHeardMs: 0,
        load: agent.load(now),
        clockSkewMs: 0,
        bootCount: store.bootCount,
        members: "same" as const,
        replication: null,
        relay: null,
      };
    });
  }

  #relayTo(member: MemberId): PeerView["relay"] {
    const path = this.#sources.linkPath(member);
    return { addressing: path?.addressing ?? "l3", reason: path?.addressing === "l3" ? path.reason : null };
  }

  routes(): RoutesView {
    const { announce } = this.#sources.configuration.current;
    const status = this.#sources.advertiser();
    return {
      type: status.type,
      speaker: status.speaker,
      pid: status.pid ?? null,
      restarts: status.restarts,
      lastError: status.lastError ?? null,
      desired: status.desired.map(viewOfAdvertisement),
      applied: status.applied.map(viewOfAdvertisement),
      neighbors: status.neighbors.map(({ address, state, sinceMs, reason }) => ({
        address,
        state,
        since: new Date(sinceMs).toISOString(),
        reason: reason ?? null,
        complete: status.view.complete.includes(address),
        accepted: Object.fromEntries(
          status.applied.map(({ prefix }) => [formatPrefix(prefix), isAccepted(status.view, address, prefix) ?? null]),
        ),
      })),
      view: (status.type === "none" ? [] : announce).map((prefix) => viewOfPrefix(status.view, prefix)),
      bfd: this.#sources.bfdNeighbors().map((neighbor) => ({
        address: neighbor.address,
        state: neighbor.state,
        since: new Date(neighbor.sinceMs).toISOString(),
        reason: neighbor.reason ?? null,
        detectionTimeMs: neighbor.detectionTimeMs ?? null,
        transmitIntervalMs: neighbor.transmitIntervalMs,
      })),
    };
  }

  drain(): StatusView {
    this.#sources.drain(true);
    return this.status();
  }

  undrain(): StatusView {
    this.#sources.drain(false);
    return this.status();
  }

  reload({ check }: { readonly check: boolean }): Promise<ReloadView> {
    return this.#sources.configuration.reload(check);
  }

  rebalance(): StatusView {
    this.#sources.rebalance();
    return this.status();
  }

  counters(): CountersView {
    return this.#sources.counters();
  }

  forwarding(query: PageQuery): ForwardingPage {
    return this.#forwarding.page(query);
  }

  forwardingCounters(): ForwardingCountersView {
    return this.#forwarding.counters();
  }

  readiness(): ReadinessView {
    const { ready, reasons } = this.#sources.rung();
    return { ready, reasons: [...reasons] };
  }

  /** Temporary bindings first: they are gone soonest. */
  *#allViews(): Generator<() => BindingView | undefined> {
    const { agent, configuration } = this.#sources;
    const { relayTimeoutMs } = configuration.current.timers;
    for (const temporary of agent.temporaryBindings) {
      yield () => viewOfTemporary(temporary, relayTimeoutMs, this.#addressOf);
    }
    for (const binding of agent.bindings) yield () => this.#viewOfBinding(binding);
    for (const location of agent.locations) {
      // If there is a row as well, it has more information.
      if (agent.findBinding(location) === undefined) yield () => viewOfLocation(location, this.#addressOf);
    }
  }

  #temporaryView(identity: MobileIdentity): BindingView | undefined {
    const { agent, configuration } = this.#sources;
    const { relayTimeoutMs } = configuration.current.timers;
    for (const temporary of agent.temporaryBindings) {
      const isIt =
        identity.nai === undefined ? temporary.homeAddress === identity.homeAddress : temporary.nai === identity.nai;
      if (isIt) return viewOfTemporary(temporary, relayTimeoutMs, this.#addressOf);
    }
    return undefined;
  }

  #viewOfBinding(binding: Parameters<typeof viewOfBinding>[0]): BindingView | undefined {
    return viewOfBinding(binding, this.#sources.configuration.current.node, this.#addressOf);
  }

  readonly #addressOf = (member: string): Ipv4Address =>
    this.#sources.configuration.current.members.find(({ id }) => id === member)?.address ?? UNSPECIFIED;
}

function identityOf(name: MobileName): MobileIdentity {
  return name.by === "nai"
    ? { homeAddress: UNSPECIFIED, nai: name.nai }
    : { homeAddress: name.homeAddress, nai: undefined };
}

function matches(view: BindingView, query: BindingQuery): boolean {
  return (
    (query.owner === undefined || view.owner === query.owner) &&
    (query.role === undefined || view.roles.includes(query.role)) &&
    (query.state === undefined || view.state === query.state)
  );
}

function viewOfPeer(
  peer: PeerStatus,
  monotonicMs: number,
): Omit<PeerView, "id" | "address" | "port" | "replication" | "relay"> {
  // A peer that was never heard may be suspect or dead by now.
  if (peer.lastHeardMs === Number.NEGATIVE_INFINITY) {
    return {
      state: peer.state,
      health: null,
      lastHeardMs: null,
      load: null,
      clockSkewMs: null,
      bootCount: null,
      members: null,
    };
  }
  return {
    state: peer.state,
    health: peer.health,
    lastHeardMs: Math.round(monotonicMs - peer.lastHeardMs),
    load: peer.load,
    clockSkewMs: peer.clockSkewMs,
    bootCount: bootCountOf(peer.incarnation),
    members: peer.hasOtherMembers ? "other" : "same",
  };
}

function viewOfPrefix(view: RoutingView, prefix: Ipv4Prefix): RoutesView["view"][number] {
  const text = formatPrefix(prefix);
  return {
    prefix: text,
    announcers: announcersOf(view, prefix)?.toSorted() ?? null,
    paths: view.paths
      .filter((path) => formatPrefix(path.prefix) === text)
      .map(({ neighbor, pathId, announcer, nextHop, attributes }) => ({
        neighbor,
        pathId: pathId ?? null,
        announcer: announcer ?? null,
        nextHop,
        asPath: [...attributes.asPath],
        med: attributes.med ?? null,
        communities: attributes.communities.map((pair) => pair.join(":")),
        largeCommunities: attributes.largeCommunities.map((triple) => triple.join(":")),
      })),
  };
}

function viewOfAdvertisement(advertisement: AdvertiserStatus["desired"][number]): RoutesView["desired"][number] {
  return {
    prefix: formatPrefix(advertisement.prefix),
    communities: advertisement.communities.map(([high, low]) => `${high}:${low}`),
    med: advertisement.med ?? null,
    asPathPrepend: advertisement.asPathPrepend,
  };
}
