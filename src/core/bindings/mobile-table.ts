import type { MobileIdentity, MobileKey } from "../names.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";

interface Row extends MobileIdentity {
  readonly mobile: MobileKey;
}

/**
 * Rows by primary key, found by home address as well. Several mobiles may be said to have one address, as two sides of a
 * partition gave it away, until that is settled: none of them hides another.
 */
export class MobileTable<R extends Row> {
  readonly #rows = new Map<MobileKey, R>();
  /** The mobile that has the address according to `isBefore`. */
  readonly #holders = new Map<Ipv4Address, MobileKey>();
  /** The other mobiles; hardly any address has any. */
  readonly #rivals = new Map<Ipv4Address, Set<MobileKey>>();
  readonly #isBefore: (a: R, b: R) => boolean;

  /** `isBefore`: of two mobiles that are said to have one address, the first has it. */
  constructor(isBefore: (a: R, b: R) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(mobile: MobileKey): R | undefined {
    return this.#rows.get(mobile);
  }

  /** Found by its NAI, or else by its address: the mobile that has it now, or else the one that had it without an NAI. */
  find({ nai, homeAddress }: MobileIdentity): R | undefined {
    const byNai = nai === undefined ? undefined : this.#findByKey({ homeAddress: UNSPECIFIED, nai });
    const found = byNai ?? this.findByHomeAddress(homeAddress);
    return found ?? (nai === undefined ? this.#findByKey({ homeAddress, nai }) : undefined);
  }

  findByHomeAddress(address: Ipv4Address): R | undefined {
    const mobile = this.#holders.get(address);
    return mobile === undefined ? undefined : this.#rows.get(mobile);
  }

  /** All mobiles that are said to have the address, beginning with the one that has it. */
  allByHomeAddress(address: Ipv4Address): R[] {
    const holder = this.findByHomeAddress(address);
    return holder === undefined ? [] : [holder, ...this.#rivalsOf(address)];
  }

  put(row: R): void {
    this.#unindex(this.#rows.get(row.mobile));
    this.#rows.set(row.mobile, row);
    this.#index(row);
  }

  delete(mobile: MobileKey): void {
    this.#unindex(this.#rows.get(mobile));
    this.#rows.delete(mobile);
  }

  /** In the order in which the mobiles first appeared: a listing in pages stays stable while rows are replaced. */
  values(): IterableIterator<R> {
    return this.#rows.values();
  }

  #index(row: R): void {
    const { homeAddress, mobile } = row;
    if (homeAddress === UNSPECIFIED) return;
    const holder = this.findByHomeAddress(homeAddress);
    const isHolder = holder === undefined || this.#isBefore(row, holder);
    if (isHolder) this.#holders.set(homeAddress, mobile);
    const rival = isHolder ? holder?.mobile : mobile;
    if (rival === undefined) return;
    const rivals = this.#rivals.get(homeAddress) ?? new Set();
    this.#rivals.set(homeAddress, rivals.add(rival));
  }

  #unindex(row: R | undefined): void {
    if (row === undefined || row.homeAddress === UNSPECIFIED) return;
    const { homeAddress, mobile } = row;
    const rivals = this.#rivalsOf(homeAddress).filter((rival) => rival.mobile !== mobile);
    this.#rivals.delete(homeAddress);
    const holder = this.#holders.get(homeAddress);
    if (holder === mobile) this.#holders.delete(homeAddress);
    for (const rival of rivals) this.#index(rival);
  }

  #rivalsOf(address: Ipv4Address): R[] {
    const rivals = [...(this.#rivals.get(address) ?? [])];
    return rivals.map((mobile) => this.#rows.get(mobile)).filter((row) => row !== undefined);
  }

  #findByKey(identity: MobileIdentity): R | undefined {
    const mobile = mobileKeyOf(identity);
    return mobile === undefined ? undefined : this.#rows.get(mobile);
  }
}
