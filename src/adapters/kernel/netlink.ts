/** The few messages of rtnetlink(7) that we need. All numbers are in the byte order of the host. */

import { endianness } from "node:os";
import type { Ipv4Address, Ipv4Prefix } from "../../core/wire/ipv4.ts";
import { AF_INET } from "./libc.ts";

/** Of <linux/netlink.h> and <linux/rtnetlink.h>. */
const NLMSG_ERROR = 2;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const IFF_UP = 1;
const IFLA_MTU = 4;
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_METRICS = 8;
const RTAX_MTU = 2;
export const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
/** Whichever there is, where a route is to be deleted. */
const RT_SCOPE_NOWHERE = 255;
const RTN_UNSPEC = 0;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FR_ACT_TO_TBL = 1;
const RTN_UNICAST = 1;
const RTN_BLACKHOLE = 6;

const HEADER_LENGTH = 16;
const LITTLE_ENDIAN = endianness() === "LE";

/** Sets an interface up; nothing happens if it already is. */
export function linkUp(interfaceIndex: number): Uint8Array {
  const message = new Message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
  return message.u8(0).u8(0).u16(0).u32(interfaceIndex).u32(IFF_UP).u32(IFF_UP).finish();
}

export function setMtu(interfaceIndex: number, mtu: number): Uint8Array {
  const message = new Message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
  message.u8(0).u8(0).u16(0).u32(interfaceIndex).u32(0).u32(0);
  return message.u32Attribute(IFLA_MTU, mtu).finish();
}

export function deleteLink(interfaceIndex: number): Uint8Array {
  const message = new Message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
  return message.u8(0).u8(0).u16(0).u32(interfaceIndex).u32(0).u32(0).finish();
}

/** Settings of an interface by their numbers in <linux/ip.h>; their names are those below /proc/sys/net/ipv4/conf. */
export const InterfaceSetting = { forwarding: 1, arp_announce: 18, ignore_routes_with_linkdown: 29 };

/** Does what sysctl does, even where /proc/sys can't be written, as in containers. */
export function configureInterface(
  interfaceIndex: number,
  settings: Partial<Record<keyof typeof InterfaceSetting, number>>,
): Uint8Array {
  const message = new Message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
  message.u8(0).u8(0).u16(0).u32(interfaceIndex).u32(0).u32(0);
  message.nest(IFLA_AF_SPEC, () =>
    message.nest(AF_INET, () =>
      message.nest(IFLA_INET_CONF, () => {
        for (const [name, value] of Object.entries(settings)) {
          message.u32Attribute(InterfaceSetting[name as keyof typeof InterfaceSetting], value);
        }
      }),
    ),
  );
  return message.finish();
}

/**
 * Routes a network to an interface; packets beyond the MTU are fragmented, or answered with "too big". Refused with
 * `EEXIST` where there is a route of the network, unless it replaces that.
 */
export function routeToInterface(
  interfaceIndex: number,
  network: Ipv4Prefix,
  mtu: number,
  { replaces }: { readonly replaces: boolean },
): Uint8Array {
  const mode = replaces ? NLM_F_REPLACE : NLM_F_EXCL;
  const message = new Message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | mode);
  writeRoute(message, network, RT_SCOPE_LINK, RTN_UNICAST);
  message.u32Attribute(RTA_OIF, interfaceIndex);
  return message.nest(RTA_METRICS, () => message.u32Attribute(RTAX_MTU, mtu)).finish();
}

/** Drops what is for a network, unless there is a route with a lower metric. Refused with `EEXIST` if it already exists. */
export function blackhole(network: Ipv4Prefix, metric: number): Uint8Array {
  const message = new Message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  writeRoute(message, network, RT_SCOPE_UNIVERSE, RTN_BLACKHOLE);
  return message.u32Attribute(RTA_PRIORITY, metric).finish();
}

export function dropBlackhole(network: Ipv4Prefix, metric: number): Uint8Array {
  const message = new Message(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK);
  writeRoute(message, network, RT_SCOPE_UNIVERSE, RTN_BLACKHOLE);
  return message.u32Attribute(RTA_PRIORITY, metric).finish();
}

/** Sends everything that is looked up in a routing table of its own to an interface. */
export function defaultRouteInTable(table: number, interfaceIndex: number): Uint8Array {
  const message = new Message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  message.u8(AF_INET).u8(0).u8(0).u8(0).u8(table).u8(RTPROT_STATIC).u8(RT_SCOPE_LINK).u8(RTN_UNICAST).u32(0);
  return message.u32Attribute(RTA_OIF, interfaceIndex).finish();
}

/** In a routing table of its own, replacing the route that an address has there. */
export function routeByGateway(table: number, address: Ipv4Address, gateway: Ipv4Address): Uint8Array {
  const message = new Message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  writeRoute(message, { address, length: 32 }, RT_SCOPE_UNIVERSE, RTN_UNICAST, table);
  return message.u16(8).u16(RTA_GATEWAY).networkOrderU32(gateway).finish();
}

