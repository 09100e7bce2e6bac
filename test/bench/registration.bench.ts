/**
 * Registrations per second, everything included: `node test/bench/registration.bench.ts [--rate N] [--window N] [--seconds N]`.
 * Three home agents and the load generator share this machine; each request comes in by one of the three in turn, so that two of
 * three are relayed; every reply waits for the disks of its owner and of one backup.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { LoopbackCluster } from "../../src/lab/loopback.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import { describe, runLoads, sumOf } from "./loopback-load.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string" },
    window: { type: "string", default: "128" },
    seconds: { type: "string", default: "10" },
    mobiles: { type: "string", default: "10000" },
  },
});
/** Of /proc/PID/stat: the same on every Linux. */
const CLOCK_TICKS_PER_SECOND = 100;
/** The code must have been compiled before it is measured. */
const WARM_UP_SECONDS = 5;

const cluster = new LoopbackCluster(LAB_TOPOLOGY);
try {
  await cluster.up(new AbortController().signal);
  await run("warm-up", undefined, WARM_UP_SECONDS);
  await run("measured", values.rate === undefined ? undefined : Number(values.rate), Number(values.seconds));
} finally {
  await cluster.down();
}

async function run(name: string, ratePerSecond: number | undefined, seconds: number): Promise<void> {
  const { homeAgents } = cluster;
  const before = cpuSeconds();
  const reports = await runLoads(cluster, {
    homeAgents,
    mobiles: Number(values.mobiles),
    ratePerSecond,
    window: Number(values.window),
    seconds,
  });
  const accepted = sumOf(reports, (report) => report.accepted);
  const each = cpuSeconds().map((used, index) => Math.round(((used - (before[index] ?? 0)) / accepted) * 1e6));
  process.stdout.write(
    `${name}: ${describe(reports)}; µs of CPU per registration, home agents + load: ${each.join(" + ")}\n`,
  );
}

/** User and system time of each daemon, all threads, then of the load. */
function cpuSeconds(): number[] {
  const daemons = cluster.processIds.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  });
  const { user, system } = process.cpuUsage();
  return [...daemons, (user + system) / 1e6];
}
