import type { Binding } from "../bindings/binding.ts";
import type { MemberId, MobileKey } from "../names.ts";
import type { Now } from "../now.ts";
import type { Ipv4Address } from "../wire/ipv4.ts";

/** What the owner needs of replication. */
export interface Safety {
  /** Backups for a binding of ours, the fit ones among those it has first. */
  designate(row: Pick<Binding, "mobile" | "homeAddress">, present: readonly MemberId[]): readonly MemberId[];
  /** How many of these backups can acknowledge a row soon. */
  available(backups: readonly MemberId[]): number;
  /** How many backups of the row have its last change, at `position`, on their disks. */
  coverage(row: Binding, position: number): number;
  /** No member has ever had a copy of this row of ours except the backups that it names. */
  hasNoOtherCopies(row: Binding): boolean;
  /** Sends a changed row to its backups, and to those that held it before. */
  ship(row: Binding, before: Binding | undefined): void;
  /** Gives a binding to a member that can store, as this one can't; false if there is none. */
  handOver(mobile: MobileKey, now: Now): boolean;
  /** The members that are asked about the mobile's names are told about the row, which no reply mentions. */
  tellHomes(row: Binding): void;
  /** Which mobile has the address, live or reserved, as far as this member knows. */
  holder(homeAddress: Ipv4Address, now: Now): MobileKey | undefined;
  /** Another member must be asked before this one gives the address away. */
  mustAsk(homeAddress: Ipv4Address, now: Now): boolean;
  ask(homeAddress: Ipv4Address, mobile: MobileKey): void;
  /** The owner has forgotten the mobile. */
  forgotten(row: Binding): void;
}
