/** Where mobiles are that other members own: what this ingress HA learned from replies, and what owners told it. */

import type { MobileIdentity, MobileKey } from "../names.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";
import { ExpiryWheel } from "./expiry-wheel.ts";
import type { Journal } from "./journal.ts";
import { isNewerOwnership, type Location } from "./location.ts";
import { encodeLocationRow } from "./location-row.ts";
import { MobileTable } from "./mobile-table.ts";
import { hasAddressBefore } from "./mobility-bindings.ts";

export class LocationTable {
  readonly #journal: Journal;
  readonly #rows = new MobileTable<Location>((a, b) => hasAddressBefore(addressClaimOf(a), addressClaimOf(b)));
  readonly #due = new ExpiryWheel<MobileKey>();
  #ingressCount = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Mobiles that this member is the ingress of. */
  get ingressCount(): number {
    return this.#ingressCount;
  }

  get nextDueMs(): number {
    return this.#due.nextDueMs;
  }

  get(mobile: MobileKey): Location | undefined {
    return this.#rows.get(mobile);
  }

  find(identity: MobileIdentity): Location | undefined {
    return this.#rows.find(identity);
  }

  findByHomeAddress(address: Ipv4Address): Location | undefined {
    return this.#rows.findByHomeAddress(address);
  }

  allByHomeAddress(address: Ipv4Address): Location[] {
    return this.#rows.allByHomeAddress(address);
  }

  values(): IterableIterator<Location> {
    return this.#rows.values();
  }

  /** A row that was on disk at start. */
  restore(location: Location): void {
    this.#uncount(location.mobile);
    if (location.ingress !== undefined) this.#ingressCount++;
    this.#rows.put(location);
    this.#due.set(location.mobile, nextChangeMs(location));
  }

  /** Written to the store as well, though nothing waits for it: the owner has the binding itself. */
  put(location: Location): void {
    this.restore(location);
    this.#journal.append({ table: "location", key: location.mobile, row: encodeLocationRow(location) });
  }

  /** News of who owns a mobile; what this member is to it as an ingress stays. */
  learn(told: Omit<Location, "ingress">): void {
    const known = this.#rows.get(told.mobile);
    if (known !== undefined && isNewerOwnership(known, told)) return;
    this.put({ ...told, ingress: known?.ingress });
  }

  delete(mobile: MobileKey): void {
    if (this.#rows.get(mobile) === undefined) return;
    this.#uncount(mobile);
    this.#rows.delete(mobile);
    this.#due.clear(mobile);
    this.#journal.append({ table: "location", key: mobile, row: null });
  }

  expire(wallMs: number): void {
    for (const mobile of this.#due.takeDue(wallMs)) {
      const location = this.#rows.get(mobile);
      if (location === undefined) continue;
      if (location.knownUntilMs <= wallMs) this.delete(mobile);
      else if (location.ingress !== undefined && location.ingress.expiresAtMs <= wallMs) {
        // On disk the ingress part may stay: its time is in the row.
        this.restore({ ...location, ingress: undefined });
      } else this.#due.set(mobile, nextChangeMs(location));
    }
  }

  #uncount(mobile: MobileKey): void {
    if (this.#rows.get(mobile)?.ingress !== undefined) this.#ingressCount--;
  }
}

function addressClaimOf({ mobile, homeAddressSinceMs }: Location) {
  return { mobile, sinceMs: homeAddressSinceMs };
}

function nextChangeMs(location: Location): number {
  return Math.min(location.knownUntilMs, location.ingress?.expiresAtMs ?? Number.POSITIVE_INFINITY);
}
