/**
 * The configuration as the daemon uses it: checked, with defaults filled in, addresses parsed, keys read.
 * `load.ts` makes it from the file that `schema.ts` describes.
 */

import type { ExecSettings } from "../adapters/checks/exec-check.ts";
import type { SelfCheckSettings } from "../adapters/checks/self-checks.ts";
import type { ForeignAgentAssociation, MobileAssociation } from "../core/auth/association.ts";
import type { LadderSettings } from "../core/health/ladder.ts";
import type { Hysteresis } from "../core/health/settled-check.ts";
import type { MemberId } from "../core/names.ts";
import type { RegistrationPolicy } from "../core/registration/policy.ts";
import type { ReplicationSettings } from "../core/replication/replication.ts";
import type { Endpoint, Ipv4Address, Ipv4Prefix, Ipv4Range } from "../core/wire/ipv4.ts";

export interface Config {
  readonly cluster: string;
  /** Which member this daemon is; always one of `members`. */
  readonly node: MemberId;
  /** All members of the cluster, this one included, in the order of the file. */
  readonly members: readonly Member[];
  /** The member that `node` names. */
  readonly self: Member;
  /** The address mobiles know as their home agent. */
  readonly virtualAddress: Ipv4Address;
  /** What every ready home agent announces. */
  readonly virtualNetwork: Ipv4Prefix;
  /** Without repetition; the virtual network first, where it is among them. */
  readonly announce: readonly [Ipv4Prefix, ...Ipv4Prefix[]];
  /** The daemon adds the virtual address to the loopback interface, and removes it again. */
  readonly manageAddress: boolean;
  /** What the keys of the cluster channel are derived from; at least 32 bytes. */
  readonly secret: Uint8Array;
  /** Absolute path. */
  readonly dataDirectory: string;
  /** Absolute path. */
  readonly controlSocket: string;
  readonly timers: Timers;
  readonly relay: RelayConfig;
  readonly placement: PlacementConfig;
  readonly replication: ReplicationSettings;
  readonly registration: RegistrationPolicy;
  readonly mobileAssociations: readonly MobileAssociation[];
  readonly foreignAgentAssociations: readonly ForeignAgentAssociation[];
  readonly advertiser: AdvertiserConfig;
  readonly dataPlane: DataPlaneConfig;
  readonly bfd: BfdTimers;
  readonly health: HealthConfig;
  readonly log: { readonly level: LogLevel };
}

export interface Member {
  readonly id: MemberId;
  /** Its own address and UDP port on the cluster channel. */
  readonly address: Ipv4Address;
  readonly port: number;
  /** Share of new mobiles, relative to the other members' weights. */
  readonly weight: number;
  /** Dynamic home addresses this member hands out. */
  readonly pool: readonly Ipv4Range[];
  /** Where it receives registrations: the virtual address, port 434, unless set otherwise for a trial without privileges. */
  readonly listen: Endpoint;
  /** Absent where the member announces nothing by BGP. */
  readonly bgp: BgpConfig | undefined;
  /** Absent where the member doesn't speak BFD. */
  readonly bfd: BfdConfig | undefined;
}

export interface BgpConfig {
  readonly as: number;
  readonly routerId: Ipv4Address;
  /** Source of the BGP sessions; the member's address unless set otherwise. */
  readonly localAddress: Ipv4Address;
  readonly neighbors: readonly BgpNeighbor[];
}

export interface BgpNeighbor {
  readonly address: Ipv4Address;
  readonly as: number;
  /** What announcements to it carry besides what health asks for. */
  readonly communities: readonly (readonly [number, number])[];
  readonly largeCommunities: readonly (readonly [number, number, number])[];
  readonly med: number | undefined;
  readonly asPathPrepend: number;
}

export interface BfdConfig {
  /** Source of the BFD sessions; the member's address unless set otherwise. */
  readonly localAddress: Ipv4Address;
  readonly neighbors: readonly Ipv4Address[];
}

export interface BfdTimers {
  readonly transmitIntervalMs: number;
  readonly receiveIntervalMs: number;
  readonly detectMultiplier: number;
  /** A main event loop that stands still for so long ends all sessions. */
  readonly heartbeatTimeoutMs: number;
}

export interface Timers {
  readonly heartbeatIntervalMs: number;
  /** Without a heartbeat for this long, a member counts as dead. */
  readonly peerTimeoutMs: number;
  /** Members whose clocks are further apart leave each other out. */
  readonly maximumClockSkewMs: number;
  /** How long an ingress home agent keeps a temporary binding without an answer from the owner. */
  readonly relayTimeoutMs: number;
}

/** `l3`: to the other member's own address. `l2`: on one link, to its MAC address and the virtual IP address. */
export type RelayAddressing = "l3" | "l2";

export interface RelayConfig {
  /** Between this member and each other one. */
  readonly addressing: ReadonlyMap<MemberId, RelayAddressing>;
  /** A request is relayed at most this often. */
  readonly hopLimit: number;
  /** Temporary bindings an ingress home agent holds at most. */
  readonly maximumPending: number;
}

export interface PlacementConfig {
  /** A member takes new mobiles up to this multiple of its fair share of all bindings. */
  readonly loadFactor: number;
}

export type AdvertiserConfig =
  | { readonly type: "none" }
  | {
      readonly type: "exabgp";
      /** What daemon and ExaBGP share; absolute path. */
      readonly runtimeDirectory: string;
      /** Somebody else runs ExaBGP, as a member of this group, or of ours. */
      readonly sidecar: { readonly group: string | undefined } | undefined;
      /** BGP hold time: 0 (no keepalives) or at least 3. */
      readonly holdTimeSeconds: number;
      /** The helper inside ExaBGP withdraws after this long without a sign of life from the daemon. */
      readonly heartbeatTimeoutMs: number;
    }
  | {
      readonly type: "ospf";
      readonly interface: string;
      /** The socket of ospfd that `vtysh` uses; absolute path. */
      readonly vtyPath: string;
      /** The kernel withdraws after this long without a sign of life from the daemon. */
      readonly leaseSeconds: number;
    };

export type DataPlaneConfig =
  | { readonly type: "none" }
  | {
      /** What forwards: programs in the kernel, or a thread of the daemon. */
      readonly type: "bpf" | "user";
      /** Name of the interface that the virtual network is routed to. */
      readonly device: string;
      /** Names of the interfaces by which tunnels come and go. */
      readonly uplinks: readonly string[] | "auto";
    };

export interface HealthConfig {
  readonly ladder: LadderSettings;
  /** Of the checks of our own. */
  readonly hysteresis: Hysteresis;
  readonly selfChecks: SelfCheckSettings;
  readonly execChecks: readonly ExecSettings[];
  readonly low: RungAttributes;
  readonly lowest: RungAttributes;
}

/** What BGP is told instead of a preference. */
export interface RungAttributes {
  readonly communities: readonly (readonly [number, number])[];
  readonly med: number | undefined;
  readonly asPathPrepend: number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
