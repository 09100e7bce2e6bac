/** What a mobile's owner tells members that hold no row of it: how its packets reach it, so that they forward them too. */
import type { MobileKey } from "../names.ts";
import type { ForwardingEntry } from "./forwarding-entry.ts";

/** It ends with its tunnels; without any, it ends what was told before. */
export interface Lease extends ForwardingEntry {
  readonly mobile: MobileKey;
  /** Ownership generation of the row. */
  readonly generation: number;
  /** Of two leases of one owner, the one with the higher number is newer, also after a restart. */
  readonly number: number;
}
