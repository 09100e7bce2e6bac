/**
 * Registrations per second, everything included: `node test/bench/registration.bench.ts [--rate N] [--window N] [--seconds N]`.
 * Three home agents and the load generator share this machine; each request comes in by one of the three in turn, so that two of
 * three are relayed; every reply waits for the disks of its owner and of one backup.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { LoopbackCluster } from "../../src/lab/loopback.ts";
import { LAB_TOPOLOGY } from "../../src/lab/topology.ts";
import { IdentificationSource } from "../../src/mobile/identification-source.ts";
import { random32 } from "../../src/mobile/register.ts";
import { type LoadReport, runLoad } from "../../src/mobile/run-load.ts";
import { type Ipv4Address, ipv4 } from "../../src/wire/ipv4.ts";

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
const seconds = Number(values.seconds);
const mobiles = Number(values.mobiles);

const [{ spi, key }] = LAB_TOPOLOGY.associations;
const cluster = new LoopbackCluster(LAB_TOPOLOGY);
const { signal } = new AbortController();
try {
  await cluster.up(signal);
  await run("warm-up", undefined, 5);
  await run("measured", values.rate === undefined ? undefined : Number(values.rate), seconds);
} finally {
  await cluster.down();
}

async function run(name: string, ratePerSecond: number | undefined, durationSeconds: number): Promise<void> {
  const { homeAgents } = cluster;
  const share = Math.ceil(mobiles / homeAgents.length);
  const cpuBefore = cpuSeconds();
  const reports = await Promise.all(
    homeAgents.map((homeAgent, index) => load(homeAgent, index * share, share, ratePerSecond, durationSeconds)),
  );
  const total = (of: (report: LoadReport) => number) => reports.reduce((sum, report) => sum + of(report), 0);
  const worst = (of: (report: LoadReport) => number) => Math.max(...reports.map(of)).toFixed(1);
  const cpu = cpuSeconds().map((seconds, index) => seconds - (cpuBefore[index] ?? 0));
  const accepted = total((report) => report.accepted);
  const each = cpu.map((seconds) => `${Math.round((seconds / accepted) * 1e6)}`).join(" + ");
  process.stdout.write(
    `${name}: ${Math.round(total(({ acceptedPerSecond }) => acceptedPerSecond))} accepted/s of ${total(({ sent }) => sent)} sent, ` +
      `${total(({ unanswered }) => unanswered)} unanswered; p50 ${worst(({ latencyMs }) => latencyMs.p50)} ms, ` +
      `p99 ${worst(({ latencyMs }) => latencyMs.p99)} ms, max ${worst(({ latencyMs }) => latencyMs.max)} ms; ` +
      `µs of CPU per registration, home agents + load: ${each}\n`,
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

function load(homeAgent: string, first: number, count: number, rate: number | undefined, durationSeconds: number) {
  const [, port] = cluster.registrationEndpoint(homeAgent).split(":");
  const loopback = ipv4("127.0.0.1");
  const firstAddress = ipv4("10.64.16.0") + first;
  const share = cluster.homeAgents.length;
  return runLoad(
    {
      mobiles: count,
      nameOf: (mobile) => ({ homeAddress: (firstAddress + mobile) as Ipv4Address, nai: undefined }),
      order: {
        flags: 0,
        lifetimeSeconds: 1800,
        homeAgent: ipv4(LAB_TOPOLOGY.virtualAddress),
        careOfAddress: ipv4("192.0.2.1"),
      },
      associations: {
        homeAgent: { spi, algorithm: "hmac-md5", key: new TextEncoder().encode(key) },
        foreignAgent: undefined,
      },
      identifications: new IdentificationSource("timestamps", random32),
      ratePerSecond: rate === undefined ? undefined : rate / share,
      window: Math.ceil(Number(values.window) / share),
      answerTimeoutMs: 5000,
      maximumRequests: Number.POSITIVE_INFINITY,
      durationMs: durationSeconds * 1000,
    },
    { target: { address: loopback, port: Number(port) }, local: loopback, ports: 4 },
    { logFile: undefined, signal, onProgress: () => undefined },
  );
}
