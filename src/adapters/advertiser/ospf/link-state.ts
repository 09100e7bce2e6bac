/**
 * The needed part of what ospfd reports: neighbors, our interfaces, and the link-state database with the networks that
 * routers have behind them. Read from the JSON of FRR's `show ip ospf …`; keys that FRR renamed are known by both names.
 */
import { z } from "zod";
import { type Ipv4Prefix, parseIpv4, parsePrefix } from "../../../core/wire/ipv4.ts";

/** About this router alone: neighbors, interfaces, and what it announces. */
export const ownCommands = (routerId: string) => [
  "show ip ospf neighbor json",
  "show ip ospf interface json",
  `show ip ospf database router ${routerId} json`,
];

/** About all routers of the area, however many there are. */
export const AREA_COMMANDS = ["show ip ospf database router json", "show ip ospf database network json"] as const;

export interface OspfNeighbor {
  readonly address: string;
  /** Such as `Full` or `2-Way`, RFC 2328 10.1. */
  readonly state: string;
  /** Whether it has acknowledged everything we told it. */
  readonly isLevel: boolean;
}

/** A network that a router has on an interface of its own. */
export interface StubNetwork {
  readonly prefix: Ipv4Prefix;
  readonly metric: number;
}

export interface OspfRouter {
  readonly id: string;
  readonly stubs: readonly StubNetwork[];
}

export interface OwnState {
  readonly routerId: string;
  readonly neighbors: readonly OspfNeighbor[];
  /** The metric of each interface that OSPF runs on. */
  readonly costs: ReadonlyMap<string, number>;
  /** What this router announces. */
  readonly stubs: readonly StubNetwork[];
}

const neighborEntry = z.object({
  state: z.string().optional(),
  nbrState: z.string().optional(),
  address: z.string().optional(),
  ifaceAddress: z.string().optional(),
  linkStateRetransmissionListCounter: z.number().optional(),
});
const neighborsAnswer = z.object({ neighbors: z.record(z.string(), z.array(neighborEntry)).prefault({}) });

const interfacesAnswer = z.object({
  interfaces: z.record(z.string(), z.object({ cost: z.number().optional() })).prefault({}),
});

const routerLink = z.object({
  linkType: z.string(),
  networkAddress: z.string().optional(),
  networkMask: z.string().optional(),
  neighborRouterId: z.string().optional(),
  designatedRouterAddress: z.string().optional(),
  tos0Metric: z.number().optional(),
});

const advertised = z.object({ linkStateId: z.string(), advertisingRouter: z.string(), lsaAge: z.number() });
const routerLsa = advertised.extend({ routerLinks: z.record(z.string(), routerLink).prefault({}) });
const attached = z.record(z.string(), z.object({ attachedRouterId: z.string() }));
const networkLsa = advertised.extend({ attchedRouters: attached.optional(), attachedRouters: attached.optional() });

const areasOf = <T extends z.ZodType>(lsa: T) => z.object({ areas: z.record(z.string(), z.array(lsa)).prefault({}) });
const routersAnswer = z.object({ routerId: z.string(), routerLinkStates: areasOf(routerLsa).prefault({}) });
const networksAnswer = z.object({ networkLinkStates: areasOf(networkLsa).prefault({}) });

/** An LSA of this age is being removed, RFC 2328 14. */
const MAXIMUM_AGE_SECONDS = 3600;

const isCurrent = ({ lsaAge }: z.infer<typeof advertised>) => lsaAge < MAXIMUM_AGE_SECONDS;

