/**
 * Whether replies get out: what becomes of those that are sent, and whether there are routes to the foreign agents that
 * were answered. A member without either attracts requests whose replies never arrive.
 *
 * The holder of a single key can register from any source that it makes up, and so often that no other mobile is noticed.
 * So foreign agents are remembered by the security association of their mobiles, a few for each, and of several
 * associations the one that is worst off is left out: what befalls mobiles of one key alone says nothing of this member.
 */
import type { Outcomes, Routes } from "../adapters/checks/self-checks.ts";
import { withoutRoute } from "../adapters/net/udp-socket.ts";
import type { Binding } from "../core/bindings/binding.ts";
import type { MobileIdentity } from "../core/names.ts";
import type { Endpoint, Ipv4Address } from "../core/wire/ipv4.ts";
import { isAccepted } from "../core/wire/reply-code.ts";

/** Those answered last. */
const REMEMBERED_ASSOCIATIONS = 16;
/** Of each association. */
const REMEMBERED_FOREIGN_AGENTS = 4;
/** Replies that are looked into between two looks at the routes: under load there are thousands, and a few say as much. */
const READ_AT_MOST = 100;

/** A mobile, and by which security association it was authenticated. */
export interface AnsweredMobile {
  readonly mobile: MobileIdentity;
  readonly association: string;
}

export interface ReplyPathsOptions {
  /** Whose request a reply accepts; `undefined` if that can't be told. */
  readonly answeredMobile: (reply: Uint8Array) => AnsweredMobile | undefined;
  /** This member knows of a binding of the mobile by this foreign agent. */
  readonly isBoundBy: (mobile: MobileIdentity, foreignAgent: Ipv4Address) => boolean;
  readonly findRoutes?: typeof withoutRoute;
}

/** To one foreign agent, for the sake of one mobile. */
interface Path {
  readonly mobile: MobileIdentity;
  /** Replies since the last look. */
  tried: number;
  failed: number;
}

/** Of several. */
interface Share {
  readonly of: number;
  readonly failed: number;
}

export class ReplyPaths {
  readonly #options: ReplyPathsOptions;
  /** By association; the one answered last comes last, and so do its foreign agents. */
  readonly #associations = new Map<string, Map<Ipv4Address, Path>>();
  #mayRead = READ_AT_MOST;
  #tried = 0;
  #failed = 0;
  #lastError = "";
  #routes: Routes = { known: 0, missing: 0, problem: "" };

  constructor(options: ReplyPathsOptions) {
    this.#options = options;
  }

  /** What became of replies to foreign agents that are remembered, from the start to the last look. */
  get outcomes(): Outcomes {
    return { tried: this.#tried, failed: this.#failed, problem: this.#lastError };
  }

  /** As of the last look. */
  get routes(): Routes {
    return this.#routes;
  }

  /** A member that starts knows from its bindings whom it will have to answer. */
  expect(bindings: Iterable<Binding>): void {
    for (const { homeAddress, nai, registration } of bindings) {
      const answered = { mobile: { homeAddress, nai }, association: registration.association };
      for (const { foreignAgent } of registration.careOfAddresses) this.#remember(answered, foreignAgent.address);
      if (this.#associations.size >= REMEMBERED_ASSOCIATIONS) return;
    }
  }

  /** A reply is about to be sent. Only one that accepts proves that the request was authentic. */
  replied(reply: Uint8Array, { address }: Endpoint): void {
    if (isAccepted(reply[1] ?? Number.NaN) && this.#mayRead > 0) {
      this.#mayRead--;
      const answered = this.#options.answeredMobile(reply);
      if (answered !== undefined) this.#remember(answered, address);
    }
    for (const path of this.#pathsTo(address)) path.tried++;
  }

  failed({ address }: Endpoint, problem: string): void {
    for (const path of this.#pathsTo(address)) {
      path.failed++;
      this.#lastError = problem;
    }
  }

  /** From the address that replies leave from. */
  async look(local: Ipv4Address): Promise<void> {
    this.#mayRead = READ_AT_MOST;
    this.#forgetUnbound();
    const associations = [...this.#associations.values()];
    const replies = withoutWorst(associations.map(takeReplies));
    this.#tried += replies.of;
    this.#failed += replies.failed;
    const { findRoutes = withoutRoute } = this.#options;
    const missing = await findRoutes(local, new Set(associations.flatMap((paths) => [...paths.keys()])));
    const [problem = ""] = missing.values();
    const shares = associations.map((paths) => {
      const without = [...paths.keys()].filter((address) => missing.has(address));
      return { of: paths.size, failed: without.length };
    });
    const routes = withoutWorst(shares);
    this.#routes = { known: routes.of, missing: routes.failed, problem };
  }

  #remember({ mobile, association }: AnsweredMobile, foreignAgent: Ipv4Address): void {
    const paths = this.#associations.get(association) ?? new Map<Ipv4Address, Path>();
    const { tried = 0, failed = 0 } = paths.get(foreignAgent) ?? {};
    putLast(paths, foreignAgent, { mobile, tried, failed }, REMEMBERED_FOREIGN_AGENTS);
    putLast(this.#associations, association, paths, REMEMBERED_ASSOCIATIONS);
  }

  /** What no binding names any more needs no answer; else one foreign agent that is gone for good would count for ever. */
  #forgetUnbound(): void {
    for (const [association, paths] of this.#associations) {
      for (const [foreignAgent, { mobile }] of paths)
        if (!this.#options.isBoundBy(mobile, foreignAgent)) paths.delete(foreignAgent);
      if (paths.size === 0) this.#associations.delete(association);
    }
  }

  *#pathsTo(address: Ipv4Address): Generator<Path> {
    for (const paths of this.#associations.values()) {
      const path = paths.get(address);
      if (path !== undefined) yield path;
    }
  }
}

/** Since the last look. */
function takeReplies(paths: Map<Ipv4Address, Path>): Share {
  let [of, failed] = [0, 0];
  for (const path of paths.values()) {
    of += path.tried;
    failed += path.failed;
    path.tried = 0;
    path.failed = 0;
  }
  return { of, failed };
}

/** The sum, but for that of which most has failed where there are others. */
function withoutWorst(shares: readonly Share[]): Share {
  const told = shares.filter(({ of }) => of > 0).toSorted((a, b) => a.failed / a.of - b.failed / b.of);
  const counted = told.length > 1 ? told.slice(0, -1) : told;
  return counted.reduce((sum, share) => ({ of: sum.of + share.of, failed: sum.failed + share.failed }), {
    of: 0,
    failed: 0,
  });
}

/** The one that came first goes where there are more than so many. */
function putLast<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, maximum: number): void {
  map.delete(key);
  map.set(key, value);
  const [first] = map.keys();
  if (first !== undefined && map.size > maximum) map.delete(first);
}
