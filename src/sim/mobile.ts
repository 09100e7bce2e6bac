/** What a mobile node remembers of what it asked for and was told, and what members hold of it. */
import type { Binding } from "../core/bindings/binding.ts";
import { compareRegistrations } from "../core/bindings/merge.ts";
import type { MobileKey } from "../core/names.ts";
import { mobileKeyOf } from "../core/registration/identity.ts";
import { type Endpoint, formatIpv4, type Ipv4Address, UNSPECIFIED } from "../core/wire/ipv4.ts";
import type { RegistrationReply } from "../core/wire/registration-message.ts";
import type { Person } from "./names.ts";
import type { SimulatedNode } from "./node.ts";
import { DEGRADED_LIFETIME_SECONDS } from "./settings.ts";

/** From the end of a partition until all copies are equal, generously. */
export const CONVERGENCE_MS = 5000;

/** A request, and what became of it. */
export interface Attempt {
  readonly identification: bigint;
  /** As the mobile showed it. */
  readonly nai: string | undefined;
  readonly careOfAddress: string;
  readonly requestedSeconds: number;
  readonly payload: Uint8Array;
  readonly source: Endpoint;
  sentMs: number;
  /** The last of its datagrams. */
  lastSentMs: number;
  /** It was under way in a partition, or before all copies were equal: it may have been accepted twice. */
  isUncertain: boolean;
  datagrams: number;
  replies: number;
  /** The member that the last datagram went to, and those that replies came from. */
  ingress: string | undefined;
  readonly repliers: Set<string>;
  /** The first reply that accepted it. */
  accepted: { readonly atMs: number; readonly reply: RegistrationReply; readonly bytes: string } | undefined;
}

export interface Mobile extends Person {
  /** The last that it was told is its own. */
  homeAddress: Ipv4Address;
  /** It has registered with its NAI. */
  shown: boolean;
  /** When it lost its home address to another that a partition had given it to as well. */
  cededAtMs: number;
  /** What it asks for. */
  readonly lifetimesSeconds: readonly number[];
  /** Its clock is ahead now and then, until an operator helps it. */
  readonly mayBeAhead: boolean;
  /** It is out of reach for a while, now and then. */
  readonly rests: boolean;
  /** It sends nothing before. */
  silentUntilMs: number;
  /** Of its clock, minus true time: it takes over what a home agent says that refuses its own (RFC 5944 5.7.1). */
  clockOffsetMs: number;
  /** When an operator last had its replay state forgotten. */
  forgottenAtMs: number;
  /** When an operator last ended its binding. */
  deletedAtMs: number;
  /** The owner of that binding had this on its disk. */
  isDeletionConfirmed: () => boolean;
  /** An operator ends its binding now and then. */
  readonly mayBeDeleted: boolean;
  /** Requests refused for their Identification, since one was accepted. */
  mismatches: number;
  /** In the order in which the mobile made them. */
  readonly attempts: Attempt[];
}

/** Nothing of the mobile is left: it gave its home address as the one to end, RFC 5944 3.6.1.1. */
export function deregistersAll({ careOfAddress, requestedSeconds }: Attempt, { homeAddress }: Mobile): boolean {
  return requestedSeconds === 0 && careOfAddress === formatIpv4(homeAddress);
}

/** Whether it has shown its NAI to the cluster, the mobile may not know. */
export function keysOf({ nai }: Mobile, homeAddress: Ipv4Address): readonly (MobileKey | undefined)[] {
  return [mobileKeyOf({ homeAddress, nai: undefined }), mobileKeyOf({ homeAddress: UNSPECIFIED, nai })];
}

/** The row that a member holds of a mobile, as that has shown itself by now: whoever else has its address is not meant. */
export function rowOf({ agent }: SimulatedNode, mobile: Mobile): Binding | undefined {
  const [byAddress, byNai] = keysOf(mobile, mobile.homeAddress);
  // Where the mobile can't know, as one side of a partition knows its NAI and the other doesn't, the newer counts.
  const isItsOwn = ({ mobile: key }: Binding) => key === byNai || (key === byAddress && !mobile.shown);
  const newestFirst = (a: Binding, b: Binding) => (compareRegistrations(a, b) > 0 ? -1 : 1);
  return [...agent.bindings].filter(isItsOwn).sort(newestFirst)[0];
}

/** Of what was granted without enough backups. */
export function isDegraded({ requestedSeconds, accepted }: Attempt): boolean {
  return accepted?.reply.lifetimeSeconds === DEGRADED_LIFETIME_SECONDS && requestedSeconds > DEGRADED_LIFETIME_SECONDS;
}
