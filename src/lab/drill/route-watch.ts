import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { LabError } from "../lab-error.ts";

/** A kernel's route to a prefix, from a time on. */
export interface RouteChange {
  /** Epoch ms. */
  readonly atMs: number;
  /** Empty where the route was deleted. */
  readonly nextHops: readonly string[];
}

/**
 * Reads what `ip -ts monitor route` prints about one prefix:
 *
 *     [2026-11-26T08:11:12.498614] 10.64.0.0/12 nhid 27 proto bgp metric 20
 *             nexthop via 10.1.0.11 dev ha-lan weight 1
 *             nexthop via 10.1.0.12 dev ha-lan weight 1
 *     [2026-11-26T08:11:13.120010] Deleted 10.64.0.0/12 nhid 27 via 10.1.0.11 dev ha-lan proto bgp metric 20
 */
export class RouteMonitorReader {
  readonly changes: RouteChange[] = [];
  readonly #prefix: string;
  /** Of the change that further lines belong to. */
  #nextHops: string[] | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  read(line: string): void {
    const [, time, deleted, prefix, rest = ""] = /^\[(\S+)\] (Deleted )?(\S+)(.*)$/.exec(line) ?? [];
    if (time === undefined) {
      this.#nextHops?.push(...gatewaysIn(line));
      return;
    }
    this.#nextHops = prefix === this.#prefix && deleted === undefined ? gatewaysIn(rest) : undefined;
    if (prefix === this.#prefix) this.changes.push({ atMs: Date.parse(`${time}Z`), nextHops: this.#nextHops ?? [] });
  }
}

function gatewaysIn(text: string): string[] {
  return [...text.matchAll(/\bvia (\S+)/g)].flatMap(([, gateway]) => gateway ?? []);
}

/** In UTC, wherever that is; until its input ends, also where a signal doesn't reach it. */
const MONITOR = `exec 3<&0
TZ=UTC ip -ts monitor route &
monitor=$!
{ cat <&3 >/dev/null; kill $monitor; } &
wait $monitor`;

/** The changes of a router's route, with the kernel's own times: how often somebody looks makes no difference. */
export class RouteWatch {
  readonly #reader: RouteMonitorReader;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, reader: RouteMonitorReader) {
    this.#process = process;
    this.#reader = reader;
  }

  /** @param enter the words that run a command on the router */
  static async start(
    enter: readonly string[],
    prefix: string,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<RouteWatch> {
    const [file = "", ...args] = [...enter, "sh", "-c", MONITOR];
    const reader = new RouteMonitorReader(prefix);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, ...environment } });
    createInterface({ input: child.stdout }).on("line", (line) => reader.read(line));
    await once(child, "spawn");
    return new RouteWatch(child, reader);
  }

  /** When a next hop was first gone, after a time; `undefined` while it isn't. @throws LabError where the watch has ended. */
  goneAt(nextHop: string, sinceMs: number): number | undefined {
    if (this.#process.exitCode !== null) throw new LabError("the router's routes can't be watched any more");
    return this.#reader.changes.find(({ atMs, nextHops }) => atMs >= sinceMs && !nextHops.includes(nextHop))?.atMs;
  }

  /** When it was there again, after it was first gone; `undefined` while it isn't. */
  backAt(nextHop: string, sinceMs: number): number | undefined {
    const goneAtMs = this.goneAt(nextHop, sinceMs) ?? Number.POSITIVE_INFINITY;
    return this.#reader.changes.find(({ atMs, nextHops }) => atMs > goneAtMs && nextHops.includes(nextHop))?.atMs;
  }

  stop(): void {
    this.#process.stdin?.destroy();
  }
}
