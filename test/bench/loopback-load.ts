/** Mobiles that register with home agents on the loopback interface, spread over those that are named. */

import { type Ipv4Address, ipv4 } from "../../src/core/wire/ipv4.ts";
import type { LoopbackCluster } from "../../src/lab/loopback.ts";
import { LAB_TOPOLOGY } from "../../src/lab/plan/topology.ts";
import { IdentificationSource } from "../../src/mobile/identification-source.ts";
import { random32 } from "../../src/mobile/register.ts";
import { type LoadReport, runLoad } from "../../src/mobile/run-load.ts";

export interface LoadOrder {
  /** The ingresses, each with its share of the mobiles. */
  readonly homeAgents: readonly string[];
  readonly mobiles: number;
  /** Of all together; `undefined` leaves the pace to the window. */
  readonly ratePerSecond: number | undefined;
  /** Requests of all together without an answer. */
  readonly window: number;
  readonly seconds: number;
}

export function runLoads(cluster: LoopbackCluster, order: LoadOrder): Promise<LoadReport[]> {
  const { homeAgents, mobiles, ratePerSecond, window, seconds } = order;
  const [{ spi, key }] = LAB_TOPOLOGY.associations;
  const loopback = ipv4("127.0.0.1");
  const share = Math.ceil(mobiles / homeAgents.length);
  return Promise.all(
    homeAgents.map((homeAgent, index) => {
      const port = Number(cluster.registrationEndpoint(homeAgent).split(":")[1]);
      const firstHomeAddress = ipv4("10.64.16.0") + index * share;
      return runLoad(
        {
          mobiles: share,
          nameOf: (mobile) => ({ homeAddress: (firstHomeAddress + mobile) as Ipv4Address, nai: undefined }),
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
          ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond / homeAgents.length,
          window: Math.ceil(window / homeAgents.length),
          answerTimeoutMs: 5000,
          maximumTries: 1,
          maximumRequests: Number.POSITIVE_INFINITY,
          durationMs: seconds * 1000,
        },
        { target: { address: loopback, port }, local: loopback, ports: 4 },
        { logFile: undefined, signal: new AbortController().signal, onProgress: () => undefined },
      );
    }),
  );
}

export function sumOf(reports: readonly LoadReport[], of: (report: LoadReport) => number): number {
  return reports.reduce((sum, report) => sum + of(report), 0);
}

export function describe(reports: readonly LoadReport[]): string {
  const worst = (of: (report: LoadReport) => number) => Math.max(...reports.map(of)).toFixed(1);
  return (
    `${Math.round(sumOf(reports, ({ acceptedPerSecond }) => acceptedPerSecond))} accepted/s of ${sumOf(reports, ({ sent }) => sent)} sent, ` +
    `${sumOf(reports, ({ unanswered }) => unanswered)} unanswered; p50 ${worst(({ latencyMs }) => latencyMs.p50)} ms, ` +
    `p99 ${worst(({ latencyMs }) => latencyMs.p99)} ms, max ${worst(({ latencyMs }) => latencyMs.max)} ms`
  );
}
