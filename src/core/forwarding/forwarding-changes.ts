import type { Binding } from "../bindings/binding.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";
import type { ForwardingEntry } from "./forwarding-entry.ts";

/**
 * Notes whose packets go another way than before, and says which way when it is asked. The entries follow from the rows, and from
 * what owners have told: nothing of them is kept here, so nothing can differ from those.
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
      if (homeAddress !== undefined) this.changed(homeAddress);
    }
  }

  /** Of this address something else was told. */
  changed(homeAddress: Ipv4Address): void {
    if (homeAddress !== UNSPECIFIED) this.#changed.add(homeAddress);
  }

  /** The entries as they are now of all addresses that have changed since the last time. */
  take(entryOf: (homeAddress: Ipv4Address) => ForwardingEntry): ForwardingEntry[] {
    const entries = [...this.#changed].map(entryOf);
    this.#changed.clear();
    return entries;
  }
}
