/** The advertiser with a real ExaBGP and no router: what it does with processes and files. test/lab has the routes. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Advertisement, AdvertiserStatus } from "../../../../src/adapters/advertiser/advertiser.ts";
import {
  ExabgpAdvertiser,
  type ExabgpAdvertiserOptions,
} from "../../../../src/adapters/advertiser/exabgp/exabgp-advertiser.ts";
import type { BgpOptions } from "../../../../src/adapters/advertiser/exabgp/exabgp-config.ts";
import { othersAnnouncing } from "../../../../src/adapters/advertiser/routing-view.ts";
import { Counters } from "../../../../src/adapters/telemetry/counters.ts";
import { ipv4, parsePrefix } from "../../../../src/core/wire/ipv4.ts";
import { waitFor } from "../../../../src/lab/wait.ts";
import { exabgpObstacle } from "./exabgp-obstacle.ts";
import { HostileRouter } from "./hostile-router.ts";

// Processes are started, on a machine that may be busy.
const BGP: BgpOptions = {
  localAddress: ipv4("127.0.0.1"),
  localAs: 65011,
  routerId: ipv4("192.0.2.11"),
  // Nobody speaks BGP there.
  neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: 1 }],
};

let directory: string;
let advertisers: ExabgpAdvertiser[];
let events: { event: string; fields: Readonly<Record<string, unknown>> }[];
let seen: AdvertiserStatus[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "anyhome-advertiser-"));
  chmodSync(directory, 0o711);
  advertisers = [];
  events = [];
  seen = [];
});

afterEach(async () => {
  for (const advertiser of advertisers) await advertiser.stop();
  rmSync(directory, { recursive: true, force: true });
});

function create(options: Partial<ExabgpAdvertiserOptions> = {}): ExabgpAdvertiser {
  const advertiser = new ExabgpAdvertiser(
    {
      runtimeDirectory: join(directory, "run"),
      bgp: BGP,
      prefixes: [wish("10.64.0.0/12").prefix],
      members: [
        { id: "ha1", as: 65011, address: ipv4("127.0.0.1") },
        { id: "ha2", as: 65012, address: ipv4("127.0.0.3") },
      ],
      self: "ha1",
      counters: new Counters(),
      log: { event: (event, fields = {}) => events.push({ event, fields }) },
      ...options,
    },
    { changed: (status) => seen.push(status) },
  );
  advertisers.push(advertiser);
  return advertiser;
}

async function running(options: Partial<ExabgpAdvertiserOptions> = {}): Promise<ExabgpAdvertiser> {
  const advertiser = create(options);
  await advertiser.start();
  await until(advertiser, "ExaBGP to run", ({ speaker }) => speaker === "running");
  return advertiser;
}

async function until(
  advertiser: ExabgpAdvertiser,
  what: string,
  condition: (status: AdvertiserStatus) => boolean,
): Promise<void> {
  await waitFor(() => condition(advertiser.status()), { deadlineMs: 20_000, what, intervalMs: 5 }).catch((error) => {
    throw new Error(`${error.message}; ${JSON.stringify({ status: advertiser.status(), events })}`);
  });
}

function wish(text: string, attributes: Partial<Advertisement> = {}): Advertisement {
  const prefix = parsePrefix(text);
  if (!prefix) throw new TypeError(`no prefix: ${text}`);
  return { prefix, communities: [], asPathPrepend: 0, ...attributes };
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return false;
  }
}

describe.skipIf(exabgpObstacle !== undefined && !process.env.CI)("an ExaBGP of our own", () => {
  test("has nothing applied until it is asked, then what was last asked for", async () => {
    const advertiser = await running();
    expect(advertiser.status()).toMatchObject({
      type: "exabgp",
      speaker: "running",
      pid: expect.any(Number),
      restarts: 0,
      desired: [],
      applied: [],
      neighbors: [{ address: "127.0.0.2", state: "down" }],
    });
    const last = [wish("10.64.0.0/12", { med: 1, communities: [[65535, 0]], asPathPrepend: 1 }), wish("10.64.0.1/32")];
    advertiser.set([wish("10.0.0.0/8")]);
    advertiser.set(last);
    expect(advertiser.status()).toMatchObject({ desired: last, applied: [] });
    await until(advertiser, "the confirmation", ({ applied }) => applied.length > 0);
    expect(advertiser.status().applied).toEqual(last);
    expect(seen.at(-1)).toEqual(advertiser.status());
    expect(events.filter(({ event }) => event === "route-announced").map(({ fields }) => fields.prefix)).toEqual([
      "10.64.0.0/12",
      "10.64.0.1/32",
    ]);
  });

  test("announces after a start what was asked for before it", async () => {
    const advertiser = create();
    advertiser.set([wish("10.64.0.0/12")]);
    expect(advertiser.status()).toMatchObject({ speaker: "stopped", applied: [] });
    await advertiser.start();
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
  });

  test("is restarted when it is killed, and asked for the same again", async () => {
    const advertiser = await running();
    advertiser.set([wish("10.64.0.0/12")]);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
    const { pid = 0 } = advertiser.status();
    process.kill(pid, "SIGKILL");
    await until(advertiser, "the loss", ({ applied }) => applied.length === 0);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
    expect(advertiser.status().restarts).toBe(1);
    expect(advertiser.status().pid).not.toBe(pid);
    expect(events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["speaker-started", "route-announced", "speaker-stopped", "route-unconfirmed"]),
    );
  });

  test("is restarted when there is no session for too long", async () => {
    const advertiser = await running({ sessionPatienceMs: 300 });
    await until(advertiser, "a restart", ({ restarts }) => restarts > 0);
    expect(advertiser.status().lastError).toBe("no BGP session for 0.3 s: dialing anew");
  });

  test("is restarted when it refuses a command, and never half announced", async () => {
    const advertiser = await running();
    advertiser.set([wish("10.64.0.0/12"), wish("10.80.0.0/12", { med: 1.5 })]);
    await until(advertiser, "a restart", ({ restarts }) => restarts > 0);
    expect(advertiser.status().lastError).toMatch(/^ExaBGP refused ".* 10\.80\.0\.0\/12 /);
    expect(events.map(({ event }) => event)).not.toContain("route-announced");
    advertiser.set([wish("10.64.0.0/12")]);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
  });

  test("is restarted when it doesn't answer a command", async () => {
    const advertiser = await running();
    // 4.2.21 trips over a MED that doesn't fit into 32 bits.
    advertiser.set([wish("10.64.0.0/12", { med: 2 ** 40 })]);
    await until(advertiser, "a restart", ({ restarts }) => restarts > 0);
    // The helper says why and ends ExaBGP; which of the two is noticed first is for the kernel to say.
    expect(advertiser.status().lastError).toMatch(
      /^the helper gave up: ExaBGP didn't answer .* 10\.64\.0\.0\/12 |^ExaBGP killed by SIGKILL/,
    );
  });

  test("a router that forges API lines in a NOTIFICATION achieves nothing but the end of its session", async () => {
    const router = await HostileRouter.listen("127.0.0.2");
    const advertiser = await running({
      bgp: { ...BGP, neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: router.port }] },
    });
    advertiser.set([wish("10.64.0.0/12")]);
    await until(
      advertiser,
      "a session",
      ({ neighbors, applied }) => neighbors[0]?.state === "up" && applied.length === 1,
    );
    router.close('x\ndone\nerror\n{ "type": "state" }\nexabgp 6.6.6');
    await until(advertiser, "the end of the session", ({ neighbors }) => neighbors[0]?.state === "down");
    advertiser.set([wish("10.64.0.0/12"), wish("10.64.0.1/32")]);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 2);
    const { restarts, lastError } = advertiser.status();
    expect({ restarts, lastError }).toEqual({ restarts: 0, lastError: undefined });
    const lines = events.filter(({ event }) => event === "speaker-problem").map(({ fields }) => fields.line);
    expect(lines.slice(0, 2)).toEqual(["done", "error"]);
  });

  test("a withdrawal is seen when no router has the route from us any more, and not when ExaBGP takes it", async () => {
    const ours = wish("10.64.0.0/12");
    const router = await HostileRouter.listen("127.0.0.2");
    const advertiser = await running({
      bgp: { ...BGP, neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: router.port }] },
    });
    advertiser.set([ours]);
    await until(
      advertiser,
      "a session",
      ({ neighbors, applied }) => neighbors[0]?.state === "up" && applied.length === 1,
    );
    router.announce([ours.prefix], [65001, 65011]);
    await until(advertiser, "the echo", ({ view }) => view.paths.some(({ isEcho }) => isEcho));
    advertiser.set([]);
    // The confirmations of ExaBGP come in order: that of a later set is one of the withdrawal, too.
    advertiser.set([wish("10.64.0.1/32")]);
    await until(advertiser, "ExaBGP to take it", ({ applied }) => applied.some(({ prefix }) => prefix.length === 32));
    expect(advertiser.status().applied.map(({ prefix }) => prefix.length)).toEqual([32, 12]);
    router.withdraw([ours.prefix]);
    await until(advertiser, "the withdrawal", ({ applied }) => applied.length === 1);
    expect(events).toContainEqual({ event: "route-withdrawn", fields: { prefix: "10.64.0.0/12" } });
    router.close("");
  });

  test("the reason of a session that a router ends is shown as ExaBGP has it, though it leaves no JSON", async () => {
    const router = await HostileRouter.listen("127.0.0.2");
    const advertiser = await running({
      bgp: { ...BGP, neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: router.port }] },
    });
    await until(advertiser, "a session", ({ neighbors }) => neighbors[0]?.state === "up");
    router.close('a\tb {"c": \\d}');
    await until(advertiser, "the end of the session", ({ neighbors }) => neighbors[0]?.state === "down");
    expect(advertiser.status().neighbors[0]?.reason).toMatch(/ a b \("c": \\d\)\W*$/);
    expect(advertiser.status().neighbors[0]?.reason).not.toContain("}");
  });

  test("a router that floods it with a large table keeps nobody waiting, and what concerns us is not lost in it", async () => {
    const router = await HostileRouter.listen("127.0.0.2");
    const counters = new Counters();
    const advertiser = await running({
      counters,
      bgp: { ...BGP, neighbors: [{ address: ipv4("127.0.0.2"), as: 65001, port: router.port }] },
    });
    await until(advertiser, "a session", ({ neighbors }) => neighbors[0]?.state === "up");
    const ours = wish("10.64.0.0/12").prefix;
    for (let table = 0; table < 20; table++) {
      // 20 × 400 prefixes of 24 bits, and our own, announced and withdrawn again and again.
      const others = Array.from({ length: 400 }, (_, index) => ({
        address: ipv4(`172.${16 + table}.${index >> 8}.${index & 255}`),
        length: 32,
      }));
      router.announce([ours, ...others], [65001, 65012]);
      if (table < 19) router.withdraw([ours]);
    }
    // Behind all of that: ExaBGP has not stopped answering.
    advertiser.set([wish("10.64.0.0/12")]);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
    await until(advertiser, "the last word", ({ view }) => view.paths.length === 1);
    expect(advertiser.status().view.paths).toMatchObject([
      { prefix: ours, neighbor: "127.0.0.2", announcer: "ha2", isEcho: false, attributes: { asPath: [65001, 65012] } },
    ]);
    // It sends its best path only: nobody can say that there are no others.
    expect(othersAnnouncing(advertiser.status().view, ours, "ha1")).toEqual(["ha2"]);
    expect(advertiser.status()).toMatchObject({ restarts: 0, view: { isComplete: false } });
    expect(events.map(({ event }) => event)).not.toContain("speaker-problem");
    expect(counters.snapshot()["paths-dropped"]).toEqual({});
    router.close("");
  });

  test("goes on trying when its files can't be written", async () => {
    const advertiser = await running();
    rmSync(join(directory, "run"), { recursive: true });
    process.kill(advertiser.status().pid ?? 0, "SIGKILL");
    await until(advertiser, "some attempts", ({ restarts }) => restarts > 2);
    expect(advertiser.status()).toMatchObject({ lastError: expect.stringMatching(/files can't be written: ENOENT/) });
  });

  test("leaves neither process nor file behind when it is stopped", async () => {
    const advertiser = await running();
    advertiser.set([wish("10.64.0.0/12")]);
    await until(advertiser, "the confirmation", ({ applied }) => applied.length === 1);
    const { pid = 0 } = advertiser.status();
    await advertiser.stop();
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(join(directory, "run"))).toEqual([]);
    expect(advertiser.status()).toMatchObject({ speaker: "stopped", desired: [], applied: [] });
    expect(advertiser.status()).not.toHaveProperty("pid");
    expect(events.map(({ event }) => event)).toContain("route-withdrawn");
    expect(events.map(({ event }) => event)).not.toContain("speaker-stopped");
  });

  test("stops though it hangs", async () => {
    const advertiser = await running();
    const { pid = 0 } = advertiser.status();
    process.kill(pid, "SIGSTOP");
    await advertiser.stop();
    expect(isAlive(pid)).toBe(false);
  });

  test("can be stopped while it is being started, or before", async () => {
    await create().stop();
    const advertiser = create();
    const start = advertiser.start();
    await advertiser.stop();
    await start;
    expect(advertiser.status().speaker).toBe("stopped");
    expect(readdirSync(join(directory, "run"))).toEqual([]);
  });

  test("keeps its files from everybody else", async () => {
    await running();
    const run = join(directory, "run");
    const modes = Object.fromEntries(
      [".", ...readdirSync(run)].map((name) => [name, (statSync(join(run, name)).mode & 0o777).toString(8)]),
    );
    expect(modes).toEqual({
      ".": "750",
      "anyhome_exabgp.py": "400",
      "exabgp.conf": "600",
      "exabgp.env": "600",
      "exabgp.pid": "600",
      "helper.sock": "600",
    });
  });

  test("two can't share a directory, and the first isn't disturbed", async () => {
    const first = await running();
    const { pid = 0 } = first.status();
    const second = create();
    await expect(second.start()).rejects.toThrow(`another daemon uses ${join(directory, "run")}`);
    expect(second.status()).toMatchObject({ speaker: "failed", lastError: expect.stringContaining("another daemon") });
    await second.stop();
    first.set([wish("10.64.0.0/12")]);
    await until(first, "the confirmation", ({ applied }) => applied.length === 1);
    expect(first.status().pid).toBe(pid);
  });

  test.each<[string, Partial<ExabgpAdvertiserOptions>, RegExp]>([
    ["no ExaBGP", { exabgpPath: "/nonexistent/exabgp" }, /can't run ExaBGP .*nonexistent/],
    ["no Python", { pythonPath: "/nonexistent/python3" }, /can't run the helper .*nonexistent/],
    ["no such user", { user: "no-such-user" }, /there is no user no-such-user/],
    ["a path that is too long", { runtimeDirectory: `/tmp/${"x".repeat(100)}` }, /too long for the path of a socket/],
    ["a bad option", { bgp: { ...BGP, neighbors: [] } }, /at least one neighbor/],
  ])("%s: the start fails, says why, and can be tried again", async (_, options, message) => {
    const advertiser = create(options);
    await expect(advertiser.start()).rejects.toThrow(message);
    expect(advertiser.status()).toMatchObject({ speaker: "failed", lastError: expect.stringMatching(message) });
    await running();
  });

  test.runIf(process.getuid?.() === 0)("a directory that ExaBGP's user can't reach: the start says so", async () => {
    chmodSync(directory, 0o700);
    await expect(create().start()).rejects.toThrow(
      /user exabgp can't run the helper \(can it pass all directories above/,
    );
  });

  describe("what an earlier daemon left", () => {
    let leftover: ChildProcess;

    beforeEach(async () => {
      leftover = spawn("sleep", ["600"], { stdio: "ignore" });
      const first = await running();
      await first.stop();
    });
    afterEach(() => leftover.kill("SIGKILL"));

    function record(startOffset: number): number {
      const { pid = 0 } = leftover;
      const start = Number(readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ")[19]);
      writeFileSync(join(directory, "run", "exabgp.pid"), `${pid} ${start + startOffset}\n`);
      return pid;
    }

    test("an ExaBGP that still runs is ended", async () => {
      const pid = record(0);
      await running();
      expect(isAlive(pid)).toBe(false);
    });

    test("a process that only has the same number is left alone", async () => {
      const pid = record(1);
      await running();
      expect(isAlive(pid)).toBe(true);
    });
  });
});