/** Parses the answers to `ownCommands`. @throws an error if an answer isn't what it should be */
export function readOwnState(answers: readonly string[]): OwnState {
  const [neighbors, interfaces, router] = answers.map((text) => JSON.parse(text) as unknown);
  const { routerId, routerLinkStates } = routersAnswer.parse(router);
  const own = Object.values(routerLinkStates.areas).flat().filter(isCurrent);
  return {
    routerId,
    neighbors: Object.values(neighborsAnswer.parse(neighbors).neighbors).flat().map(neighborOf),
    costs: new Map(
      Object.entries(interfacesAnswer.parse(interfaces).interfaces).flatMap(([name, { cost }]) =>
        cost === undefined ? [] : [[name, cost]],
      ),
    ),
    stubs: own
      .filter(({ advertisingRouter }) => advertisingRouter === routerId)
      .flatMap(({ routerLinks }) => Object.values(routerLinks).flatMap(stubOf)),
  };
}

/**
 * The routers that can be reached from here, including this one: links of one that is gone stay in the database for an
 * hour.
 *
 * @throws as above, for `AREA_COMMANDS`
 */
export function readRouters(answers: readonly string[]): readonly OspfRouter[] {
  const [routers, networks] = answers.map((text) => JSON.parse(text) as unknown);
  const { routerId, routerLinkStates } = routersAnswer.parse(routers);
  const { networkLinkStates } = networksAnswer.parse(networks);
  const routerLsas = Object.values(routerLinkStates.areas).flat().filter(isCurrent);
  const reachable = reachableFrom(
    routerId,
    linksBetween(routerLsas, Object.values(networkLinkStates.areas).flat().filter(isCurrent)),
  );
  const stubs = new Map<string, StubNetwork[]>();
  for (const lsa of routerLsas) {
    const known = stubs.get(lsa.advertisingRouter) ?? [];
    stubs.set(lsa.advertisingRouter, [...known, ...Object.values(lsa.routerLinks).flatMap(stubOf)]);
  }
  return [...stubs].filter(([id]) => reachable.has(id)).map(([id, stubs]) => ({ id, stubs }));
}

function neighborOf(entry: z.infer<typeof neighborEntry>): OspfNeighbor {
  const [state = "unknown"] = (entry.nbrState ?? entry.state ?? "").split("/");
  return {
    address: entry.ifaceAddress ?? entry.address ?? "0.0.0.0",
    state,
    isLevel: state === "Full" && entry.linkStateRetransmissionListCounter === 0,
  };
}

function stubOf(link: z.infer<typeof routerLink>): StubNetwork[] {
  if (!link.linkType.startsWith("Stub")) return [];
  const mask = parseIpv4(link.networkMask ?? "");
  const length = mask === undefined ? undefined : Math.clz32(~mask);
  const prefix = parsePrefix(`${link.networkAddress}/${length}`);
  return prefix === undefined ? [] : [{ prefix, metric: link.tos0Metric ?? 0 }];
}

type Links = ReadonlyMap<string, ReadonlySet<string>>;

/** Keyed by router id, and for a network with several routers by `net` and the address of its designated router. */
function linksBetween(
  routers: readonly z.infer<typeof routerLsa>[],
  networks: readonly z.infer<typeof networkLsa>[],
): Links {
  const links = new Map<string, Set<string>>();
  const add = (from: string, to: string) => links.set(from, (links.get(from) ?? new Set()).add(to));
  for (const { advertisingRouter, routerLinks } of routers) {
    for (const { neighborRouterId, designatedRouterAddress } of Object.values(routerLinks)) {
      if (neighborRouterId !== undefined) add(advertisingRouter, neighborRouterId);
      if (designatedRouterAddress !== undefined) add(advertisingRouter, `net ${designatedRouterAddress}`);
    }
  }
  for (const { linkStateId, attchedRouters, attachedRouters = attchedRouters } of networks) {
    for (const { attachedRouterId } of Object.values(attachedRouters ?? {}))
      add(`net ${linkStateId}`, attachedRouterId);
  }
  return links;
}

/** A link counts only if both of its ends report it, RFC 2328 16.1 (2b). */
function reachableFrom(start: string, links: Links): ReadonlySet<string> {
  const reached = new Set([start]);
  // Iterating a growing set also visits what is added.
  for (const node of reached) {
    for (const other of links.get(node) ?? []) if (links.get(other)?.has(node)) reached.add(other);
  }
  return reached;
}
