/**
 * Relays between members on one link in a frame to the other member's MAC address, while the destination IP address stays
 * the virtual one. The members' own heartbeats keep their MAC addresses in the kernel's neighbor table.
 */
import { networkInterfaces } from "node:os";
import { encodeEthernetUdp } from "../../core/wire/ethernet-frame.ts";
import type { Endpoint, Ipv4Address } from "../../core/wire/ipv4.ts";
import { formatMac, type MacAddress, parseMac } from "../../core/wire/mac-address.ts";
import { type Neighbor, readNeighborTable } from "../kernel/neighbor-table.ts";
import { PacketSocket } from "../kernel/packet-socket.ts";

/** The part of the system that is used; tests have their own. */
export interface LinkAccess {
  neighbors(): ReadonlyMap<Ipv4Address, Neighbor>;
  /** `undefined` for an interface that is down or has no MAC address. */
  macOf(device: string): MacAddress | undefined;
  interfaceIndex(device: string): number;
  /** Throws an error with a `code`. */
  send(frame: Uint8Array, interfaceIndex: number): void;
  close(): void;
}

export interface LinkRelayOptions {
  /** Our own address and port on the cluster channel. */
  readonly self: Endpoint;
  readonly virtualAddress: Ipv4Address;
  /** Members to relay to by MAC address where possible, with their endpoints on the cluster channel. */
  readonly peers: ReadonlyMap<string, Endpoint>;
  /** Whether a member says that it accepts what is relayed this way. */
  readonly isTaking: (member: string) => boolean;
  /** Something was sent, or has to be sent to the member's own address instead. */
  readonly sent: (addressing: LinkPath["addressing"]) => void;
  /** Relaying to `member` uses its MAC address from now on or, for the reason given, its IP address. */
  readonly changed: (member: string, path: LinkPath) => void;
}

/** How relayed messages to a member are addressed, and why not by its MAC address. */
export type LinkPath =
  | { readonly addressing: "l2"; readonly mac: string }
  | { readonly addressing: "l3"; readonly reason: string };

interface Link {
  readonly sourceMac: MacAddress;
  readonly destinationMac: MacAddress;
  readonly interfaceIndex: number;
}

/** How long a look at the neighbor table is valid; the replacement of a network card is noticed soon enough. */
const LOOK_HOLDS_MS = 1000;

export class LinkRelay {
  #options: LinkRelayOptions;
  readonly #access: LinkAccess | string;
  readonly #links = new Map<string, Link | string>();
  /** For each member that something was sent to. */
  readonly #told = new Map<string, string>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** `access` is the access to links, or the reason why there is none. */
  constructor(options: LinkRelayOptions, access: LinkAccess | string) {
    this.#options = options;
    this.#access = access;
  }

  /** Sets other members, or new addresses of members. */
  setPeers(peers: LinkRelayOptions["peers"]): void {
    this.#options = { ...this.#options, peers };
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Returns whether it was sent; if not, it has to be sent to the member's own address. */
  send(member: string, payload: Uint8Array): boolean {
    const peer = this.#options.peers.get(member);
    if (peer === undefined) return false;
    const link = this.#link(member);
    this.#tell(member, link);
    const isSent = typeof link !== "string" && this.#sendOver(link, peer.port, payload);
    this.#options.sent(isSent ? "l2" : "l3");
    return isSent;
  }

  #sendOver(link: Link, port: number, payload: Uint8Array): boolean {
    if (typeof this.#access === "string") return false;
    const { self, virtualAddress } = this.#options;
    const frame = encodeEthernetUdp({
      ...link,
      source: self,
      destination: { address: virtualAddress, port },
      payload,
    });
    if (frame === undefined) return false;
    try {
      this.#access.send(frame, link.interfaceIndex);
      return true;
    } catch {
      // It is larger than the link's MTU, there is no room, or the interface has gone: IP can deal with all of these.
      return false;
    }
  }

  /** `undefined` for a member that is relayed to by its IP address anyway. */
  pathTo(member: string): LinkPath | undefined {
    return this.#options.peers.has(member) ? pathOver(this.#link(member)) : undefined;
  }

  close(): void {
    if (typeof this.#access !== "string") this.#access.close();
  }

  /** The link to use, or the reason why there is none. */
  #link(member: string): Link | string {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs > LOOK_HOLDS_MS) {
      this.#lookedAtMs = nowMs;
      this.#look();
    }
    return this.#links.get(member) ?? "no such member";
  }

  #look(): void {
    const access = this.#access;
    const neighbors = typeof access === "string" ? undefined : access.neighbors();
    for (const [member, { address }] of this.#options.peers) {
      this.#links.set(
        member,
        typeof access === "string" ? access : this.#find(access, member, neighbors?.get(address)),
      );
    }
  }

  #find(access: LinkAccess, member: string, neighbor: Neighbor | undefined): Link | string {
    if (!this.#options.isTaking(member)) return "the member doesn't take frames to the virtual address";
    if (neighbor === undefined) return "no MAC address is known: the member is not on a link of ours";
    const { mac, device } = neighbor;
    const sourceMac = access.macOf(device);
    if (sourceMac === undefined) return `${device} has no MAC address`;
    try {
      return { sourceMac, destinationMac: mac, interfaceIndex: access.interfaceIndex(device) };
    } catch (error) {
      return (error as Error).message;
    }
  }

  #tell(member: string, link: Link | string): void {
    const path = pathOver(link);
    const key = path.addressing === "l2" ? path.mac : path.reason;
    if (this.#told.get(member) === key) return;
    this.#told.set(member, key);
    this.#options.changed(member, path);
  }
}

function pathOver(link: Link | string): LinkPath {
  return typeof link === "string"
    ? { addressing: "l3", reason: link }
    : { addressing: "l2", mac: formatMac(link.destinationMac) };
}

/** The links of this host, or the reason why there is no access to them. */
export async function openLinks(): Promise<LinkAccess | string> {
  try {
    const socket = await PacketSocket.open();
    return {
      neighbors: readNeighborTable,
      macOf: (device) => parseMac(networkInterfaces()[device]?.[0]?.mac ?? ""),
      interfaceIndex: (device) => socket.interfaceIndex(device),
      send: (frame, interfaceIndex) => socket.send(frame, interfaceIndex),
      close: () => socket.close(),
    };
  } catch (error) {
    return `no frames can be sent: ${(error as Error).message}`;
  }
}
