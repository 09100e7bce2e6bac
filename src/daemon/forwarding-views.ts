/** Forwarding as operators see it: where packets of mobiles go, how many did, and how many went nowhere. */

import type { BindingDetailView } from "../adapters/api/bindings.ts";
import type {
  ForwardingCountersView,
  ForwardingOfMobileView,
  ForwardingPage,
  ForwardingView,
} from "../adapters/api/forwarding.ts";
import type { PageQuery } from "../adapters/api/kinds.ts";
import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import type { Traffic } from "../adapters/dataplane/traffic.ts";
import { isTombstone } from "../core/bindings/mobility-bindings.ts";
import type { ForwardingEntry } from "../core/forwarding/forwarding-entry.ts";
import type { HomeAgent } from "../core/home-agent/home-agent.ts";
import type { MemberId, MobileIdentity } from "../core/names.ts";
import { formatIpv4, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import { viewOfTime } from "./binding-view.ts";
import { Listings } from "./listings.ts";

export class ForwardingViews {
  readonly #dataPlane: DataPlane | undefined;
  readonly #agent: HomeAgent;
  readonly #self: MemberId;
  readonly #listings = new Listings<Iterator<ForwardingEntry>>();

  constructor(dataPlane: DataPlane | undefined, agent: HomeAgent, self: MemberId) {
    this.#dataPlane = dataPlane;
    this.#agent = agent;
    this.#self = self;
  }

  page({ limit, after }: PageQuery): ForwardingPage {
    const dataPlane = this.#dataPlane;
    if (dataPlane === undefined) return { entries: [], next: null };
    const rows = this.#listings.resume(after, () => this.#agent.forwardingEntries[Symbol.iterator]());
    const entries: ForwardingView[] = [];
    while (entries.length < limit) {
      const next = rows.next();
      if (next.done) return { entries, next: null };
      entries.push(viewOf(next.value, dataPlane));
    }
    return { entries, next: this.#listings.keep(rows) };
  }

  /** `undefined` for an NAI that no home address is known of, and where this home agent forwards nothing. */
  ofMobile(identity: MobileIdentity): ForwardingOfMobileView | undefined {
    const agent = this.#agent;
    const row = agent.findBinding(identity);
    const homeAddress = [identity, row, agent.findLocation(identity)].find(
      (known) => known !== undefined && known.homeAddress !== UNSPECIFIED,
    )?.homeAddress;
    if (homeAddress === undefined || this.#dataPlane === undefined) return undefined;
    const entry = agent.forwardingEntryOf(homeAddress);
    const isHolder = row !== undefined && row.homeAddress === homeAddress && !isTombstone(row);
    const role = row?.ownership.owner === this.#self ? "owner" : "backup";
    return {
      ...viewOf(entry, this.#dataPlane),
      source: entry.tunnels.length === 0 ? "nobody" : isHolder ? role : "lease",
      homes: agent.homesOf(homeAddress).map((member) => ({
        member,
        alive: member === this.#self || agent.peer(member)?.state === "alive",
      })),
    };
  }

  /** Through this home agent. */
  trafficOf(homeAddress: Ipv4Address): BindingDetailView["traffic"] {
    const traffic = this.#dataPlane?.trafficOf(homeAddress);
    return traffic === undefined ? null : viewOfTraffic(traffic);
  }

  counters(): ForwardingCountersView {
    const dataPlane = this.#dataPlane;
    if (dataPlane === undefined) return { type: "none", failure: null, uplinks: [], passedOn: NONE, drops: {} };
    return {
      type: dataPlane.type,
      failure: dataPlane.failure ?? null,
      uplinks: [...dataPlane.uplinks],
      passedOn: dataPlane.passedOn(),
      drops: dataPlane.drops(),
    };
  }
}

const NONE = { toMobile: 0, fromMobile: 0 };

function viewOf({ homeAddress, tunnels }: ForwardingEntry, dataPlane: DataPlane): ForwardingView {
  return {
    homeAddress: formatIpv4(homeAddress),
    tunnels: tunnels.map(({ careOfAddress, encapsulation, isReverse, expiresAtMs }) => ({
      careOfAddress: formatIpv4(careOfAddress),
      encapsulation,
      reverse: isReverse,
      expiresAt: viewOfTime(expiresAtMs),
    })),
    ...viewOfTraffic(dataPlane.trafficOf(homeAddress)),
  };
}

function viewOfTraffic(traffic: Traffic) {
  return {
    toMobile: { packets: traffic.packetsToMobile, octets: traffic.octetsToMobile },
    fromMobile: { packets: traffic.packetsFromMobile, octets: traffic.octetsFromMobile },
  };
}
