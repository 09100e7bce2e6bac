/**
 * Forwarding by programs in the kernel (tunnels.bpf.c). They go on when this process is killed or hangs, for as long as
 * routes may take to go; the next daemon fills maps of its own and replaces the programs in one step.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ForwardingEntry } from "../../core/forwarding/forwarding-entry.ts";
import type { DropReason } from "../../core/tunnel/drop-reasons.ts";
import type { Ipv4Address } from "../../core/wire/ipv4.ts";
import type { ClockReading, DataPlaneOptions, Forwarder, Forwarding } from "./forwarder.ts";
import { HomeMaps } from "./home-maps.ts";
import { type BpfObject, type Libbpf, loadLibbpf, type Place } from "./libbpf.ts";
import type { Traffic } from "./traffic.ts";
import type { TunnelDevice } from "./tunnel-device.ts";
import { type OwnAddresses, TunnelMaps } from "./tunnel-maps.ts";
import type { Uplink } from "./uplinks.ts";

/** Where they are, if they have been compiled. */
export const PROGRAMS = fileURLToPath(new URL("./tunnels.bpf.o", import.meta.url));

export async function loadBpfForwarding({ virtualAddress, ownAddress }: DataPlaneOptions): Promise<Forwarding> {
  const libbpf = await loadLibbpf();
  /** All places where something was attached, whether or not it works now. */
  const places = new Map<string, Place>();
  return {
    make(device) {
      if (!existsSync(PROGRAMS))
        throw new Error(`${PROGRAMS} is missing: the programs for the kernel are not compiled`);
      return new BpfForwarder(
        libbpf,
        libbpf.load(PROGRAMS),
        device,
        { virtual: virtualAddress, own: ownAddress },
        places,
      );
    },
    remove() {
      for (const place of places.values()) libbpf.detach(place);
    },
  };
}

class BpfForwarder implements Forwarder {
  readonly passing: HomeMaps;
  readonly #libbpf: Libbpf;
  readonly #object: BpfObject;
  readonly #maps: TunnelMaps;
  readonly #device: TunnelDevice;
  readonly #addresses: OwnAddresses;
  readonly #places: Map<string, Place>;
  /** Where programs of `#object` are. */
  readonly #attached = new Set<string>();

  constructor(
    libbpf: Libbpf,
    object: BpfObject,
    device: TunnelDevice,
    addresses: OwnAddresses,
    places: Map<string, Place>,
  ) {
    this.#libbpf = libbpf;
    this.#object = object;
    this.#device = device;
    this.#addresses = addresses;
    this.#places = places;
    this.#maps = new TunnelMaps(object);
    this.#maps.configure(addresses, device.index);
    this.passing = new HomeMaps(object);
  }

  put(entries: Iterable<ForwardingEntry>, clocks: ClockReading): void {
    this.#maps.put(entries, clocks);
  }

  tend(attendedUntilMs: number, uplinks: readonly Uplink[]): void {
    this.#maps.attendUntil(attendedUntilMs);
    this.#attach("encapsulate", { interfaceIndex: this.#device.index, hook: "egress" });
    for (const { index } of uplinks) this.#attach("decapsulate", { interfaceIndex: index, hook: "ingress" });
  }

  drops(): Record<DropReason, number> {
    return this.#maps.drops();
  }

  trafficOf(homeAddress: Ipv4Address): Traffic {
    return this.#maps.trafficOf(homeAddress);
  }

  /** What is attached stays until programs of another object are put in its place, or the time of these is over. */
  close(): void {
    this.#object.close();
  }

  /** The program of the daemon before this one is replaced, as it has maps of its own. */
  #attach(program: string, { interfaceIndex, hook }: Omit<Place, "handle">): void {
    const name = `${interfaceIndex} ${hook}`;
    // Several daemons on a host have an address each: the program of another one stays beside ours.
    const place = { interfaceIndex, hook, handle: this.#addresses.virtual };
    if (this.#attached.has(name) && this.#libbpf.isAttached(place)) return;
    this.#libbpf.attach(this.#object.program(program), place);
    this.#attached.add(name);
    this.#places.set(name, place);
  }
}
