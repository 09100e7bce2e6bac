/** The maps of tunnels.bpf.c: what the programs are told, and what they have counted. */
import { endianness } from "node:os";
import type { ForwardingEntry, Tunnel } from "../../core/forwarding/forwarding-entry.ts";
import { DROP_REASONS, type DropReason } from "../../core/tunnel/drop-reasons.ts";
import { TUNNEL_PROTOCOLS } from "../../core/tunnel/encapsulation.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { ClockReading } from "./forwarder.ts";
import type { BpfMap, BpfObject } from "./libbpf.ts";
import type { Traffic } from "./traffic.ts";

const LITTLE_ENDIAN = endianness() === "LE";
const ADDRESS_LENGTH = 4;
/** `struct tunnel` */
const TUNNEL_LENGTH = 16;
const NEVER_NS = 2n ** 64n - 1n;
/** The only key of an array of one. */
const ONLY = new Uint8Array(4);
const BATCH = 4096;

export interface OwnAddresses {
  /** Where tunnels end. */
  readonly virtual: Ipv4Address;
  /** By which other members reach this one. */
  readonly own: Ipv4Address;
}

export class TunnelMaps {
  readonly #tunnels: BpfMap;
  readonly #furtherTunnels: BpfMap;
  readonly #traffic: BpfMap;
  readonly #drops: BpfMap;
  readonly #settings: BpfMap;
  readonly #attendedUntil: BpfMap;
  /** Care-of addresses in `further_tunnels`, by home address. */
  readonly #further = new Map<Ipv4Address, readonly Ipv4Address[]>();

  constructor(object: BpfObject) {
    this.#tunnels = object.map("tunnels");
    this.#furtherTunnels = object.map("further_tunnels");
    this.#traffic = object.map("traffic_by_mobile");
    this.#drops = object.map("drops");
    this.#settings = object.map("settings_of_all");
    this.#attendedUntil = object.map("attended_until");
  }

  configure(addresses: OwnAddresses, interfaceIndex: number): void {
    const value = new DataView(new ArrayBuffer(12));
    value.setUint32(0, addresses.virtual);
    value.setUint32(4, interfaceIndex, LITTLE_ENDIAN);
    value.setUint32(8, addresses.own);
    this.#settings.set(ONLY, new Uint8Array(value.buffer));
  }

  /** Programs forward until then, by CLOCK_BOOTTIME. */
  attendUntil(bootMs: number): void {
    const value = new DataView(new ArrayBuffer(8));
    value.setBigUint64(0, nanoseconds(bootMs), LITTLE_ENDIAN);
    this.#attendedUntil.set(ONLY, new Uint8Array(value.buffer));
  }

  /** @throws SystemCallError `E2BIG` where there are too many */
  put(entries: Iterable<ForwardingEntry>, clocks: ClockReading): void {
    let batch: { readonly homeAddress: Ipv4Address; readonly latest: Tunnel }[] = [];
    const writeBatch = () => {
      const keys = new DataView(new ArrayBuffer(batch.length * ADDRESS_LENGTH));
      const values = new DataView(new ArrayBuffer(batch.length * TUNNEL_LENGTH));
      batch.forEach(({ homeAddress, latest }, index) => {
        keys.setUint32(index * ADDRESS_LENGTH, homeAddress);
        writeTunnel(values, index * TUNNEL_LENGTH, latest, clocks);
      });
      this.#tunnels.setAll(new Uint8Array(keys.buffer), new Uint8Array(values.buffer), batch.length);
      batch = [];
    };
    for (const entry of entries) {
      const { homeAddress } = entry;
      const latest = entry.tunnels.at(-1);
      this.#putFurther(entry, clocks);
      if (latest === undefined) this.#remove(homeAddress);
      else if (batch.push({ homeAddress, latest }) === BATCH) writeBatch();
    }
    if (batch.length > 0) writeBatch();
  }

  /** All of them, in the order of DROP_REASONS. */
  drops(): Record<DropReason, number> {
    const counts = Object.keys(DROP_REASONS).map((reason, index) => {
      const key = new Uint8Array(Uint32Array.of(index).buffer);
      return [reason, this.#drops.sum(key)];
    });
    return Object.fromEntries(counts);
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    const value = new BigUint64Array(4);
    this.#traffic.get(addressKey(homeAddress), new Uint8Array(value.buffer));
    const [packetsToMobile = 0, octetsToMobile = 0, packetsFromMobile = 0, octetsFromMobile = 0] = [...value].map(
      Number,
    );
    return { packetsToMobile, octetsToMobile, packetsFromMobile, octetsFromMobile };
  }

  #remove(homeAddress: Ipv4Address): void {
    const key = addressKey(homeAddress);
    this.#tunnels.delete(key);
    this.#traffic.delete(key);
  }

  #putFurther({ homeAddress, tunnels }: ForwardingEntry, clocks: ClockReading): void {
    const further = tunnels.slice(0, -1);
    const before = this.#further.get(homeAddress) ?? [];
    for (const tunnel of further) {
      const value = new DataView(new ArrayBuffer(TUNNEL_LENGTH));
      writeTunnel(value, 0, tunnel, clocks);
      this.#furtherTunnels.set(pairKey(homeAddress, tunnel.careOfAddress), new Uint8Array(value.buffer));
    }
    const careOfAddresses = further.map(({ careOfAddress }) => careOfAddress);
    for (const gone of before) {
      if (!careOfAddresses.includes(gone)) this.#furtherTunnels.delete(pairKey(homeAddress, gone));
    }
    if (further.length > 0) this.#further.set(homeAddress, careOfAddresses);
    else this.#further.delete(homeAddress);
  }
}

/** `struct tunnel` */
function writeTunnel(view: DataView, offset: number, tunnel: Tunnel, { wallMs, bootMs }: ClockReading): void {
  const { careOfAddress, encapsulation, isReverse, expiresAtMs } = tunnel;
  const expiresNs = expiresAtMs === Number.POSITIVE_INFINITY ? NEVER_NS : nanoseconds(bootMs + expiresAtMs - wallMs);
  view.setBigUint64(offset, expiresNs, LITTLE_ENDIAN);
  view.setUint32(offset + 8, careOfAddress);
  view.setUint8(offset + 12, TUNNEL_PROTOCOLS[encapsulation]);
  view.setUint8(offset + 13, isReverse ? 1 : 0);
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(Math.max(ms, 0) * 1e6));
}

function addressKey(address: Ipv4Address): Uint8Array {
  const key = new DataView(new ArrayBuffer(ADDRESS_LENGTH));
  key.setUint32(0, address);
  return new Uint8Array(key.buffer);
}

/** `struct pair` */
function pairKey(homeAddress: Ipv4Address, careOfAddress: Ipv4Address): Uint8Array {
  const key = new DataView(new ArrayBuffer(2 * ADDRESS_LENGTH));
  key.setUint32(0, homeAddress);
  key.setUint32(ADDRESS_LENGTH, careOfAddress);
  return new Uint8Array(key.buffer);
}
