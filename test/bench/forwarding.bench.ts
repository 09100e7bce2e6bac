/**
 * What the data plane's maps cost on this machine: `node test/bench/forwarding.bench.ts [MOBILES]`, as root (default 1,000,000).
 * It works in a network namespace of its own.
 */
import { readFileSync } from "node:fs";
import type { ForwardingEntry } from "../../src/core/forwarding/forwarding-entry.ts";
import { type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import { ProgramRig } from "../adapters/dataplane/program-rig.ts";

const mobiles = Number(process.argv[2] ?? 1_000_000);
const first = ipv4("10.64.1.0");
const UPDATES = 100_000;

function entryOf(index: number): ForwardingEntry {
  const careOfAddress = (ipv4("198.18.0.0") + (index % 100_000)) as Ipv4Address;
  const tunnel = { careOfAddress, encapsulation: "ip-in-ip", isReverse: true, expiresAtMs: Date.now() + 1e6 } as const;
  return { homeAddress: (first + index) as Ipv4Address, tunnels: [tunnel] };
}

function* entries(): Generator<ForwardingEntry> {
  for (let index = 0; index < mobiles; index++) yield entryOf(index);
}

/** What the kernel has allocated for itself: each entry is an allocation of its own. */
function kernelMegabytes(): number {
  const [, kilobytes] = /^SUnreclaim: +(\d+)/m.exec(readFileSync("/proc/meminfo", "latin1")) ?? [];
  return Number(kilobytes) / 1024;
}

function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

const rig = await ProgramRig.make();
const before = kernelMegabytes();
const filledMs = timed(() => rig.putAll(entries()));
const megabytes = kernelMegabytes() - before;
const updatedMs = timed(() => {
  for (let index = 0; index < UPDATES; index++) rig.put(entryOf((index * 7_919) % mobiles));
});
process.stdout.write(
  [
    `${mobiles} entries: filled in ${(filledMs / 1000).toFixed(2)} s, ${((filledMs * 1000) / mobiles).toFixed(2)} µs each, ${megabytes.toFixed(0)} MB`,
    `one at a time: ${((updatedMs * 1000) / UPDATES).toFixed(1)} µs each`,
    "",
  ].join("\n"),
);
process.exit();
