import { createHistogram } from "node:perf_hooks";
import { UdpSocket } from "../adapters/net/udp-socket.ts";
import { formatIdentification } from "../core/wire/identification.ts";
import { type Endpoint, formatIpv4, type Ipv4Address } from "../core/wire/ipv4.ts";
import { JsonLinesFile } from "./json-lines-file.ts";
import { type GivenUp, Load, type LoadSettings } from "./load.ts";

const PUMP_INTERVAL_MS = 1;
const PROGRESS_INTERVAL_MS = 1000;

export interface LoadSockets {
  readonly target: Endpoint;
  readonly local: Ipv4Address;
  /** Source ports; each mobile keeps to one, and routers that balance by flow spread them. */
  readonly ports: number;
}

/** The result of a load; `-o json` prints it as it is. */
export interface LoadReport {
  readonly mobiles: number;
  readonly sent: number;
  readonly repeated: number;
  readonly accepted: number;
  /** By code. */
  readonly denied: Record<string, number>;
  readonly unanswered: number;
  readonly invalid: number;
  readonly sendErrors: number;
  readonly durationSeconds: number;
  readonly acceptedPerSecond: number;
  /** Of all answers. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** A line of the log: one registration that was accepted, or given up. */
interface LogLine {
  /** ISO 8601: when the reply arrived, or when it was given up. */
  readonly time: string;
  readonly homeAddress: string;
  readonly nai: string | null;
  /** `null` where nobody answered. */
  readonly identification: string | null;
  /** Seconds granted; `null` if there was no answer. */
  readonly lifetime: number | null;
  /** From the first request for it to the reply. */
  readonly latencyMs: number;
  readonly tries: number;
}

export interface LoadOptions {
  readonly logFile: string | undefined;
  /** Ends the load early; outstanding requests are still waited for. */
  readonly signal: AbortSignal;
  onProgress(report: LoadReport): void;
}

/** Rejects with a system error if no socket can be bound or the log can't be opened. */
export async function runLoad(settings: LoadSettings, sockets: LoadSockets, options: LoadOptions): Promise<LoadReport> {
  const { logFile, signal, onProgress } = options;
  const log = logFile === undefined ? undefined : new JsonLinesFile(logFile);
  const latencyMicroseconds = createHistogram();
  const bound: UdpSocket[] = [];
  let sendErrors = 0;
  const startedAtMs = performance.now();
  const load = new Load(settings, startedAtMs);

  const received = (payload: Uint8Array) => {
    const answer = load.received(payload, performance.now());
    if (answer === undefined) return;
    latencyMicroseconds.record(Math.max(1, Math.round(answer.latencyMs * 1000)));
    if (log === undefined || answer.accepted === undefined) return;
    const { homeAddress, nai, identification, lifetimeSeconds } = answer.accepted;
    log.write({
      time: new Date().toISOString(),
      homeAddress: formatIpv4(homeAddress),
      nai: nai ?? null,
      identification: formatIdentification(identification),
      lifetime: lifetimeSeconds,
      latencyMs: rounded(answer.latencyMs),
      tries: answer.tries,
    } satisfies LogLine);
  };

  const logGivenUp = ({ homeAddress, nai, latencyMs, tries }: GivenUp) =>
    log?.write({
      time: new Date().toISOString(),
      homeAddress: formatIpv4(homeAddress),
      nai: nai ?? null,
      identification: null,
      lifetime: null,
      latencyMs: rounded(latencyMs),
      tries,
    } satisfies LogLine);

  const report = (): LoadReport => {
    const { sent, repeated, accepted, denied, unanswered, invalid } = load.score;
    const durationSeconds = (performance.now() - startedAtMs) / 1000;
    const percentileMs = (percentile: number) => latencyMicroseconds.percentile(percentile) / 1000;
    const answered = latencyMicroseconds.count > 0;
    return {
      mobiles: settings.mobiles,
      sent,
      repeated,
      accepted,
      denied: Object.fromEntries(denied),
      unanswered,
      invalid,
      sendErrors,
      durationSeconds: rounded(durationSeconds),
      acceptedPerSecond: rounded(accepted / durationSeconds),
      latencyMs: {
        p50: answered ? percentileMs(50) : 0,
        p99: answered ? percentileMs(99) : 0,
        max: answered ? latencyMicroseconds.max / 1000 : 0,
      },
    };
  };

  const failed = () => {
    sendErrors += 1;
  };
  const progress = setInterval(() => onProgress(report()), PROGRESS_INTERVAL_MS);
  try {
    for (let port = 0; port < sockets.ports; port++) {
      bound.push(await UdpSocket.bind({ address: sockets.local, port: 0 }, { received, sendFailed: failed, failed }));
    }
    await new Promise<void>((resolve) => {
      const pump = setInterval(() => {
        const nowMs = performance.now();
        if (signal.aborted) load.stop();
        for (const { mobile, payload } of load.due(nowMs, Date.now())) {
          bound[mobile % bound.length]?.send(payload, sockets.target);
        }
        for (const registration of load.takeGivenUp()) logGivenUp(registration);
        if (!load.isOver(nowMs)) return;
        clearInterval(pump);
        resolve();
      }, PUMP_INTERVAL_MS);
    });
    return report();
  } finally {
    clearInterval(progress);
    await Promise.all(bound.map((socket) => socket.close()));
    log?.close();
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
