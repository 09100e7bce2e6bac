/**
 * How long it takes to re-home a dead member's bindings: `node test/bench/takeover.bench.ts [--bindings N] [--rate N]`.
 * Three home agents on this machine; ha1 owns all bindings, the other two hold copies, and ha1 is killed while other mobiles
 * register through those two.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { statusView } from "../../src/adapters/api/members.ts";
import { openSqliteStore } from "../../src/adapters/store/sqlite-store.ts";
import { ask } from "../../src/cli/control-client.ts";
import type { Binding } from "../../src/core/bindings/binding.ts";
import { encodeBindingRow } from "../../src/core/bindings/binding-row.ts";
import { formatIpv4, type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ntpFromEpochMs } from "../../src/core/wire/ntp-timestamp.ts";
import { LoopbackCluster } from "../../src/lab/loopback.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import { describe, runLoads } from "./loopback-load.ts";

const { values } = parseArgs({
  options: { bindings: { type: "string", default: "100000" }, rate: { type: "string", default: "500" } },
});
const bindings = Number(values.bindings);
const ratePerSecond = Number(values.rate);
const SECONDS = 10;
const startMs = Date.now();
const POLL_MS = 50;
/** Changes at a time when a store is filled: below what its queue takes. */
const CHUNK = 10_000;

const cluster = new LoopbackCluster(LAB_TOPOLOGY);
const survivors = ["ha2", "ha3"];
try {
  for (const homeAgent of cluster.homeAgents) await fill(homeAgent);
  await cluster.up(new AbortController().signal);
  const order = { homeAgents: survivors, mobiles: 10_000, ratePerSecond, window: 1000, seconds: SECONDS };
  process.stdout.write(`warm-up: ${describe(await runLoads(cluster, order))}\n`);
  process.stdout.write(`before: ${describe(await runLoads(cluster, order))}\n`);

  const during = runLoads(cluster, order);
  await delay(1000);
  const killedMs = performance.now();
  await cluster.kill("ha1");
  let startedMs: number | undefined;
  let owned = await ownedBy(survivors);
  const ownedBefore = owned;
  while (owned < ownedBefore + bindings) {
    if (owned > ownedBefore + bindings / 1000) startedMs ??= performance.now();
    await delay(POLL_MS);
    owned = await ownedBy(survivors);
  }
  const claimedMs = performance.now();
  process.stdout.write(
    `killed; the first bindings were claimed after ${since(killedMs, startedMs)} s, all ${bindings} after ${since(killedMs, claimedMs)} s: ` +
      `${since(startedMs ?? killedMs, claimedMs)} s for the takeover itself\n`,
  );
  process.stdout.write(`during: ${describe(await during)}\n`);
} finally {
  await cluster.down();
}

/** The store of a member in which ha1 owns everything. */
async function fill(homeAgent: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const store = await openSqliteStore({
    directory: cluster.dataDirectory(homeAgent),
    cluster: "loopback",
    node: homeAgent,
    listener: {
      durable: (position) => {
        if (position >= bindings) resolve();
      },
      failed: (_, reason) => {
        throw new Error(reason);
      },
      recovered: () => undefined,
    },
  });
  for (let position = 1; position <= bindings; position++) {
    const row = bindingOf(position);
    store.append([{ table: "binding", key: row.mobile, row: encodeBindingRow(row), position }]);
    while (position % CHUNK === 0 && store.statistics().queuedChanges > CHUNK) await delay(1);
  }
  await promise;
  await store.close();
}

function bindingOf(number: number): Binding {
  const homeAddress = (ipv4("10.66.0.0") + number) as Ipv4Address;
  const acceptedAtMs = startMs;
  const identification = ntpFromEpochMs(acceptedAtMs);
  const lifetimeSeconds = 1800;
  return {
    mobile: `ip:${formatIpv4(homeAddress)}`,
    homeAddress,
    nai: undefined,
    homeAddressSinceMs: acceptedAtMs,
    dynamic: false,
    createdAtMs: acceptedAtMs,
    registration: {
      identification,
      replayStyle: "timestamps",
      authenticator: "00112233445566778899aabbccddeeff",
      association: "home addresses 10.66.0.0-10.69.255.255",
      code: 0,
      lifetimeSeconds,
      acceptedAtMs,
      counter: 1,
      replayResets: 0,
      forgottenUntilMs: 0,
      decidedBy: "ha1",
      careOfAddresses: [
        {
          careOfAddress: ipv4("192.0.2.1"),
          flags: 0,
          lifetimeSeconds,
          expiresAtMs: acceptedAtMs + lifetimeSeconds * 1000,
          foreignAgent: { address: ipv4("192.0.2.1"), port: 434 },
          ingress: "ha1",
          identification,
        },
      ],
      reservedUntilMs: 0,
      replayableUntilMs: acceptedAtMs + 44_000,
      retainUntilMs: acceptedAtMs + 2 * lifetimeSeconds * 1000,
    },
    ownership: { owner: "ha1", backups: ["ha2", "ha3"], generation: 1 },
  };
}

async function ownedBy(homeAgents: readonly string[]): Promise<number> {
  const each = homeAgents.map(async (homeAgent) => {
    const status = await ask(cluster.controlSocket(homeAgent), "GET", "/v1/status", statusView);
    return status.bindings.owned;
  });
  return (await Promise.all(each)).reduce((sum, count) => sum + count, 0);
}

function since(fromMs: number, toMs: number | undefined): string {
  return toMs === undefined ? "-" : ((toMs - fromMs) / 1000).toFixed(2);
}
