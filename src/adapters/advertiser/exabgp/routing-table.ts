/**
 * What each router has said since its session came up about the prefixes that the cluster announces. Pure: times come in as
 * arguments. The helper inside ExaBGP bounds how many paths there are; what a path is allowed to be is decided here.
 */
import type { MemberId } from "../../../core/names.ts";
import { parseIpv4, parsePrefix } from "../../../core/wire/ipv4.ts";
import type { NeighborStatus } from "../advertiser.ts";
import { type Announcer, findAnnouncer, isDirect } from "../announcers.ts";
import type { RoutingView, SeenPath } from "../routing-view.ts";
import { parseAttributes } from "./api-dialect.ts";
import type { PathReport } from "./helper-protocol.ts";

/** A router sends what it has right after its session has come up; most don't say when they are done (RFC 4724 2). */
export const SETTLE_MS = 3000;
/** RFC 7911 3: 32 bits, which ExaBGP prints as an address or as a number. */
const PATH_NUMBER = /^\d{1,10}$/;
/** The helper has the same bound; this one only keeps a faulty helper from filling the memory. */
const MAXIMUM_PATHS = 512;

interface Session {
  readonly as: number;
  state: NeighborStatus["state"];
  upSinceMs: number;
  /** The router sends all its paths (RFC 7911), not only its best one. */
  addPath: boolean;
  /** Something it said was lost or made no sense; only a new session will repeat it. */
  isBroken: boolean;
  readonly paths: Map<string, SeenPath>;
}

export class RoutingTable {
  readonly #self: MemberId;
  #members: readonly Announcer[];
  readonly #sessions: ReadonlyMap<string, Session>;
  #paths: readonly SeenPath[] | undefined;

  constructor(options: {
    readonly neighbors: readonly { readonly address: string; readonly as: number }[];
    /** All members that announce, `self` among them. */
    readonly members: readonly Announcer[];
    readonly self: MemberId;
  }) {
    this.#self = options.self;
    this.#members = options.members;
    this.#sessions = new Map(
      options.neighbors.map(({ address, as }) => [
        address,
        { as, state: "down", upSinceMs: 0, addPath: false, isBroken: false, paths: new Map() },
      ]),
    );
  }

  sessionChanged(neighbor: string, state: NeighborStatus["state"], nowMs: number): void {
    const session = this.#sessions.get(neighbor);
    if (!session) return;
    session.state = state;
    session.upSinceMs = nowMs;
    session.isBroken = false;
    // What was negotiated is reported before `up`.
    if (state !== "up") session.addPath = false;
    session.paths.clear();
    this.#paths = undefined;
  }

  negotiated(neighbor: string, addPath: boolean): void {
    const session = this.#sessions.get(neighbor);
    if (session) session.addPath = addPath;
  }

  /** Returns false if it can't be understood; the router's report is incomplete from then on. */
  told({ neighbor, prefix: text, pathId, nextHop, attributes: raw }: PathReport): boolean {
    const session = this.#sessions.get(neighbor);
    const prefix = parsePrefix(text);
    if (!session || !prefix) return false;
    if (pathId !== null && parseIpv4(pathId) === undefined && !PATH_NUMBER.test(pathId)) {
      session.isBroken = true;
      return false;
    }
    const key = `${text} ${pathId ?? ""}`;
    this.#paths = undefined;
    session.paths.delete(key);
    if (raw === undefined) return true;
    const attributes = parseAttributes(raw);
    const isWellFormed = attributes !== undefined && nextHop !== undefined && parseIpv4(nextHop) !== undefined;
    if (!isWellFormed || session.paths.size >= MAXIMUM_PATHS) {
      session.isBroken = true;
      return false;
    }
    const path = { prefix, neighbor, ...(pathId === null ? {} : { pathId }), nextHop, attributes };
    session.paths.set(key, this.#attributed(path, session));
    return true;
  }

  /** Sets which members announce from now on; what routers have said is attributed accordingly. */
  setMembers(members: readonly Announcer[]): void {
    this.#members = members;
    this.#paths = undefined;
    for (const session of this.#sessions.values()) {
      for (const [key, { announcer: _, ...path }] of session.paths)
        session.paths.set(key, this.#attributed(path, session));
    }
  }

  #attributed(path: Omit<SeenPath, "announcer" | "isEcho">, { as }: Session): SeenPath {
    const announcer = findAnnouncer(path.attributes, this.#members);
    return {
      ...path,
      ...(announcer === undefined ? {} : { announcer: announcer.id }),
      isEcho: announcer?.id === this.#self && isDirect(path.attributes, as, announcer),
    };
  }

  /** To be called when something that a router said was lost. */
  lost(neighbor: string): void {
    const session = this.#sessions.get(neighbor);
    if (session) session.isBroken = true;
  }

  view(nowMs: number): RoutingView {
    const up = [...this.#sessions].filter(([, { state }]) => state === "up");
    const complete = up
      .filter(([, { addPath, isBroken, upSinceMs }]) => addPath && !isBroken && nowMs - upSinceMs >= SETTLE_MS)
      .map(([neighbor]) => neighbor);
    this.#paths ??= [...this.#sessions.values()].flatMap(({ paths }) => [...paths.values()]);
    return { paths: this.#paths, complete, isComplete: up.length > 0 && complete.length === up.length };
  }
}
