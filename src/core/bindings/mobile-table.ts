import type { MobileIdentity, MobileKey } from "../names.ts";
import { mobileKeyOf } from "../registration/identity.ts";
import { type Ipv4Address, UNSPECIFIED } from "../wire/ipv4.ts";

interface Row extends MobileIdentity {
  readonly mobile: MobileKey;
}

/** Rows by primary key, found by NAI and by home address as well. */
export class MobileTable<R extends Row> {
  readonly #rows = new Map<MobileKey, R>();
  readonly #byHomeAddress = new Map<Ipv4Address, MobileKey>();
  /** Only for rows whose primary key is not their NAI: a mobile first seen by its address that later showed an NAI. */
  readonly #byNai = new Map<string, MobileKey>();

  get size(): number {
    return this.#rows.size;
  }

  get(mobile: MobileKey): R | undefined {
    return this.#rows.get(mobile);
  }

  find(identity: MobileIdentity): R | undefined {
    return this.#findByNai(identity.nai) ?? this.findByHomeAddress(identity.homeAddress);
  }

  findByHomeAddress(address: Ipv4Address): R | undefined {
    if (address === UNSPECIFIED) return undefined;
    const mobile = this.#byHomeAddress.get(address);
    return mobile === undefined ? undefined : this.#rows.get(mobile);
  }

  put(row: R): void {
    this.#unindex(this.#rows.get(row.mobile));
    this.#rows.set(row.mobile, row);
    if (row.homeAddress !== UNSPECIFIED) this.#byHomeAddress.set(row.homeAddress, row.mobile);
    if (row.nai !== undefined && row.mobile.startsWith("ip:")) this.#byNai.set(row.nai, row.mobile);
  }

  delete(mobile: MobileKey): void {
    this.#unindex(this.#rows.get(mobile));
    this.#rows.delete(mobile);
  }

  /** In the order in which the mobiles first appeared: a listing in pages stays stable while rows are replaced. */
  values(): IterableIterator<R> {
    return this.#rows.values();
  }

  #unindex(row: R | undefined): void {
    if (row === undefined) return;
    if (this.#byHomeAddress.get(row.homeAddress) === row.mobile) this.#byHomeAddress.delete(row.homeAddress);
    if (row.nai !== undefined && this.#byNai.get(row.nai) === row.mobile) this.#byNai.delete(row.nai);
  }

  #findByNai(nai: string | undefined): R | undefined {
    if (nai === undefined) return undefined;
    const mobile = this.#byNai.get(nai) ?? mobileKeyOf({ homeAddress: UNSPECIFIED, nai });
    return mobile === undefined ? undefined : this.#rows.get(mobile);
  }
}
