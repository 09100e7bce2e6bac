/** Forwarding as operators see it: where packets of mobiles go, how many did, and how many went nowhere. */

import type { ForwardingCountersView, ForwardingPage, ForwardingView } from "../adapters/api/forwarding.ts";
import type { PageQuery } from "../adapters/api/kinds.ts";
import type { DataPlane } from "../adapters/dataplane/data-plane.ts";
import type { ForwardingEntry } from "../core/forwarding/forwarding-entry.ts";
import { formatIpv4 } from "../core/wire/ipv4.ts";
import { viewOfTime } from "./binding-view.ts";
import { Listings } from "./listings.ts";

export class ForwardingViews {
  readonly #dataPlane: DataPlane | undefined;
  readonly #entries: () => Iterable<ForwardingEntry>;
  readonly #listings = new Listings<Iterator<ForwardingEntry>>();

  constructor(dataPlane: DataPlane | undefined, entries: () => Iterable<ForwardingEntry>) {
    this.#dataPlane = dataPlane;
    this.#entries = entries;
  }

  page({ limit, after }: PageQuery): ForwardingPage {
    const dataPlane = this.#dataPlane;
    if (dataPlane === undefined) return { entries: [], next: null };
    const rows = this.#listings.resume(after, () => this.#entries()[Symbol.iterator]());
    const entries: ForwardingView[] = [];
    while (entries.length < limit) {
      const next = rows.next();
      if (next.done) return { entries, next: null };
      entries.push(viewOf(next.value, dataPlane));
    }
    return { entries, next: this.#listings.keep(rows) };
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
  const traffic = dataPlane.trafficOf(homeAddress);
  return {
    homeAddress: formatIpv4(homeAddress),
    tunnels: tunnels.map(({ careOfAddress, encapsulation, isReverse, expiresAtMs }) => ({
      careOfAddress: formatIpv4(careOfAddress),
      encapsulation,
      reverse: isReverse,
      expiresAt: viewOfTime(expiresAtMs),
    })),
    toMobile: { packets: traffic.packetsToMobile, octets: traffic.octetsToMobile },
    fromMobile: { packets: traffic.packetsFromMobile, octets: traffic.octetsFromMobile },
  };
}
