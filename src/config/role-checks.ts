/**
 * What every address and port of the file is for, beside the others: an address that is sound by itself can't be a member's
 * if it is the virtual one. What can't be is an error, what routers can mislead is a warning.
 */

import { BFD_CONTROL_PORT } from "../adapters/bfd/control-packet.ts";
import {
  directedBroadcast,
  type Endpoint,
  formatEndpoint,
  formatIpv4,
  formatPrefix,
  type Ipv4Address,
  type Ipv4Prefix,
  type Ipv4Range,
  LOOPBACK,
  prefixContains,
  rangeContains,
} from "../core/wire/ipv4.ts";
import { homeNetworks, listenEndpoint } from "./derived.ts";
import type { Draft } from "./draft.ts";
import type { Path } from "./place.ts";
import type { Problems } from "./problem.ts";
import type { ConfigFile } from "./schema.ts";

type Members = readonly ConfigFile["members"][number][];

/** An address with a role, and where it stands. */
interface Place {
  readonly path: Path;
  readonly address: Ipv4Address;
}

export function checkRoles(draft: Draft, problems: Problems): void {
  const { source, sections } = draft;
  const { members = [] } = sections;
  const error = (path: Path, message: string) => problems.error(source, path, message);
  const places = members.flatMap((member, index) => placesOf(member, ["members", index]));
  checkVirtualNetwork(sections, error);
  checkVirtualAddress(places, sections, error);
  checkLoopback(members, sections, error);
  checkOwnAddresses(members, error);
  checkPorts(sections, error);
  checkPools(sections, error);
  checkAssociations(draft, problems);
  warnOfDetours(draft, problems);
  for (const [index, { length }] of (sections.registration?.["prohibited-care-of-networks"] ?? []).entries()) {
    if (length === 0) error(["registration", "prohibited-care-of-networks", index], "leaves no care-of address at all");
  }
}

type Report = (path: Path, message: string) => void;

/** Addresses of hosts: the member's own, and those of its neighbors. */
function placesOf({ address, bgp, bfd }: Members[number], base: Path): Place[] {
  const places: Place[] = [{ path: [...base, "address"], address }];
  for (const [section, speaker] of speakersOf({ bgp, bfd })) {
    const local = speaker?.["local-address"];
    if (local !== undefined) places.push({ path: [...base, section, "local-address"], address: local });
  }
  bgp?.neighbors.forEach((neighbor, index) => {
    places.push({ path: [...base, "bgp", "neighbors", index, "address"], address: neighbor.address });
  });
  bfd?.neighbors.forEach((neighbor, index) => {
    places.push({ path: [...base, "bfd", "neighbors", index], address: neighbor });
  });
  return places;
}

/** The sections of what may speak from an address of its own. */
function speakersOf({ bgp, bfd }: Pick<Members[number], "bgp" | "bfd">) {
  return [
    ["bgp", bgp],
    ["bfd", bfd],
  ] as const;
}

function checkVirtualNetwork(sections: Draft["sections"], error: Report): void {
  const { "virtual-network": network, "virtual-address": address } = sections;
  if (!network || address === undefined) return;
  if (!prefixContains(network, address)) {
    error(["virtual-address"], `must be inside the virtual network ${formatPrefix(network)}`);
  } else if (network.length < 31 && (address === network.address || address === directedBroadcast(network))) {
    error(["virtual-address"], `must not be the first or last address of ${formatPrefix(network)}`);
  }
}

/** It is all members' alike, so it leads to none of them, nor to a router. */
function checkVirtualAddress(places: readonly Place[], sections: Draft["sections"], error: Report): void {
  const virtualAddress = sections["virtual-address"];
  for (const { path, address } of places) {
    if (address === virtualAddress) error(path, "is the virtual address, which all members have");
  }
}

/** For trials on one host all may be there; otherwise a loopback interface can't be reached by others. */
function checkLoopback(members: Members, sections: Draft["sections"], error: Report): void {
  const isLoopback = (address: Ipv4Address) => prefixContains(LOOPBACK, address);
  if (members.every(({ address }) => isLoopback(address))) return;
  const unreachable = "is on the loopback interface, while there are members elsewhere: they can't reach it";
  for (const [index, { address, bfd }] of members.entries()) {
    if (isLoopback(address)) error(["members", index, "address"], unreachable);
    bfd?.neighbors.forEach((neighbor, place) => {
      if (isLoopback(neighbor)) error(["members", index, "bfd", "neighbors", place], "is no router on a subnet");
    });
  }
  for (const key of ["virtual-network", "virtual-address"] as const) {
    const value = sections[key];
    const address = typeof value === "object" ? value.address : value;
    if (address !== undefined && isLoopback(address)) error([key], unreachable);
  }
}

