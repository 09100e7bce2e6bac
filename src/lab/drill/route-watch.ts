import { type ChildProcess, spawn } from "node:child_process";
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

const SUBSCRIBED = "subscribed";
const SUBSCRIBED_MS = 30_000;

/**
 * In UTC, wherever that is; until its input ends, also where a signal doesn't reach it. It says when the kernel has a
 * socket of the monitor that is subscribed to something: on a busy machine a process that has been started may not have
 * come so far.
 */
const MONITOR = `exec 3<&0
TZ=UTC ip -ts monitor route &
monitor=$!
{ cat <&3 >/dev/null; kill $monitor; } &
is_subscribed() {
  for descriptor in /proc/$monitor/fd/*; do
    socket=$(readlink "$descriptor")
    inode=\${socket#socket:[}
    awk -v inode="\${inode%]}" '$10 == inode && $4 != "00000000" { found = 1 } END { exit !found }' /proc/net/netlink && return
  done
  return 1
}
while kill -0 $monitor && ! is_subscribed; do sleep 0.05; done
echo ${SUBSCRIBED}
wait $monitor`;

/** The changes of a router's route, with the kernel's own times, so that they don't depend on how often it is polled. */
export class RouteWatch {
  readonly #reader: RouteMonitorReader;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, reader: RouteMonitorReader) {
    this.#process = process;
    this.#reader = reader;
  }

  /**
   * Resolves when no change is missed any more. Rejects with a LabError if it doesn't come so far.
   *
   * @param enter the words that run a command on the router
   */
  static async start(
    enter: readonly string[],
    prefix: string,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<RouteWatch> {
    const [file = "", ...args] = [...enter, "sh", "-c", MONITOR];
    const reader = new RouteMonitorReader(prefix);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, ...environment } });
    const lines = createInterface({ input: child.stdout });
    const subscribed = new Promise<void>((resolve, reject) => {
      lines.on("line", (line) => (line === SUBSCRIBED ? resolve() : reader.read(line)));
      child.on("error", reject);
      AbortSignal.timeout(SUBSCRIBED_MS).onabort = () => reject(new LabError("the router's routes can't be watched"));
    });
    const watch = new RouteWatch(child, reader);
    await subscribed.catch((error) => {
      watch.stop();
      throw error;
    });
    return watch;
  }

  /**
   * When a next hop was first gone, after a time; `undefined` while it isn't. @throws LabError where the watch has ended.
   */
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
