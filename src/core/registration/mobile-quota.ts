/**
 * How many rows the mobiles of one security association have here. The holder of a realm's key can make up names, each of
 * which leaves a row, and tombstones outlast deregistrations.
 */
import type { MobileSelector } from "../auth/association.ts";
import type { AssociationTable } from "../auth/association-table.ts";
import type { Binding } from "../bindings/binding.ts";
import type { MemberId, MobileIdentity } from "../names.ts";
import { UNSPECIFIED } from "../wire/ipv4.ts";

export class MobileQuota {
  readonly #self: MemberId;
  readonly #associations: AssociationTable;
  readonly #maximum: number;
  readonly #counts = new Map<string, number>();

  constructor(self: MemberId, associations: AssociationTable, maximum: number) {
    this.#self = self;
    this.#associations = associations;
    this.#maximum = maximum;
  }

  rowChanged(before: Binding | undefined, after: Binding | undefined): void {
    const isOurs = (row: Binding | undefined) => row?.ownership.owner === this.#self;
    const isSame = before?.homeAddress === after?.homeAddress && before?.nai === after?.nai;
    if (isSame && isOurs(before) === isOurs(after)) return;
    if (before !== undefined && isOurs(before)) this.#add(before, -1);
    if (after !== undefined && isOurs(after)) this.#add(after, 1);
  }

  /**
   * Whether the mobile may have a row. `row` is the one that it has already, which may count for another association, or
   * for none.
   */
  hasRoom(mobile: MobileIdentity, row: Binding | undefined): boolean {
    const isCounted = row !== undefined && this.#groupOf(row) === this.#groupOf(mobile);
    return isCounted || (this.#counts.get(this.#groupOf(mobile) ?? "") ?? 0) < this.#maximum;
  }

  #add(row: Binding, amount: number): void {
    const name = this.#groupOf(row);
    if (name === undefined) return;
    const count = (this.#counts.get(name) ?? 0) + amount;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }

  /** Counted by the NAI if that has a key: names are made up more easily than addresses, and addresses change. */
  #groupOf({ homeAddress, nai }: MobileIdentity): string | undefined {
    const association =
      this.#associations.anyForMobile({ homeAddress: UNSPECIFIED, nai }) ??
      this.#associations.anyForMobile({ homeAddress, nai });
    return association && nameOf(association.mobiles);
  }
}

/** Several keys of the same mobiles count together. */
function nameOf(mobiles: MobileSelector): string {
  switch (mobiles.by) {
    case "nai":
      return `nai ${mobiles.nai}`;
    case "realm":
      return `realm ${mobiles.realm}`;
    case "home-addresses":
      return `home-addresses ${mobiles.range.first} ${mobiles.range.last}`;
  }
}