/** The address a member speaks from is its own, and not one that it speaks to. */
function checkOwnAddresses(members: Members, error: Report): void {
  for (const [index, { id, address, bgp, bfd }] of members.entries()) {
    const others = members.filter((member) => member.id !== id && member.address !== address);
    for (const [section, speaker] of speakersOf({ bgp, bfd })) {
      const local = speaker?.["local-address"];
      const owner = others.find((member) => member.address === local);
      if (owner) error(["members", index, section, "local-address"], `is the address of member ${owner.id}`);
    }
    bfd?.neighbors.forEach((neighbor, place) => {
      if (neighbor === address || neighbor === bfd["local-address"]) {
        error(["members", index, "bfd", "neighbors", place], "is the member's own address");
      }
    });
  }
}

/** What a member binds its UDP sockets to. */
function checkPorts({ members, relay, ...sections }: Draft["sections"], error: Report): void {
  const virtualAddress = sections["virtual-address"];
  if (virtualAddress === undefined || members === undefined) return;
  for (const [index, member] of members.entries()) {
    const { id, address, port, bfd } = member;
    const cluster: Path = ["members", index, "port"];
    const relaysByMac = [relay, ...(relay?.pairs.filter((pair) => pair.members.includes(id)) ?? [])].some(
      (pair) => pair?.addressing === "l2",
    );
    const bound: { readonly endpoint: Endpoint; readonly path: Path; readonly use: string }[] = [
      { endpoint: { address, port }, path: cluster, use: "the cluster channel" },
      ...(relaysByMac
        ? [{ endpoint: { address: virtualAddress, port }, path: cluster, use: "relaying by MAC address" }]
        : []),
      {
        endpoint: listenEndpoint(member, virtualAddress),
        path: member.listen ? ["members", index, "listen"] : cluster,
        use: "registrations",
      },
      ...(bfd
        ? [
            {
              endpoint: { address: bfd["local-address"] ?? address, port: BFD_CONTROL_PORT },
              path: cluster,
              use: "BFD",
            },
          ]
        : []),
    ];
    for (const [place, { endpoint, path, use }] of bound.entries()) {
      const earlier = bound
        .slice(0, place)
        .find((other) => formatEndpoint(other.endpoint) === formatEndpoint(endpoint));
      if (earlier) error(path, `${formatEndpoint(endpoint)} can't be for ${earlier.use} and for ${use}`);
    }
  }
}

function checkPools(sections: Draft["sections"], error: Report): void {
  const networks = homeNetworks(sections);
  const pools = (sections.members ?? []).flatMap(({ pool }, member) =>
    pool.map((range, index) => ({ range, path: ["members", member, "pool", index] })),
  );
  const virtualAddress = sections["virtual-address"];
  for (const { range, path } of pools) {
    const inside = (network: Ipv4Prefix) => prefixContains(network, range.first) && prefixContains(network, range.last);
    if (networks && !networks.some(inside)) {
      error(path, `must be inside a home network: ${networks.map(formatPrefix).join(", ")}`);
    }
    const member = sections.members?.find(({ address }) => rangeContains(range, address));
    if (member) error(path, `must not have the address of member ${member.id}`);
    if (virtualAddress !== undefined && rangeContains(range, virtualAddress)) {
      error(path, `must not have the virtual address ${formatIpv4(virtualAddress)}`);
    }
  }
  const sorted = pools.toSorted((a, b) => a.range.first - b.range.first);
  let highest = sorted[0];
  for (const pool of sorted.slice(1)) {
    if (highest && pool.range.first <= highest.range.last) {
      error(pool.path, `overlaps ${formatRange(highest.range)} of another pool; two mobiles could get one address`);
    }
    if (!highest || pool.range.last > highest.range.last) highest = pool;
  }
}

function formatRange(range: Ipv4Range): string {
  return `${formatIpv4(range.first)}-${formatIpv4(range.last)}`;
}

/** Neither mobiles nor foreign agents are where a home agent is. */
function checkAssociations({ sections, associations }: Draft, problems: Problems): void {
  const owners = new Map((sections.members ?? []).map(({ id, address }) => [address, `the address of member ${id}`]));
  const virtualAddress = sections["virtual-address"];
  if (virtualAddress !== undefined) owners.set(virtualAddress, "the virtual address");
  for (const { source, base, lists } of associations) {
    const report = (list: keyof typeof lists, key: string) => (entry: object, index: number) => {
      const owner = owners.get(Reflect.get(entry, key));
      if (owner !== undefined) problems.error(source, [...base, list, index, key], `is ${owner}`);
    };
    lists.mobiles.forEach(report("mobiles", "home-address"));
    lists["foreign-agents"].forEach(report("foreign-agents", "address"));
  }
}

/** Routers send what is for the virtual network to any member, unless they know a more specific route. */
function warnOfDetours({ source, sections }: Draft, problems: Problems): void {
  const network = sections["virtual-network"];
  const announced = [network, ...(sections.announce ?? [])].filter((it) => typeof it === "object");
  for (const [index, { address }] of (sections.members ?? []).entries()) {
    const prefix = announced.find((candidate) => prefixContains(candidate, address));
    if (prefix === undefined) continue;
    const message = `${formatIpv4(address)} is inside ${formatPrefix(prefix)}, which all members announce: what is for this one may reach another`;
    problems.warn(source, ["members", index, "address"], message);
  }
}
