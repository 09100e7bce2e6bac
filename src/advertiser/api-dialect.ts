/**
 * The text API of ExaBGP 4.2: how our routes are written as commands, and how its events are read. Another version of
 * ExaBGP that speaks differently gets its own version of this file.
 */
import * as z from "zod";
import { formatIpv4, formatPrefix, type Ipv4Address } from "../wire/ipv4.ts";
import type { Advertisement, NeighborStatus } from "./advertiser.ts";
import type { RouteCommands } from "./helper-protocol.ts";

export interface SessionAddressing {
  readonly neighbor: Ipv4Address;
  readonly neighborAs: number;
  readonly localAs: number;
}

/** An advertisement to one neighbor. The next hop is our end of that session. */
export function routeCommands(advertisement: Advertisement, session: SessionAddressing): RouteCommands {
  const neighbor = `neighbor ${formatIpv4(session.neighbor)}`;
  const route = `route ${formatPrefix(advertisement.prefix)} next-hop self`;
  return {
    announce: [neighbor, "announce", route, ...attributes(advertisement, session)].join(" "),
    withdraw: [neighbor, "withdraw", route].join(" "),
  };
}

function attributes({ communities, med, asPathPrepend }: Advertisement, session: SessionAddressing): string[] {
  const words: string[] = [];
  if (med !== undefined) words.push(`med ${med}`);
  if (communities.length > 0) words.push(`community [${communities.map((pair) => pair.join(":")).join(" ")}]`);
  // An `as-path` replaces the whole path, so our own AS is in it once more. Nothing is prepended towards our own AS
  // (RFC 4271 5.1.2 b): there it would look like a loop.
  if (asPathPrepend > 0 && session.neighborAs !== session.localAs) {
    words.push(`as-path [${new Array(asPathPrepend + 1).fill(session.localAs).join(" ")}]`);
  }
  return words;
}

export interface NeighborEvent {
  readonly address: string;
  readonly state: NeighborStatus["state"];
  readonly reason?: string;
}

const stateEvent = z.object({
  type: z.literal("state"),
  neighbor: z.object({
    address: z.object({ peer: z.ipv4() }),
    state: z.enum(["down", "connected", "up"]),
    reason: z.string().optional(),
  }),
});

const otherEvent = z.object({ type: z.enum(["notification"]) });

/** A `down` whose reason holds a line feed from the neighbor's NOTIFICATION, which ExaBGP 4.2.21 prints as it came. */
const brokenDownEvent = /"type": "state".*"peer": "([\d.]{7,15})" \}.*"state": "down", "reason": "(.*)$/;

const REASON_LENGTH = 200;

/**
 * What an event line says about a neighbor; `undefined` if it is of no interest, `"unreadable"` if it is none of ExaBGP's
 * events. A neighbor can make ExaBGP print any line: what comes back is well-formed, but need not be true.
 */
export function parseEvent(line: string): NeighborEvent | "unreadable" | undefined {
  const json = parseJson(line);
  const state = stateEvent.safeParse(json);
  if (state.success) {
    const { address, state: to, reason } = state.data.neighbor;
    return { address: address.peer, state: to, ...(reason === undefined ? {} : { reason: printable(reason) }) };
  }
  if (otherEvent.safeParse(json).success) return undefined;
  const [, address, reason = ""] = json === undefined ? (brokenDownEvent.exec(line) ?? []) : [];
  return address === undefined ? "unreadable" : { address, state: "down", reason: printable(reason) };
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
