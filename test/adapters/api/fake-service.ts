import type {
  BindingDetailView,
  BindingPage,
  BindingQuery,
  BindingView,
  DeletionOptions,
} from "../../../src/adapters/api/bindings.ts";
import type {
  ForwardingCountersView,
  ForwardingOfMobileView,
  ForwardingPage,
  ForwardingView,
} from "../../../src/adapters/api/forwarding.ts";
import type { MobileName, PageQuery } from "../../../src/adapters/api/kinds.ts";
import type {
  CountersView,
  PeerView,
  ReadinessView,
  ReloadView,
  StatusView,
} from "../../../src/adapters/api/members.ts";
import { ControlError, type ControlService } from "../../../src/adapters/api/requests.ts";
import type { RoutesView } from "../../../src/adapters/api/routes.ts";
import { formatIpv4, type Ipv4Address, ipv4 } from "../../../src/core/wire/ipv4.ts";

export const status: StatusView = {
  node: "ha1",
  cluster: "lab",
  version: "0.1.0",
  uptimeSeconds: 93_784,
  bootCount: 7,
  health: "ready",
  ready: true,
  draining: false,
  preference: "normal",
  reasons: [],
  lastReload: null,
  checks: [{ name: "free-disk", state: "pass", since: "2026-01-02T03:04:05.000Z", reason: "12.3 GiB are free" }],
  virtualAddress: "10.64.0.1",
  virtualNetwork: "10.64.0.0/12",
  bindings: { owned: 12, backup: 5, ingress: 5, temporary: 1, tombstones: 2 },
  moving: null,
  registrationsPerSecond: 3.25,
  store: { queuedChanges: 0, unfoldedChanges: 17, lastCommitMs: 0.4, freeBytes: 13_207_024_435 },
  alarms: [{ id: "clock-skew", since: "2026-01-02T03:04:05.000Z", message: "the clock of ha3 differs by 2.5 s" }],
  takeovers: [{ at: "2026-01-02T03:04:06.000Z", member: "ha3", bindings: 40 }],
};

export const reloaded: ReloadView = {
  checked: false,
  outcome: "applied",
  changes: [
    { path: "members[ha2].weight", from: "100", to: "50", live: true },
    { path: "members[ha4].address", from: null, to: "10.1.0.14", live: true },
  ],
  problems: [],
};

export const peers: PeerView[] = [
  {
    id: "ha1",
    address: "10.1.0.11",
    port: 4340,
    state: "self",
    health: "ready",
    lastHeardMs: 0,
    load: { ownedBindings: 12, registrationsPerSecond: 3.25, eventLoopDelayMs: 1.5, storeQueue: 0 },
    clockSkewMs: 0,
    bootCount: 7,
    members: "same",
    replication: null,
    relay: null,
  },
  {
    id: "ha2",
    address: "10.1.0.12",
    port: 4340,
    state: "unknown",
    health: null,
    lastHeardMs: null,
    load: null,
    clockSkewMs: null,
    bootCount: null,
    members: null,
    replication: { state: "down", backlogRows: 0 },
    relay: { addressing: "l3", reason: "no MAC address is known" },
  },
];

export const routes: RoutesView = {
  type: "exabgp",
  speaker: "running",
  pid: 4711,
  restarts: 1,
  lastError: "exited with code 1",
  desired: [{ prefix: "10.64.0.0/12", communities: ["65535:0"], med: 50, asPathPrepend: 2 }],
  applied: [],
  neighbors: [
    {
      address: "10.1.0.1",
      state: "up",
      since: "2026-01-02T03:04:05.000Z",
      reason: null,
      complete: true,
      accepted: { "10.64.0.0/12": true },
    },
    {
      address: "10.1.0.2",
      state: "up",
      since: "2026-01-02T03:04:05.000Z",
      reason: null,
      complete: false,
      accepted: { "10.64.0.0/12": null },
    },
  ],
  view: [
    {
      prefix: "10.64.0.0/12",
      announcers: ["ha1", "ha2"],
      paths: [
        {
          neighbor: "10.1.0.1",
          pathId: "0.0.0.1",
          announcer: "ha2",
          nextHop: "10.1.0.12",
          asPath: [65001, 65012],
          med: 7,
          communities: ["65535:0"],
          largeCommunities: ["65012:434:167837708"],
        },
        {
          neighbor: "10.1.0.1",
          pathId: "0.0.0.2",
          announcer: null,
          nextHop: "10.1.0.99",
          asPath: [65001, 64999],
          med: null,
          communities: [],
          largeCommunities: [],
        },
      ],
    },
    { prefix: "10.64.0.1/32", announcers: null, paths: [] },
  ],
  bfd: [
    {
      address: "10.1.0.1",
      state: "up",
      since: "2026-01-02T03:04:06.000Z",
      reason: null,
      detectionTimeMs: 900,
      transmitIntervalMs: 300,
    },
    {
      address: "10.1.0.2",
      state: "down",
      since: "2026-01-02T03:04:07.000Z",
      reason: "the detection time has expired",
      detectionTimeMs: null,
      transmitIntervalMs: 1000,
    },
  ],
};

export const counters = {
  "requests-received": 5,
  "datagrams-dropped": { "truncated-message": 3 },
  "frames-rejected": {},
};

export const traffic = { toMobile: { packets: 3, octets: 252 }, fromMobile: { packets: 2, octets: 168 } };

