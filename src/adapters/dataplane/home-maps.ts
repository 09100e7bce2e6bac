/** The maps of homes.bpf.h: whom packets are passed on to, and of whom they were. */
import { endianness } from "node:os";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import { HOMES_PER_SLOT, type Homes, NO_HOMES, type PassedOn, type Passing, prefixesOf } from "./homes.ts";
import type { BpfMap, BpfObject } from "./libbpf.ts";

const LITTLE_ENDIAN = endianness() === "LE";
const ADDRESS_LENGTH = 4;
/** `struct prefix` */
const PREFIX_LENGTH = 8;
/** The only key of an array of one. */
const ONLY = new Uint8Array(4);

export class HomeMaps implements Passing {
  readonly #members: BpfMap;
  readonly #memberNumbers: BpfMap;
  readonly #alive: BpfMap;
  readonly #homes: BpfMap;
  readonly #pools: BpfMap;
  readonly #missed: BpfMap;
  readonly #passedOn: BpfMap;
  #known = NO_HOMES;

  constructor(object: BpfObject) {
    this.#members = object.map("members");
    this.#memberNumbers = object.map("member_numbers");
    this.#alive = object.map("alive");
    this.#homes = object.map("homes");
    this.#pools = object.map("pools");
    this.#missed = object.map("missed");
    this.#passedOn = object.map("passed_on");
  }

  setHomes(homes: Homes): void {
    this.setAlive([]);
    for (const address of this.#known.members) this.#memberNumbers.delete(addressBytes(address));
    for (const prefix of prefixKeys(this.#known)) this.#pools.delete(prefix.key);
    this.#known = homes;
    homes.members.forEach((address, member) => {
      this.#members.set(numberBytes(member), addressBytes(address));
      this.#memberNumbers.set(addressBytes(address), numberBytes(member));
    });
    const count = homes.slots.length / HOMES_PER_SLOT;
    const keys = Uint32Array.from({ length: count }, (_, slot) => slot);
    if (count > 0) this.#homes.setAll(new Uint8Array(keys.buffer), homes.slots, count);
    for (const { key, member } of prefixKeys(homes)) this.#pools.set(key, numberBytes(member));
  }

  /** One update, whoever has died. */
  setAlive(members: readonly Ipv4Address[]): void {
    const mask = this.#known.members.reduce(
      (bits, address, member) => (members.includes(address) ? bits | (1n << BigInt(member)) : bits),
      0n,
    );
    const value = new DataView(new ArrayBuffer(8));
    value.setBigUint64(0, mask, LITTLE_ENDIAN);
    this.#alive.set(ONLY, new Uint8Array(value.buffer));
  }

  takeMissed(maximum: number): Ipv4Address[] {
    const address = new DataView(new ArrayBuffer(ADDRESS_LENGTH));
    const taken: Ipv4Address[] = [];
    while (taken.length < maximum && this.#missed.pop(new Uint8Array(address.buffer)))
      taken.push(address.getUint32(0) as Ipv4Address);
    return taken;
  }

  passedOn(): PassedOn {
    const [toMobile = 0, fromMobile = 0] = [0, 1].map((direction) => this.#passedOn.sum(numberBytes(direction)));
    return { toMobile, fromMobile };
  }
}

function prefixKeys({ pools }: Homes): { readonly key: Uint8Array; readonly member: number }[] {
  return pools.flatMap(({ range, member }) =>
    prefixesOf(range).map(({ address, length }) => {
      const key = new DataView(new ArrayBuffer(PREFIX_LENGTH));
      key.setUint32(0, length, LITTLE_ENDIAN);
      key.setUint32(4, address);
      return { key: new Uint8Array(key.buffer), member };
    }),
  );
}

function addressBytes(address: Ipv4Address): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(ADDRESS_LENGTH));
  bytes.setUint32(0, address);
  return new Uint8Array(bytes.buffer);
}

function numberBytes(number: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(number).buffer);
}
