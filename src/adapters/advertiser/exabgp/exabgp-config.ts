/** The files that ExaBGP reads, as text. Pure: the same options give the same files. */
import { formatIpv4, type Ipv4Address } from "../../../core/wire/ipv4.ts";
import type { LargeCommunity } from "../announcers.ts";

export interface BgpOptions {
  /** Our end of the sessions, and the next hop that routers learn. */
  readonly localAddress: Ipv4Address;
  readonly localAs: number;
  readonly routerId: Ipv4Address;
  /** 0 for no keepalives, or at least 3 (RFC 4271 4.2). Default 9. */
  readonly holdTimeSeconds?: number;
  /** At least one. */
  readonly neighbors: readonly NeighborOptions[];
}

export interface NeighborOptions {
  readonly address: Ipv4Address;
  readonly as: number;
  /** TCP port of the neighbor. Default 179. */
  readonly port?: number;
  /** Key of the TCP MD5 signature (RFC 2385), 1 to 80 bytes of UTF-8. Absent: not signed. */
  readonly md5Key?: string;
  /** What every announcement to it carries. */
  readonly communities?: readonly (readonly [number, number])[];
  readonly largeCommunities?: readonly LargeCommunity[];
  readonly med?: number | undefined;
  readonly asPathPrepend?: number;
}

const DEFAULT_HOLD_TIME_SECONDS = 9;
const MD5_KEY_BYTES = 80;
/** Name of the API process, in ExaBGP's own log. */
const PROCESS = "anyhome";

/**
 * The configuration file. It announces nothing; all routes come from the helper.
 *
 * @param helper program and arguments of the API process
 * @throws RangeError for options that BGP or ExaBGP doesn't allow
 */
export function exabgpConfig(options: BgpOptions, helper: readonly string[]): string {
  check(options);
  return [
    `process ${PROCESS} {`,
    `  run ${helper.map(quoted).join(" ")};`,
    "  encoder json;",
    // If the helper dies while the daemon hangs and can't act on it, the next one withdraws what it left behind.
    "  respawn true;",
    "}",
    ...options.neighbors.flatMap((neighbor) => neighborSection(options, neighbor)),
    "",
  ].join("\n");
}

function neighborSection(options: BgpOptions, { address, as, port, md5Key }: NeighborOptions): string[] {
  return [
    "",
    `neighbor ${formatIpv4(address)} {`,
    `  router-id ${formatIpv4(options.routerId)};`,
    `  local-address ${formatIpv4(options.localAddress)};`,
    `  local-as ${options.localAs};`,
    `  peer-as ${as};`,
    ...(port === undefined ? [] : [`  connect ${port};`]),
    `  hold-time ${options.holdTimeSeconds ?? DEFAULT_HOLD_TIME_SECONDS};`,
    // Base64: ExaBGP's file has no way to quote every character, and takes a key of hexadecimal digits for base64.
    ...(md5Key === undefined
      ? []
      : ["  md5-base64 true;", `  md5-password "${Buffer.from(md5Key).toString("base64")}";`]),
    "  family {",
    "    ipv4 unicast;",
    "  }",
    "  capability {",
    // A router would keep the routes of a dead home agent as stale, and forward to it.
    "    graceful-restart disable;",
    // With it, 4.2.21 holds back for ever what is announced after the helper's `clear adj-rib out`.
    "    route-refresh disable;",
    // Asks for all announcers of a prefix, not only the router's choice among them (RFC 7911).
    "    add-path receive;",
    "  }",
    "  add-path {",
    "    ipv4 unicast;",
    "  }",
    "  api {",
    `    processes [ ${PROCESS} ];`,
    "    neighbor-changes;",
    "    negotiated;",
    "    receive {",
    "      parsed;",
    "      update;",
    "    }",
    "  }",
    "}",
  ];
}

/**
 * The complete environment file: without one, ExaBGP reads the machine's own.
 *
 * @param user the account that ExaBGP runs as
 */
export function exabgpEnvironment(user: string): string {
  return [
    "[exabgp.api]",
    "ack = true",
    // Its named pipes would be shared by every ExaBGP of the machine, and its helper can end ExaBGP.
    "cli = false",
    "[exabgp.daemon]",
    "daemonize = false",
    `user = '${user}'`,
    "[exabgp.log]",
    "destination = 'stderr'",
    "level = WARNING",
    "short = true",
    "[exabgp.tcp]",
    // We dial and nothing listens, so no privilege is needed.
    "bind = ''",
    "",
  ].join("\n");
}

function check({ localAs, holdTimeSeconds = DEFAULT_HOLD_TIME_SECONDS, neighbors }: BgpOptions): void {
  if (neighbors.length === 0) throw new RangeError("BGP needs at least one neighbor");
  if (new Set(neighbors.map(({ address }) => address)).size < neighbors.length) {
    throw new RangeError("a BGP neighbor is listed twice");
  }
  if (!(holdTimeSeconds === 0 || inRange(holdTimeSeconds, 3, 0xffff))) {
    throw new RangeError(`hold time must be 0 or from 3 to 65535 s, not ${holdTimeSeconds}`);
  }
  for (const as of [localAs, ...neighbors.map((neighbor) => neighbor.as)]) {
    if (!inRange(as, 1, 0xffffffff)) throw new RangeError(`no AS number: ${as}`);
  }
  for (const { port, md5Key } of neighbors) {
    if (port !== undefined && !inRange(port, 1, 0xffff)) throw new RangeError(`no TCP port: ${port}`);
    if (md5Key !== undefined && !inRange(Buffer.byteLength(md5Key), 1, MD5_KEY_BYTES)) {
      throw new RangeError(`an MD5 key has 1 to ${MD5_KEY_BYTES} bytes`);
    }
  }
}

function inRange(value: number, first: number, last: number): boolean {
  return Number.isInteger(value) && value >= first && value <= last;
}

/** Why ExaBGP can't be told this word; `undefined` if it can. Its parser takes either quote for one of its own. */
export function faultOfWord(word: string): string | undefined {
  return /["'\p{Cc}]/u.test(word)
    ? `${JSON.stringify(word)} has a character that ExaBGP's configuration can't hold`
    : undefined;
}

/** Within quotes ExaBGP's parser still undoes backslashes. */
function quoted(word: string): string {
  const fault = faultOfWord(word);
  if (fault !== undefined) throw new RangeError(fault);
  return `"${word.replaceAll("\\", "\\\\")}"`;
}
