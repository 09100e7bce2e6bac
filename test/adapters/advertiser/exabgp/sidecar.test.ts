/** The advertiser with a real ExaBGP that something else runs, and no router. test/lab/sidecar.test.ts has the routes. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdvertiserStatus } from "../../../../src/adapters/advertiser/advertiser.ts";
import {
  ExabgpAdvertiser,
  type ExabgpAdvertiserOptions,
} from "../../../../src/adapters/advertiser/exabgp/exabgp-advertiser.ts";
import { sidecarFiles } from "../../../../src/adapters/advertiser/exabgp/speaker-files.ts";
import { Counters } from "../../../../src/adapters/telemetry/counters.ts";
import { ipv4, parsePrefix } from "../../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../../src/lab/wait.ts";
import { exabgpObstacle } from "./exabgp-obstacle.ts";

// Processes are started, on a machine that may be busy.
const SCRIPT = fileURLToPath(new URL("../../../../exabgp/sidecar.sh", import.meta.url));
const NETWORK = {
  prefix: parsePrefix("10.64.0.0/12") ?? { address: ipv4("0.0.0.0"), length: 0 },
  communities: [],
  asPathPrepend: 0,
};

let directory: string;
let advertisers: ExabgpAdvertiser[];
let supervisor: ChildProcess | undefined;
let events: { event: string; fields: Readonly<Record<string, unknown>> }[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-sidecar-"));
  chmodSync(directory, 0o711);
  advertisers = [];
  events = [];
});

afterEach(async () => {
  await endSidecar();
  for (const advertiser of advertisers) await advertiser.stop();
  rmSync(directory, { recursive: true, force: true });
});

function options(more: Partial<ExabgpAdvertiserOptions> = {}): ExabgpAdvertiserOptions {
  return {
    runtimeDirectory: join(directory, "run"),
    sidecar: {},
    bgp: {
      localAddress: ipv4("127.0.0.1"),
      localAs: 65011,
      routerId: ipv4("192.0.2.11"),
      // Nobody speaks BGP there.
      neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: 1 }],
    },
    prefixes: [NETWORK.prefix],
    members: [{ id: "ha1", as: 65011, address: ipv4("127.0.0.1") }],
    self: "ha1",
    counters: new Counters(),
    log: { event: (event, fields = {}) => events.push({ event, fields }) },
    ...more,
  };
}

async function started(more: Partial<ExabgpAdvertiserOptions> = {}): Promise<ExabgpAdvertiser> {
  const advertiser = new ExabgpAdvertiser(options(more), { changed: () => {} });
  advertisers.push(advertiser);
  await advertiser.start();
  return advertiser;
}

async function announcing(more: Partial<ExabgpAdvertiserOptions> = {}): Promise<ExabgpAdvertiser> {
  const advertiser = await started(more);
  advertiser.set([NETWORK]);
  await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
  return advertiser;
}

/** What starts ExaBGP again whenever it ends. */
function startSidecar(): void {
  const loop = 'while :; do sh "$1" "$2"; sleep 0.1; done';
  supervisor = spawn("sh", ["-c", loop, "supervisor", SCRIPT, join(directory, "run")], {
    stdio: "ignore",
    detached: true,
  });
}

/** With all that it has started: they are one process group. */
async function endSidecar(): Promise<void> {
  if (supervisor?.pid !== undefined) process.kill(-supervisor.pid, "SIGKILL");
  supervisor = undefined;
}

async function until(advertiser: ExabgpAdvertiser, what: string, condition: (status: AdvertiserStatus) => boolean) {
  await waitFor(() => condition(advertiser.status()), { deadlineMs: 30_000, what, intervalMs: 5 }).catch((error) => {
    throw new Error(`${error.message}; ${JSON.stringify({ status: advertiser.status(), events })}`);
  });
}

/** The processes of our sidecar whose command has a word, and neither of the shells. */
function pids(word: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const words = commandOf(pid);
      return words.some((it) => it.endsWith(word)) && words.some((it) => it.startsWith(directory)) && words[0] !== "sh";
    });
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function kill(word: string): void {
  const [pid] = pids(word);
  if (pid === undefined) throw new Error(`no ${word} runs`);
  process.kill(pid, "SIGKILL");
}

describe.skipIf(exabgpObstacle !== undefined && !process.env.CI)("an ExaBGP that isn't ours", () => {
  test("is asked for the routes when it has joined, whichever of the two is started first", async () => {
    startSidecar();
    const advertiser = await announcing();
    expect(advertiser.status()).toMatchObject({ speaker: "running", restarts: 0 });
    expect(advertiser.status()).not.toHaveProperty("pid");
    expect(events.map(({ event }) => event)).toContain("speaker-started");
  });

  test("is asked again when its supervisor has started it again", async () => {
    startSidecar();
    const advertiser = await announcing();
    kill("/exabgp");
    await until(advertiser, "the loss", ({ restarts }) => restarts === 1);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
  });

  test("goes on when the daemon is replaced by one of the same configuration", async () => {
    startSidecar();
    const first = await announcing();
    const before = pids("/exabgp");
    await first.stop();
    await announcing();
    expect(pids("/exabgp")).toEqual(before);
  });

  test("is ended when the next daemon has another configuration, and comes back with that", async () => {
    startSidecar();
    const first = await announcing();
    const before = pids("/exabgp");
    await first.stop();
    const { bgp } = options();
    await announcing({ bgp: { ...bgp, holdTimeSeconds: 30 } });
    expect(pids("/exabgp")).not.toEqual(before);
  });

  test("is ended when its helper has died: the next one can't know what ExaBGP has told", async () => {
    startSidecar();
    const advertiser = await announcing();
    const before = pids("/exabgp");
    kill("anyhome_exabgp.py");
    await until(advertiser, "another ExaBGP", ({ lastError = "" }) =>
      lastError.startsWith("the helper was started again"),
    );
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
    expect(pids("/exabgp")).not.toEqual(before);
  });

  test.runIf(process.getuid?.() === 0)("shares files and socket with one group, and nobody else", async () => {
    const gid = Number(execFileSync("id", ["-g", "exabgp"], { encoding: "utf8" }));
    await started({ sidecar: { group: "exabgp" } });
    const run = join(directory, "run");
    const shared = [".", ...readdirSync(run)].map((name) => {
      const { mode, gid: group, uid } = statSync(join(run, name));
      return [name, [(mode & 0o777).toString(8), uid, group]];
    });
    expect(Object.fromEntries(shared)).toEqual({
      ".": ["750", 0, gid],
      "anyhome_exabgp.py": ["440", 0, gid],
      "exabgp.conf": ["640", 0, gid],
      "exabgp.env": ["640", 0, gid],
      "helper.sock": ["660", 0, gid],
    });
  });

  test("leaves no file behind when the daemon stops", async () => {
    startSidecar();
    const advertiser = await announcing();
    await advertiser.stop();
    expect(readdirSync(join(directory, "run"))).toEqual([]);
    expect(advertiser.status()).toMatchObject({ speaker: "stopped", applied: [] });
  });

  test("in a group that there isn't: the start fails, and says so", async () => {
    await expect(started({ sidecar: { group: "no-such-group" } })).rejects.toThrow("there is no group no-such-group");
  });

  test("is told what to do by files that are the same for the same options, and name what they say", () => {
    const { run, config } = sidecarFiles(options());
    expect(sidecarFiles(options()).run).toBe(run);
    expect(config).toContain(`"--run" "${run}"`);
    expect(sidecarFiles(options({ prefixes: [] })).run).not.toBe(run);
  });
});
