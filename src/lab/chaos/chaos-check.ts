/**
 * The promise, checked from outside: what foreign agents were told, against what the home agents of the cluster hold.
 * Pure; who asks brings both.
 */
import type { BindingView } from "../../adapters/api/bindings.ts";
import { INFINITE_LIFETIME } from "../../core/wire/registration-message.ts";

/** A registration that a mobile was told is accepted: a line of `anyhome mn load --log`. */
export interface AcceptedRegistration {
  /** ISO 8601: when the reply arrived. */
  readonly time: string;
  readonly homeAddress: string;
  readonly nai: string | null;
  /** `0x` and 16 hexadecimal digits, so that they compare as texts. */
  readonly identification: string;
  /** Seconds granted; 0 ends the binding. */
  readonly lifetime: number;
  /** From the first request for it to the reply. */
  readonly latencyMs: number;
  /** Requests it took. */
  readonly tries: number;
}

/** The last accepted registration of each mobile, by the mobile's key. */
export type LastAccepted = ReadonlyMap<string, AcceptedRegistration>;

/** What the home agents that could be asked list, by their names. */
export type Listings = ReadonlyMap<string, readonly BindingView[]>;

export interface Finding {
  readonly mobile: string;
  /** What is wrong, with what each home agent says. */
  readonly problem: string;
}

export interface ChaosFindings {
  /** Mobiles whose last accepted registration has not expired. */
  readonly accepted: number;
  /** No home agent holds what was accepted, or anything newer. */
  readonly lost: readonly Finding[];
  /** Not exactly one home agent says that it is the owner. */
  readonly owners: readonly Finding[];
  /** Copies of the same binding that aren't equal, or are older than what was accepted. */
  readonly differing: readonly Finding[];
  /** Held by fewer home agents than it should be. */
  readonly missing: readonly Finding[];
}

/** A reply is on its way for a while: the home agent's clock for the lifetime started before that. */
const EXPIRY_MARGIN_MS = 10_000;

export function mobileOf({ nai, homeAddress }: AcceptedRegistration): string {
  return nai === null ? `ip:${homeAddress}` : `nai:${nai}`;
}

/** Mobiles whose accepted registration no home agent holds. Holds at any time, also while registrations go on. */
export function findLost(accepted: LastAccepted, listings: Listings, nowMs: number): Finding[] {
  const held = copiesByMobile(listings);
  return unexpired(accepted, nowMs).flatMap(([mobile, registration]) => {
    const copies = held.get(mobile) ?? [];
    return copies.some(({ view }) => view.identification >= registration.identification)
      ? []
      : [{ mobile, problem: `accepted ${registration.identification} at ${registration.time}; ${tell(copies)}` }];
  });
}

/**
 * Everything that must be true when no registration is under way and copies have had time to become equal.
 *
 * @param copies home agents that should hold each binding, its owner among them
 */
export function checkCluster(
  accepted: LastAccepted,
  listings: Listings,
  { nowMs, copies: wanted }: { readonly nowMs: number; readonly copies: number },
): ChaosFindings {
  const held = copiesByMobile(listings);
  const expected = new Map(unexpired(accepted, nowMs));
  const findings = { owners: [] as Finding[], differing: [] as Finding[], missing: [] as Finding[] };
  for (const mobile of new Set([...expected.keys(), ...held.keys()])) {
    const copies = held.get(mobile) ?? [];
    const problem = tell(copies);
    const owners = copies.filter(({ view }) => view.roles.includes("owner"));
    if (owners.length !== 1) findings.owners.push({ mobile, problem });
    const least = expected.get(mobile)?.identification ?? "";
    const isStale = copies.some(({ view }) => view.identification < least);
    if (isStale || new Set(copies.map(({ view }) => contentOf(view))).size > 1)
      findings.differing.push({ mobile, problem });
    if (copies.length < wanted) findings.missing.push({ mobile, problem });
  }
  return { accepted: expected.size, lost: findLost(accepted, listings, nowMs), ...findings };
}

export function isClean({ lost, owners, differing, missing }: ChaosFindings): boolean {
  return [lost, owners, differing, missing].every((findings) => findings.length === 0);
}

interface Copy {
  readonly on: string;
  readonly view: BindingView;
}

/** An ingress that only remembers where the mobile is has no copy. */
function copiesByMobile(listings: Listings): Map<string, Copy[]> {
  const held = new Map<string, Copy[]>();
  for (const [on, views] of listings) {
    for (const view of views) {
      if (!view.roles.includes("owner") && !view.roles.includes("backup")) continue;
      const copies = held.get(view.mobile);
      if (copies === undefined) held.set(view.mobile, [{ on, view }]);
      else copies.push({ on, view });
    }
  }
  return held;
}

function unexpired(accepted: LastAccepted, nowMs: number): [string, AcceptedRegistration][] {
  return [...accepted].filter(([, { time, lifetime }]) => {
    if (lifetime === INFINITE_LIFETIME) return true;
    return Date.parse(time) + lifetime * 1000 > nowMs + EXPIRY_MARGIN_MS;
  });
}

/** All that copies have in common; roles are each home agent's own. */
function contentOf({ roles, ...content }: BindingView): string {
  return JSON.stringify(content);
}

function tell(copies: readonly Copy[]): string {
  if (copies.length === 0) return "nobody holds it";
  return copies
    .map(({ on, view }) => {
      const { identification, roles, owner, generation, expiresAt } = view;
      return `${on} (${roles.join(", ")}): ${identification} until ${expiresAt}, owner ${owner} of generation ${generation}`;
    })
    .join("; ");
}
