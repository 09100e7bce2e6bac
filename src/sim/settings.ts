/** How every member of the simulated cluster is configured: as in a small cluster, with times that fit into a short run. */
import type { MobileAssociation } from "../core/auth/association.ts";
import { AssociationTable } from "../core/auth/association-table.ts";
import type { HomeAgentSettings } from "../core/home-agent/settings.ts";
import { type Endpoint, type Ipv4Range, ipv4 } from "../core/wire/ipv4.ts";

export const VIRTUAL_ENDPOINT: Endpoint = { address: ipv4("10.64.0.1"), port: 434 };
/** Short, so that leases end while a simulation lasts. */
export const FORWARDING_LEASE_MS = 1500;
const KEY = new TextEncoder().encode("1234567812345678");
export const CLUSTER = "sim";
export const SECRET = new Uint8Array(32).fill(1);

export const ASSOCIATION: MobileAssociation = {
  spi: 256,
  algorithm: "hmac-md5",
  key: KEY,
  replay: { style: "timestamps", windowMs: 7000 },
  mobiles: { by: "home-addresses", range: { first: ipv4("10.64.1.0"), last: ipv4("10.79.255.254") } },
};
export const NAI_ASSOCIATION: MobileAssociation = {
  ...ASSOCIATION,
  spi: 257,
  mobiles: { by: "realm", realm: "example.com" },
};

/** One that has a key of its own in the realm. */
export const OWN_NAI = "own@example.com";
export const OWN_ASSOCIATION: MobileAssociation = { ...ASSOCIATION, spi: 258, mobiles: { by: "nai", nai: OWN_NAI } };

export const PEER_TIMEOUT_MS = 800;
export const RELAY_TIMEOUT_MS = 2000;
export const HOP_LIMIT = 3;
export const MAXIMUM_PENDING = 1000;
/** Told from what a mobile asks for: a grant of this is a degraded one. */
export const DEGRADED_LIFETIME_SECONDS = 300;
/** Little more than what the fault `clock` does, so that rows have served their time within a simulation. */
const MAXIMUM_CLOCK_SKEW_MS = 2500;
/** More than there are mobiles. */
const UNLIMITED = 1_000_000;

export interface ClusterOptions {
  /** Of `acks` and `copies` in the configuration. */
  readonly acknowledgements?: number;
  readonly copies?: number;
  /** Dynamic home addresses of each member; 256 by default. */
  readonly sliceSize?: number;
  /** All members hand out the same dynamic home addresses, which no configuration allows. */
  readonly sharedPool?: boolean;
  /** More than there are mobiles, by default. */
  readonly maximumMobilesPerAssociation?: number;
}

export type Start = Pick<HomeAgentSettings, "bootCount" | "startNonce">;

/** `everyone`: all that there are, in whose order the pool is divided; `ids`: those that this member has for members. */
export function settingsOf(
  self: string,
  start: Start,
  { everyone, ids }: { readonly everyone: readonly string[]; readonly ids: readonly string[] },
  options: ClusterOptions,
): HomeAgentSettings {
  const sliceOf = (id: string) => slice(everyone.indexOf(id), options);
  const members = ids.map((id) => ({ id, weight: 100, pool: [sliceOf(id)] }));
  return {
    cluster: CLUSTER,
    secret: SECRET,
    self,
    members,
    ...start,
    virtualEndpoint: VIRTUAL_ENDPOINT,
    heartbeatIntervalMs: 200,
    peerTimeoutMs: PEER_TIMEOUT_MS,
    maximumClockSkewMs: MAXIMUM_CLOCK_SKEW_MS,
    relayTimeoutMs: RELAY_TIMEOUT_MS,
    hopLimit: HOP_LIMIT,
    maximumPending: MAXIMUM_PENDING,
    forwardingLeaseMs: FORWARDING_LEASE_MS,
    loadFactor: 1.25,
    replication: {
      copies: options.copies ?? 2,
      acknowledgements: options.acknowledgements ?? 1,
      degradedLifetimeSeconds: DEGRADED_LIFETIME_SECONDS,
      digestIntervalMs: 2000,
      designated: new Map(),
    },
    policy: {
      virtualAddress: VIRTUAL_ENDPOINT.address,
      homeNetworks: [{ address: ipv4("10.64.0.0"), length: 12 }],
      maximumLifetimeSeconds: 1800,
      maximumSimultaneousBindings: 4,
      minimalEncapsulation: true,
      greEncapsulation: true,
      reverseTunneling: "allowed",
      prohibitedCareOfNetworks: [],
      authenticationFailureRepliesPerSecond: 10,
      pool: [sliceOf(self)],
      otherPools: members.flatMap((member) => (member.id === self ? [] : member.pool)),
      poolStickinessMs: 60_000,
      maximumMobilesPerAssociation: options.maximumMobilesPerAssociation ?? UNLIMITED,
      maximumClockSkewMs: MAXIMUM_CLOCK_SKEW_MS,
    },
    associations: new AssociationTable([ASSOCIATION, NAI_ASSOCIATION, OWN_ASSOCIATION], []),
  };
}

/** Of the dynamic home addresses, by a member's place. */
function slice(index: number, { sharedPool = false, sliceSize = 256 }: ClusterOptions): Ipv4Range {
  const third = sharedPool ? 0 : index;
  return { first: ipv4(`10.79.${third}.0`), last: ipv4(`10.79.${third}.${sliceSize - 1}`) };
}
