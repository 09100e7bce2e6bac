/**
 * A process that holds an advertiser, to be killed and stopped by tests: a prefix list on a line of stdin (JSON) is the set to
 * announce, "status" asks, "stop" ends it in order; each status and log event is a line of JSON on stdout.
 *
 *     node advertiser-process.ts '{"runtimeDirectory": …, "localAddress": …, "localAs": …, "neighbors": [{"address": …, "as": …}]}'
 */
import { createInterface } from "node:readline";
import type { Advertisement } from "../../src/adapters/advertiser/advertiser.ts";
import { ExabgpAdvertiser } from "../../src/adapters/advertiser/exabgp/exabgp-advertiser.ts";
import type { NeighborOptions } from "../../src/adapters/advertiser/exabgp/exabgp-config.ts";
import { Counters } from "../../src/adapters/telemetry/counters.ts";
import { type Ipv4Prefix, ipv4, parsePrefix } from "../../src/core/wire/ipv4.ts";

export interface StandInOptions {
  readonly runtimeDirectory: string;
  readonly localAddress: string;
  readonly localAs: number;
  readonly neighbors: readonly ({ readonly address: string } & Omit<NeighborOptions, "address">)[];
  readonly sessionPatienceMs?: number;
  readonly sidecar?: { readonly group?: string };
}

/** As `Advertisement`, with the prefix as text. */
export type Wish = { readonly prefix: string } & Partial<Omit<Advertisement, "prefix">>;

const { localAddress, localAs, neighbors, ...rest }: StandInOptions = JSON.parse(process.argv[2] ?? "");
const advertiser = new ExabgpAdvertiser(
  {
    ...rest,
    bgp: {
      localAddress: ipv4(localAddress),
      localAs,
      routerId: ipv4(localAddress),
      neighbors: neighbors.map((neighbor) => ({ ...neighbor, address: ipv4(neighbor.address) })),
    },
    prefixes: ["10.64.0.0/12", "10.64.0.1/32"].map(prefixOf),
    members: [
      { id: "ha1", as: 65011, address: ipv4("192.0.2.11") },
      { id: "ha2", as: 65012, address: ipv4("192.0.2.12") },
    ],
    self: localAs === 65012 ? "ha2" : "ha1",
    counters: new Counters(),
    log: { event: (event, fields) => say({ event, ...fields }) },
  },
  { changed: (status) => say({ status }) },
);

function say(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function prefixOf(text: string): Ipv4Prefix {
  const prefix = parsePrefix(text);
  if (!prefix) throw new TypeError(`no prefix: ${text}`);
  return prefix;
}

function advertisement({ prefix, ...attributes }: Wish): Advertisement {
  return { prefix: prefixOf(prefix), communities: [], asPathPrepend: 0, ...attributes };
}

await advertiser.start();
const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  if (line === "status") say({ status: advertiser.status(), asked: true });
  else if (line === "stop") void advertiser.stop().then(() => process.exit(0));
  else advertiser.set((JSON.parse(line) as Wish[]).map(advertisement));
});
// The test is gone.
commands.on("close", () => process.exit(1));
