/**
 * The text API of ExaBGP: how our routes are written as commands, and how its events are read. 4.2 and 5.0 take the same
 * commands but word some events differently; what is read here may come from either.
 */
import * as z from "zod";
import { formatIpv4, formatPrefix, type Ipv4Address } from "../../../core/wire/ipv4.ts";
import type { Advertisement, NeighborStatus } from "../advertiser.ts";
import type { LargeCommunity } from "../announcers.ts";
import type { PathAttributes } from "../routing-view.ts";
import type { RouteCommands } from "./helper-protocol.ts";

/** As ExaBGP answers `version`. Version 6 has another API. */
const KNOWN_VERSION = /^exabgp (4\.2|5\.\d+)\./;

export function isKnownVersion(speaker: string): boolean {
  return KNOWN_VERSION.test(speaker);
}

export interface Session {
  readonly neighbor: Ipv4Address;
  readonly neighborAs: number;
  readonly localAs: number;
  /** What every announcement to this neighbor carries in addition to its own attributes. */
  readonly communities: readonly (readonly [number, number])[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** Used if the announcement has none. */
  readonly med: number | undefined;
  readonly asPathPrepend: number;
}

/** An advertisement to one neighbor. The next hop is our end of that session. */
export function routeCommands(advertisement: Advertisement, session: Session): RouteCommands {
  const neighbor = `neighbor ${formatIpv4(session.neighbor)}`;
  const route = `route ${formatPrefix(advertisement.prefix)} next-hop self`;
  return {
    announce: [neighbor, "announce", route, ...attributes(advertisement, session)].join(" "),
    withdraw: [neighbor, "withdraw", route].join(" "),
  };
}

function attributes(advertisement: Advertisement, session: Session): string[] {
  const words: string[] = [];
  const med = advertisement.med ?? session.med;
  const communities = new Set([...session.communities, ...advertisement.communities].map((pair) => pair.join(":")));
  const largeCommunities = new Set(session.largeCommunities.map((triple) => triple.join(":")));
  const asPathPrepend = session.asPathPrepend + advertisement.asPathPrepend;
  if (med !== undefined) words.push(`med ${med}`);
  if (communities.size > 0) words.push(`community [${[...communities].join(" ")}]`);
  if (largeCommunities.size > 0) words.push(`large-community [${[...largeCommunities].join(" ")}]`);
  // An `as-path` replaces the whole path, so our own AS is in it once more. Nothing is prepended towards our own AS
  // (RFC 4271 5.1.2 b): there it would look like a loop.
  if (asPathPrepend > 0 && session.neighborAs !== session.localAs) {
    words.push(`as-path [${new Array(asPathPrepend + 1).fill(session.localAs).join(" ")}]`);
  }
  return words;
}

export type SpeakerEvent =
  | {
      readonly type: "state";
      readonly address: string;
      readonly state: NeighborStatus["state"];
      readonly reason?: string;
    }
  /** The capabilities of both sides of a session, before it is up. */
  | { readonly type: "negotiated"; readonly address: string; readonly addPath: boolean };

const address = z.object({ peer: z.ipv4() });

const stateEvent = z.object({
  type: z.literal("state"),
  neighbor: z.object({
    address,
    state: z.enum(["down", "connected", "up"]),
    reason: z.string().optional(),
  }),
});

const negotiatedEvent = z.object({
  type: z.literal("negotiated"),
  neighbor: z.object({
    address,
    negotiated: z.object({ add_path: z.object({ receive: z.array(z.string()).max(64) }) }),
  }),
});

const otherEvent = z.object({ type: z.enum(["notification"]) });

/**
 * A `down` that is no JSON: ExaBGP 4.2.21 prints the reason, which may hold the data of the neighbor's NOTIFICATION, as it
 * arrived, except for quotes, which it escapes, and braces, which it turns into parentheses. The braces that end the event
 * are therefore its own; a line feed in the reason cuts them off.
 */
const brokenDownEvent =
  /"type": "state".*"peer": "([\d.]{7,15})" \}.*"state": "down", "reason": "([^{}]*?)(?:" \} \})?$/;

const REASON_LENGTH = 200;

/**
 * What an event line says about a neighbor; `undefined` if it is of no interest, `"unreadable"` if it isn't one of ExaBGP's
 * events. A neighbor can make ExaBGP print any line: what comes back is well-formed, but need not be true.
 */
export function parseEvent(line: string): SpeakerEvent | "unreadable" | undefined {
  const json = parseJson(line);
  const state = stateEvent.safeParse(json);
  if (state.success) {
    const { address, state: to, reason } = state.data.neighbor;
    return {
      type: "state",
      address: address.peer,
      state: to,
      ...(reason === undefined ? {} : { reason: printable(reason) }),
    };
  }
  const negotiated = negotiatedEvent.safeParse(json);
  if (negotiated.success) {
    const { address, negotiated: agreed } = negotiated.data.neighbor;
    return { type: "negotiated", address: address.peer, addPath: agreed.add_path.receive.includes("ipv4 unicast") };
  }
  if (otherEvent.safeParse(json).success) return undefined;
  const [, address, reason = ""] = json === undefined ? (brokenDownEvent.exec(line) ?? []) : [];
  if (address === undefined) return "unreadable";
  return { type: "state", address, state: "down", reason: printable(reason.replaceAll('\\"', '"')) };
}

const MAXIMUM_PATH_LENGTH = 256;
const MAXIMUM_COMMUNITIES = 256;

const uint16 = z.int().min(0).max(0xffff);
const uint32 = z.int().min(0).max(0xffffffff);
const path = z.array(uint32).max(MAXIMUM_PATH_LENGTH);

/** 4.2 has the sequence alone, 5.0 an object with all segments by their number. */
const asPath = z.union([
  path,
  z
    .record(z.string().regex(/^\d{1,3}$/), z.object({ element: z.string(), value: path }))
    .transform((segments) =>
      Object.values(segments).flatMap(({ element, value }) => (element === "as-sequence" ? value : [])),
    )
    .pipe(path),
]);

const pathAttributes = z.object({
  "as-path": asPath.default([]),
  med: uint32.optional(),
  community: z
    .array(z.tuple([uint16, uint16]))
    .max(MAXIMUM_COMMUNITIES)
    .default([]),
  "large-community": z
    .array(z.tuple([uint32, uint32, uint32]))
    .max(MAXIMUM_COMMUNITIES)
    .default([]),
});

/** The `attribute` object of an UPDATE; `undefined` if it is none, or larger than is ever needed. */
export function parseAttributes(raw: unknown): PathAttributes | undefined {
  const { data } = pathAttributes.safeParse(raw);
  return (
    data && {
      asPath: data["as-path"],
      ...(data.med === undefined ? {} : { med: data.med }),
      communities: data.community,
      largeCommunities: data["large-community"],
    }
  );
}

/** Text of unknown origin, short and on one line. */
export function printable(text: string): string {
  return text.replace(/[^\P{C}]+/gu, " ").slice(0, REASON_LENGTH);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