export function dropRouteInTable(table: number, address: Ipv4Address): Uint8Array {
  const message = new Message(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK);
  writeRoute(message, { address, length: 32 }, RT_SCOPE_NOWHERE, RTN_UNSPEC, table);
  return message.finish();
}

/** Which packets are looked up in a routing table, before rules of higher priority numbers. */
export interface RoutingRule {
  readonly priority: number;
  readonly table: number;
  readonly source?: Ipv4Address;
  readonly incomingInterface?: string;
}

/** Refused with `EEXIST` if there is such a rule. */
export function addRule(rule: RoutingRule): Uint8Array {
  return writeRule(new Message(RTM_NEWRULE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL), rule);
}

export function dropRule(rule: RoutingRule): Uint8Array {
  return writeRule(new Message(RTM_DELRULE, NLM_F_REQUEST | NLM_F_ACK), rule);
}

/** struct fib_rule_hdr, and attributes. */
function writeRule(message: Message, { priority, table, source, incomingInterface }: RoutingRule): Uint8Array {
  message.u8(AF_INET).u8(0);
  message.u8(source === undefined ? 0 : 32).u8(0);
  message.u8(table).u8(0).u8(0).u8(FR_ACT_TO_TBL).u32(0);
  message.u32Attribute(FRA_PRIORITY, priority);
  if (source !== undefined) message.u16(8).u16(FRA_SRC).networkOrderU32(source);
  if (incomingInterface !== undefined) message.textAttribute(FRA_IIFNAME, incomingInterface);
  return message.finish();
}

/** struct rtmsg, and the destination. */
function writeRoute(
  message: Message,
  { address, length }: Ipv4Prefix,
  scope: number,
  type: number,
  table = RT_TABLE_MAIN,
): void {
  message.u8(AF_INET).u8(length).u8(0).u8(0).u8(table).u8(RTPROT_STATIC).u8(scope).u8(type).u32(0);
  message.u16(8).u16(RTA_DST).networkOrderU32(address);
}

/**
 * Adds the first address of a network with its prefix length, which makes the network a connected one; if it is already
 * there, renews its lifetime. When that is over, the kernel removes it.
 */
export function leaseAddress(interfaceIndex: number, network: Ipv4Prefix, seconds: number): Uint8Array {
  const message = new Message(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  writeAddress(message, interfaceIndex, network);
  // struct ifa_cacheinfo: preferred and valid lifetime; the other two are the kernel's to fill in.
  return message.u16(20).u16(IFA_CACHEINFO).u32(seconds).u32(seconds).u32(0).u32(0).finish();
}

export function dropAddress(interfaceIndex: number, network: Ipv4Prefix): Uint8Array {
  const message = new Message(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK);
  writeAddress(message, interfaceIndex, network);
  return message.finish();
}

/** struct ifaddrmsg, and the address twice: on an interface without a peer both are the same. */
function writeAddress(message: Message, interfaceIndex: number, { address, length }: Ipv4Prefix): void {
  message.u8(AF_INET).u8(length).u8(0).u8(0).u32(interfaceIndex);
  for (const type of [IFA_LOCAL, IFA_ADDRESS]) message.u16(8).u16(type).networkOrderU32(address);
}

/** The error number of an answer, 0 for success; `undefined` if the message is no answer. */
export function errnoOf(answer: Uint8Array): number | undefined {
  if (answer.length < HEADER_LENGTH + 4) return undefined;
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
  if (view.getUint16(4, LITTLE_ENDIAN) !== NLMSG_ERROR) return undefined;
  return Math.abs(view.getInt32(HEADER_LENGTH, LITTLE_ENDIAN));
}

class Message {
  readonly #view = new DataView(new ArrayBuffer(128));
  #length = HEADER_LENGTH;

  /** struct nlmsghdr; the length is known at the end, sequence and port are the kernel's business. */
  constructor(type: number, flags: number) {
    this.#view.setUint16(4, type, LITTLE_ENDIAN);
    this.#view.setUint16(6, flags, LITTLE_ENDIAN);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#length, value, LITTLE_ENDIAN);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#length, value, LITTLE_ENDIAN);
    this.#length += 4;
    return this;
  }

  networkOrderU32(value: number): this {
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  u32Attribute(type: number, value: number): this {
    return this.u16(8).u16(type).u32(value);
  }

  /** A string that ends with a zero, up to the next boundary of four octets. */
  textAttribute(type: number, text: string): this {
    const octets = new TextEncoder().encode(`${text}\0`);
    this.u16(4 + octets.length).u16(type);
    for (let index = 0; index < Math.ceil(octets.length / 4) * 4; index++) this.u8(octets[index] ?? 0);
    return this;
  }

  /** An attribute of attributes, each of which ends on a boundary of four octets. */
  nest(type: number, write: () => void): this {
    const start = this.#length;
    this.u16(0).u16(type);
    write();
    this.#view.setUint16(start, this.#length - start, LITTLE_ENDIAN);
    return this;
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#length, LITTLE_ENDIAN);
    return new Uint8Array(this.#view.buffer, 0, this.#length);
  }
}