export const forwarding: ForwardingView = {
  homeAddress: "10.79.0.1",
  tunnels: [
    { careOfAddress: "203.0.113.9", encapsulation: "ip-in-ip", reverse: false, expiresAt: null },
    { careOfAddress: "203.0.113.10", encapsulation: "gre", reverse: true, expiresAt: "2099-01-02T03:04:05.000Z" },
  ],
  ...traffic,
};

export const forwardingOfMobile: ForwardingOfMobileView = {
  ...forwarding,
  source: "lease",
  homes: [
    { member: "ha2", alive: false },
    { member: "ha3", alive: true },
  ],
};

export const forwardingCounters: ForwardingCountersView = {
  type: "bpf",
  failure: null,
  uplinks: ["eth0", "eth1"],
  passedOn: { toMobile: 7, fromMobile: 5 },
  drops: { "source-unregistered": 4, congestion: 0 },
};

export const alice: BindingView = {
  mobile: "nai:alice@example.com",
  homeAddress: "10.79.0.1",
  nai: "alice@example.com",
  careOfAddress: "203.0.113.9",
  careOfAddresses: [
    {
      careOfAddress: "203.0.113.9",
      foreignAgent: "203.0.113.9:434",
      lifetime: 1800,
      expiresAt: "2099-01-02T03:04:05.000Z",
      flags: ["S", "T"],
    },
  ],
  foreignAgent: "203.0.113.9:434",
  owner: "ha1",
  ownerAddress: "10.1.0.11",
  roles: ["owner", "ingress"],
  state: "permanent",
  lifetime: 1800,
  expiresAt: "2099-01-02T03:04:05.000Z",
  identification: "0xe8d4a51000000001",
  generation: 3,
};

/** A binding that is still waiting for its owner. */
export const pending: BindingView = {
  ...alice,
  mobile: "ip:10.64.1.77",
  homeAddress: "10.64.1.77",
  nai: null,
  careOfAddresses: [],
  owner: "ha2",
  ownerAddress: "10.1.0.12",
  roles: ["ingress"],
  state: "temporary",
  lifetime: null,
  generation: null,
};

/** Alice, the pending one, and mobiles without NAI whose bindings never expire. */
function bindings(count: number): BindingView[] {
  const others = Array.from({ length: Math.max(0, count - 2) }, (_, index): BindingView => {
    const homeAddress = formatIpv4((ipv4("10.65.0.0") + index) as Ipv4Address);
    return { ...alice, mobile: `ip:${homeAddress}`, homeAddress, nai: null, lifetime: 65_535, expiresAt: null };
  });
  return [alice, pending, ...others].slice(0, count);
}

/** Serves what is above; methods may be replaced. */
export class FakeService implements ControlService {
  readonly queries: BindingQuery[] = [];
  readonly deletions: DeletionOptions[] = [];
  readonly all: BindingView[];

  constructor(count = 2) {
    this.all = bindings(count);
  }

  /** What the next answers say of bindings that are moved. */
  moving: StatusView["moving"][] = [];
  status = (): StatusView => ({ ...status, moving: this.moving.shift() ?? null });
  peers = (): PeerView[] => peers;
  routes = (): RoutesView => routes;
  /** Orders that were given, in their order. */
  readonly orders: string[] = [];
  #order(order: string): StatusView {
    this.orders.push(order);
    return this.status();
  }
  drain = (): StatusView => this.#order("drain");
  undrain = (): StatusView => this.#order("undrain");
  rebalance = (): StatusView => this.#order("rebalance");
  reload = async ({ check }: { check: boolean }): Promise<ReloadView> => {
    this.orders.push(check ? "reload --check" : "reload");
    return { ...reloaded, checked: check };
  };
  counters = (): CountersView => counters;
  forwarding = ({ limit }: PageQuery): ForwardingPage => ({
    entries: [forwarding].slice(0, limit),
    next: null,
  });
  forwardingCounters = (): ForwardingCountersView => forwardingCounters;
  readiness = (): ReadinessView => ({ ready: true, reasons: [] });

  bindings = (query: BindingQuery): BindingPage => {
    this.queries.push(query);
    const from = Number(query.after ?? 0);
    if (!(from <= this.all.length)) throw new ControlError("stale-cursor", "this listing has ended; start again");
    const matching = this.all.filter(
      ({ roles, state }) =>
        (query.role === undefined || roles.includes(query.role)) && state === (query.state ?? state),
    );
    const to = from + query.limit;
    return { bindings: matching.slice(from, to), next: to < matching.length ? String(to) : null };
  };

  binding = ({ mobile }: { mobile: MobileName }): BindingDetailView | undefined => {
    const found = this.all.find((view) =>
      mobile.by === "nai" ? view.nai === mobile.nai : view.homeAddress === formatIpv4(mobile.homeAddress),
    );
    return found && { ...found, traffic };
  };

  forwardingOfMobile = ({ mobile }: { mobile: MobileName }): ForwardingOfMobileView | undefined =>
    mobile.by === "home-address" && formatIpv4(mobile.homeAddress) === forwarding.homeAddress
      ? forwardingOfMobile
      : undefined;

  deleteBinding = async (asked: DeletionOptions & { mobile: MobileName }): Promise<BindingView | undefined> => {
    this.deletions.push({ forgetReplay: asked.forgetReplay });
    const view = this.binding(asked);
    if (view && !view.roles.includes("owner")) {
      throw new ControlError("not-owner", `${view.owner} owns this mobile: delete its binding there`);
    }
    if (view) {
      const place = this.all.findIndex(({ mobile }) => mobile === view.mobile);
      this.all.splice(place, 1);
    }
    return view;
  };
}
