/** What one home agent of the cluster is told at its start, and what may change while it runs. */
import type { AssociationTable } from "../auth/association-table.ts";
import { deriveNonceKey } from "../auth/cluster-key.ts";
import type { PlacementMember } from "../members/placement.ts";
import type { TrustedClockOptions } from "../members/trusted-clock.ts";
import type { MemberId } from "../names.ts";
import { RegistrationEngine } from "../registration/engine.ts";
import type { RegistrationPolicy } from "../registration/policy.ts";
import type { ReplicationSettings, TemporaryCopySettings } from "../replication/replication.ts";
import type { Endpoint } from "../wire/ipv4.ts";
import type { SafetySettings } from "./owner.ts";

export interface HomeAgentSettings {
  readonly cluster: string;
  readonly secret: Uint8Array;
  readonly self: MemberId;
  /** All members, this one included. */
  readonly members: readonly PlacementMember[];
  /** Larger at every start, unless it was lost with the disk and the clock is wrong. */
  readonly bootCount: number;
  /** 32 random bits, drawn at this start: with the boot count they tell it from every other. */
  readonly startNonce: number;
  /** The virtual home agent address and the port of registrations. */
  readonly virtualEndpoint: Endpoint;
  readonly heartbeatIntervalMs: number;
  readonly peerTimeoutMs: number;
  /** A member whose clock is further from ours is left out. */
  readonly maximumClockSkewMs: number;
  readonly relayTimeoutMs: number;
  /** A request is relayed at most this often. */
  readonly hopLimit: number;
  /** Bound on temporary bindings, and on answers that wait until they are safe. */
  readonly maximumPending: number;
  readonly loadFactor: number;
  /** How long a member may forward by what it was told of a mobile that somebody else owns, without hearing of it again. */
  readonly forwardingLeaseMs: number;
  readonly replication: ReplicationSettings;
  readonly policy: RegistrationPolicy;
  readonly associations: AssociationTable;
}

/** Of the settings, those that can change while the member runs. */
export type Reconfiguration = Pick<
  HomeAgentSettings,
  | "members"
  | "heartbeatIntervalMs"
  | "peerTimeoutMs"
  | "maximumClockSkewMs"
  | "loadFactor"
  | "replication"
  | "policy"
  | "associations"
>;

export function peersOf({ members, self }: HomeAgentSettings): MemberId[] {
  return members.map(({ id }) => id).filter((id) => id !== self);
}

export function makeEngine({ self, policy, associations, secret, cluster }: HomeAgentSettings): RegistrationEngine {
  return new RegistrationEngine({ self, policy, associations, nonceKey: deriveNonceKey(secret, cluster) });
}

export function safetySettings({ replication, relayTimeoutMs, members }: HomeAgentSettings): SafetySettings {
  return {
    acknowledgements: Math.min(replication.acknowledgements, members.length - 1),
    degradedLifetimeSeconds: replication.degradedLifetimeSeconds,
    timeoutMs: relayTimeoutMs,
  };
}

export function clockOptions({ members, maximumClockSkewMs, peerTimeoutMs }: HomeAgentSettings): TrustedClockOptions {
  return { memberCount: members.length, maximumSkewMs: maximumClockSkewMs, witnessMs: 2 * peerTimeoutMs };
}

export function temporaryCopySettings(settings: HomeAgentSettings): TemporaryCopySettings {
  const { maximumPending, relayTimeoutMs, peerTimeoutMs } = settings;
  // As long as an ingress waits for the reply, plus the time until every member has noticed its death.
  return { maximum: maximumPending, lifetimeMs: relayTimeoutMs + 2 * peerTimeoutMs };
}
