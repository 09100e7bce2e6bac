import type { Binding } from "../bindings/binding.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";
import { type ForwardingEntry, forwardingEntry } from "./forwarding-entry.ts";

/**
 * Notes whose packets go another way than before, and says which way when it is asked. The entries follow from the rows alone:
 * nothing of them is kept here, so nothing can differ from the rows.
 */
export class ForwardingChanges {
  readonly #changed = new Set<Ipv4Address>();

  /** To be told of every change of a row, whatever its cause. */
  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    const isSame =
      before?.homeAddress === after?.homeAddress &&
      before?.registration.careOfAddresses === after?.registration.careOfAddresses;
    if (isSame) return;
    for (const homeAddress of [before?.homeAddress, after?.homeAddress]) {
      if (homeAddress !== undefined && homeAddress !== UNSPECIFIED) this.#changed.add(homeAddress);
    }
  }

  /** The entries as they are now of all addresses that have changed since the last time. */
  take(rowOf: (homeAddress: Ipv4Address) => Binding | undefined): ForwardingEntry[] {
    const entries = [...this.#changed].map((homeAddress) => {
      const row = rowOf(homeAddress);
      return row === undefined ? { homeAddress, tunnels: [] } : forwardingEntry(row);
    });
    this.#changed.clear();
    return entries;
  }
}
