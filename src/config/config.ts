/**
 * The configuration as the daemon uses it: checked, with defaults filled in, addresses parsed, keys read. `load.ts` makes
 * it from the file. Settings of `schema.ts` have the names that `names.ts` gives them; only what follows from several of
 * them is declared here.
 */
import type { ForeignAgentAssociation, MobileAssociation } from "../core/auth/association.ts";
import type { MemberId } from "../core/names.ts";
import type { RegistrationPolicy } from "../core/registration/policy.ts";
import type { ReplicationSettings } from "../core/replication/replication.ts";
import type { Endpoint, Ipv4Address, Ipv4Prefix } from "../core/wire/ipv4.ts";
import type { Named } from "./names.ts";
import type { ConfigFile } from "./schema.ts";

export type Settings = Named<ConfigFile>;
type MemberSettings = Settings["members"][number];

export type RelayAddressing = Settings["relay"]["addressing"];
export type DataPlaneConfig = Settings["dataPlane"];
/** What BGP is told instead of a preference. */
export type RungAttributes = Settings["health"]["low"];

export interface Config
  extends Pick<
    Settings,
    | "cluster"
    | "virtualAddress"
    | "virtualNetwork"
    | "manageAddress"
    | "timers"
    | "placement"
    | "dataPlane"
    | "bfd"
    | "log"
    | "health"
  > {
  /** Which member this daemon is; always one of `members`. */
  readonly node: MemberId;
  /** All members of the cluster, this one included, in the order of the file. */
  readonly members: readonly Member[];
  /** The member that `node` names. */
  readonly self: Member;
  /** Without repetition; the virtual network first, where it is among them. */
  readonly announce: readonly [Ipv4Prefix, ...Ipv4Prefix[]];
  /** What the keys of the cluster channel are derived from; at least 32 bytes. */
  readonly secret: Uint8Array;
  /** Absolute path. */
  readonly dataDirectory: string;
  /** Absolute path. */
  readonly controlSocket: string;
  readonly relay: Omit<Settings["relay"], "addressing" | "pairs"> & {
    /** Between this member and each other one. */
    readonly addressing: ReadonlyMap<MemberId, RelayAddressing>;
  };
  readonly replication: ReplicationSettings;
  readonly registration: RegistrationPolicy;
  readonly mobileAssociations: readonly MobileAssociation[];
  readonly foreignAgentAssociations: readonly ForeignAgentAssociation[];
  readonly advertiser: AdvertiserConfig;
}

export interface Member extends Omit<MemberSettings, "backups" | "listen" | "bgp" | "bfd"> {
  /**
   * Where it receives registrations: the virtual address, port 434, unless set otherwise for a trial without privileges.
   */
  readonly listen: Endpoint;
  /** Absent where the member announces nothing by BGP. */
  readonly bgp: Speaker<NonNullable<MemberSettings["bgp"]>> | undefined;
  /** Absent where the member doesn't speak BFD. */
  readonly bfd: Speaker<NonNullable<MemberSettings["bfd"]>> | undefined;
}

/** A section of a member whose `local-address` has been resolved: it is the member's address unless set otherwise. */
export type Speaker<Section> = Omit<Section, "localAddress"> & { readonly localAddress: Ipv4Address };

type AdvertiserSettings<Type> = Extract<Settings["advertiser"], { readonly type: Type }>;

export type AdvertiserConfig =
  | AdvertiserSettings<"none">
  | (Omit<AdvertiserSettings<"exabgp">, "mode" | "group" | "runtimeDirectory"> & {
      /** What daemon and ExaBGP share; absolute path. */
      readonly runtimeDirectory: string;
      /** ExaBGP is run separately, as a member of this group, or of ours. */
      readonly sidecar: { readonly group: string | undefined } | undefined;
    })
  | (Omit<AdvertiserSettings<"ospf">, "vtyDirectory"> & {
      /** The socket of ospfd that `vtysh` uses; absolute path. */
      readonly vtyPath: string;
    });
