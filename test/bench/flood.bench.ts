/**
 * What a flood of garbage at one member leaves of the good load there: `node test/bench/flood.bench.ts [--rate N] [--good N]
 * [--seconds N] [--sources N] [--garbage KIND,KIND]`. Three home agents, the load and the flood share this machine: with few
 * processors part of what is lost is lost to the flood's own sending. What a daemon spends on a datagram is measured without good load.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { LoopbackCluster } from "../../src/lab/loopback.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import type { LoadReport } from "../../src/mobile/run-load.ts";
import { type FloodOrder, GARBAGE, type Garbage } from "./flooder.ts";
import { runLoads } from "./loopback-load.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "20000" },
    good: { type: "string", default: "400" },
    seconds: { type: "string", default: "8" },
    sources: { type: "string", default: "1" },
    garbage: { type: "string", default: GARBAGE.join(",") },
  },
});
const VICTIM = "ha1";
const FLOODER = fileURLToPath(new URL("flooder.ts", import.meta.url));
const CLOCK_TICKS_PER_SECOND = 100;
const WARM_UP_SECONDS = 5;
const seconds = Number(values.seconds);

const cluster = new LoopbackCluster(LAB_TOPOLOGY);
try {
  await cluster.up(new AbortController().signal);
  await goodLoad(WARM_UP_SECONDS);
  const quiet = await measured(() => goodLoad(seconds));
  print("no flood", quiet.result, `${quiet.cpuSeconds.toFixed(2)} s of CPU`);
  const idle = await measured(() => delay(seconds * 1000));
  for (const garbage of values.garbage.split(",") as Garbage[]) {
    const alone = await measured(() => flood(garbage));
    const microseconds = ((alone.cpuSeconds - idle.cpuSeconds) / alone.received) * 1e6;
    const { result, received, overflowed } = await measured(() => Promise.all([goodLoad(seconds), flood(garbage)]));
    const [good, sent] = result;
    print(
      garbage,
      good,
      `flood of ${Math.round(sent / seconds)}/s, ${Math.round((received - good.sent) / seconds)}/s of it read, ${overflowed} datagrams had no room; ` +
        `alone ${microseconds.toFixed(1)} µs of CPU for each that is read`,
    );
  }
} finally {
  await cluster.down();
}

async function goodLoad(lastsSeconds: number): Promise<LoadReport> {
  const [report] = await runLoads(cluster, {
    homeAgents: [VICTIM],
    mobiles: 4000,
    ratePerSecond: Number(values.good),
    window: 2000,
    seconds: lastsSeconds,
  });
  if (report === undefined) throw new Error("no report");
  return report;
}

async function flood(garbage: Garbage): Promise<number> {
  const order: FloodOrder = {
    garbage,
    port: Number(cluster.registrationEndpoint(VICTIM).split(":")[1]),
    ratePerSecond: Number(values.rate),
    seconds,
    sources: Number(values.sources),
  };
  const { stdout } = await execa(process.execPath, [FLOODER, JSON.stringify(order)]);
  return Number(stdout);
}

/** What it costs the daemon of the victim, and what it receives. */
async function measured<Result>(run: () => Promise<Result>) {
  const before = await state();
  const result = await run();
  const after = await state();
  return {
    result,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    received: after.received - before.received,
    overflowed: after.overflowed - before.overflowed,
  };
}

async function state() {
  const { stdout } = await cluster.anyhome(VICTIM, ["counters", "-o", "json"]);
  const counters = JSON.parse(stdout);
  const [pid] = cluster.processIds;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND,
    received: Number(counters["requests-received"]),
    overflowed: Number(counters["receive-overflows"]?.registration ?? 0),
  };
}

function print(name: string, { sent, accepted, latencyMs }: LoadReport, more: string): void {
  const share = ((accepted / sent) * 100).toFixed(1);
  process.stdout.write(
    `${name}: ${share} % of ${sent} good ones accepted, p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms; ${more}\n`,
  );
}
