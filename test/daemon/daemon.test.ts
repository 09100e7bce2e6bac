/** The whole daemon as a process: what it refuses to start with, what it stands, and what it remembers. */
import { createSocket } from "node:dgram";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BindingView } from "../../src/adapters/api/bindings.ts";
import type { CountersView, PeerView, StatusView } from "../../src/adapters/api/members.ts";
import { rowChecksum } from "../../src/core/bindings/stored-row.ts";
import { type Endpoint, formatIpv4 } from "../../src/core/wire/ipv4.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { seeded } from "../fuzz/random.ts";
import { intoFile, type Launch, LoneDaemon } from "./lone-daemon.ts";

describe("a daemon ends at once, and says why without showing its insides, where", () => {
  let daemon: LoneDaemon;
  beforeAll(async () => {
    daemon = await LoneDaemon.start();
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  test("another one has its store; that goes on", async () => {
    const { exitCode, stderr } = await daemon.runAnother("anyhome.yaml");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^anyhome: the daemon can't run: the store \S+\/data is already in use by process \d+\n$/);
    expect(await daemon.register("10.64.1.1")).toBe(0);
  });

  test("its port is taken", async () => {
    daemon.configure("other.yaml", { "data-directory": "other", "control-socket": "other.sock" });
    const { exitCode, stdout, stderr } = await daemon.runAnother("other.yaml");
    expect(exitCode).toBe(1);
    expect(stderr).toBe(`anyhome: the daemon can't run: bind EADDRINUSE 127.0.0.1:${daemon.cluster.port}\n`);
    expect(stdout).toContain('"event":"daemon-failed"');
  });

  test("its configuration is wrong: with file, line and path, and exit code 2", async () => {
    daemon.configure("wrong.yaml", { timers: { "peer-timeout": "soon" } });
    const { exitCode, stderr } = await daemon.runAnother("wrong.yaml");
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:\d+:\d+: error: timers\.peer-timeout: expected a duration such as 800ms/);
  });
});

test("whatever comes on its ports, it is dropped and counted, and mobiles are served", async () => {
  await using daemon = await LoneDaemon.start();
  await send(noise(), [daemon.registrations, daemon.cluster]);
  expect(await daemon.register("10.64.1.1")).toBe(0);
  const counters = (await daemon.ask("counters")) as CountersView;
  expect(counters["inputs-failed"]).toEqual({});
  expect(counters["datagrams-dropped"]).toMatchObject({
    "truncated-message": expect.any(Number),
    "unknown-message-type": expect.any(Number),
    "unsupported-extension": expect.any(Number),
  });
  expect(counters["frames-rejected"]).toMatchObject({ "not-a-frame": expect.any(Number) });
  expect(daemon.log.filter(({ event }) => event === "frame-rejected").length).toBeLessThan(40);
  expect(daemon.log.filter(({ event }) => event === "datagram-dropped")).toEqual([]);
});

test("killed and started again, it serves what it had accepted", async () => {
  await using daemon = await LoneDaemon.start();
  expect(await daemon.register("10.64.1.1")).toBe(0);
  expect(await daemon.register("10.64.1.2")).toBe(0);
  const before = (await daemon.ask("bindings", "list")) as BindingView[];
  expect(before).toHaveLength(2);
  await daemon.stop("SIGKILL");
  await daemon.start();
  expect(await daemon.ask("bindings", "list")).toEqual(before);
});

const SENSELESS_ROW = Uint8Array.of(1);
const SENSELESS_CHECKSUM = rowChecksum("binding", "ip:10.64.1.1", SENSELESS_ROW);

test.each([
  ["its disk has altered", "row = zeroblob(length(row))", "does not read back as it was written"],
  ["makes no sense", `row = x'01', checksum = ${SENSELESS_CHECKSUM}`, "can't be understood"],
])("with a row that %s, it starts without that one, and tells", async (_, change, problem) => {
  await using daemon = await LoneDaemon.start();
  expect(await daemon.register("10.64.1.1")).toBe(0);
  expect(await daemon.register("10.64.1.2")).toBe(0);
  await daemon.stop("SIGTERM");
  const tables = new Database(daemon.path("data/data/tables.sqlite"));
  expect(tables.prepare(`UPDATE binding SET ${change} WHERE key = 'ip:10.64.1.1'`).run().changes).toBe(1);
  tables.close();
  await daemon.start();

  const left = (await daemon.ask("bindings", "list")) as BindingView[];
  expect(left.map(({ mobile }) => mobile)).toEqual(["ip:10.64.1.2"]);
  expect(((await daemon.ask("counters")) as CountersView)["rows-left-out"]).toBe(1);
  const told = daemon.log.find(({ event }) => event === "store-salvaged");
  expect(told).toMatchObject({ rows: 1, leftOut: 1, problems: `the binding row "ip:10.64.1.1" ${problem}` });
  const [setAside = ""] = readdirSync(daemon.path("data")).filter((name) => name.startsWith("data.damaged-"));
  const alarms = async () => ((await daemon.ask("status")) as StatusView).alarms.map(({ id }) => id);
  expect(await alarms()).toContain("store-damaged");
  rmSync(daemon.path(`data/${setAside}`), { recursive: true });
  await waitFor(async () => !(await alarms()).includes("store-damaged"), {
    deadlineMs: 20_000,
    what: "the alarm to end with the damaged store",
  });
});

test("told to stop, it ends well and leaves neither socket nor lock", async () => {
  await using daemon = await LoneDaemon.start();
  expect(await daemon.stop("SIGTERM")).toBe(0);
  expect(daemon.log.at(-1)).toMatchObject({ event: "daemon-stopped" });
  expect(["control.sock", "data/pid"].filter((file) => existsSync(daemon.path(file)))).toEqual([]);
});

// Both wait for the disk for 10 s.
describe("a daemon whose disk doesn't answer ends when it is told to, and says why", () => {
  const launch: Launch = ([node, ...args], directory) => {
    const preload = `${new URL("./stuck-disk.ts", import.meta.url).href}?${join(directory, "stuck")}`;
    return intoFile([node, "--import", preload, ...args], join(directory, "log"));
  };

  test("while it serves, and has kept what it acknowledged", { timeout: 200_000 }, async () => {
    await using daemon = await LoneDaemon.start(launch);
    expect(await daemon.register("10.64.1.1")).toBe(0);
    const before = await daemon.ask("bindings", "list");
    writeFileSync(daemon.path("stuck"), "");
    expect(await daemon.register("10.64.1.2")).not.toBe(0);
    expect(await daemon.stop("SIGTERM")).toBeUndefined();
    expect(daemon.log.at(-1)).toMatchObject({
      event: "store-abandoned",
      err: { message: expect.stringMatching(/the disk has not answered for 10 s; [1-9]\d* changes are not on it$/) },
    });
    expect(existsSync(daemon.path("control.sock"))).toBe(false);
    await daemon.start();
    expect(await daemon.ask("bindings", "list")).toEqual(before);
  });

  test("while it starts", { timeout: 200_000 }, async () => {
    await using daemon = await LoneDaemon.start();
    await daemon.stop("SIGTERM");
    writeFileSync(daemon.path("stuck"), "");
    const starting = launch(LoneDaemon.command(daemon.path("anyhome.yaml")), daemon.directory);
    await waitFor(() => existsSync(daemon.path("stuck.entered")), { deadlineMs: 60_000, what: "the start to hang" });
    starting.kill("SIGTERM");
    expect((await starting).exitCode).toBeUndefined();
    expect(daemon.log.at(-1)).toMatchObject({ event: "start-abandoned" });
  });
});

/** Bytes of all kinds and lengths; some begin like a Registration Request or a frame. */
function noise(): Uint8Array[] {
  const random = seeded(5944);
  const beginnings = [[], [1], [1, 0, 255, 255], [3], [0x41, 0x48, 1, 1], [0x41, 0x48, 2]];
  return Array.from({ length: 3000 }, (_, index) => {
    const length = index < 20 ? index : random(index % 100 === 0 ? 60_000 : 300);
    const bytes = Uint8Array.from({ length }, () => random(256));
    bytes.set((beginnings[random(beginnings.length)] ?? []).slice(0, length));
    return bytes;
  });
}

async function send(payloads: readonly Uint8Array[], targets: readonly Endpoint[]): Promise<void> {
  const socket = createSocket("udp4");
  try {
    for (const payload of payloads) {
      for (const { address, port } of targets) {
        // One after the other: what the kernel has no room for would not arrive.
        await new Promise<void>((sent, failed) =>
          socket.send(payload, port, formatIpv4(address), (error) => (error ? failed(error) : sent())),
        );
      }
    }
  } finally {
    socket.close();
  }
}

test("a member that was never heard is listed as dead, with nothing else known of it", async () => {
  await using daemon = await LoneDaemon.start();
  await daemon.stop("SIGTERM");
  daemon.configure("anyhome.yaml", {
    members: [...daemon.members, { id: "ha2", address: "127.0.0.2" }],
    timers: { "heartbeat-interval": "10ms", "peer-timeout": "50ms" },
  });
  await daemon.start();
  const dead = await waitFor(
    async () => ((await daemon.ask("peers")) as PeerView[]).find(({ state }) => state === "dead"),
    { deadlineMs: 30_000, what: "ha2 to be taken for dead" },
  );
  expect(dead).toMatchObject({ id: "ha2", health: null, lastHeardMs: null, load: null });
});

test("an alarm tells since when it holds, though nobody asked before", async () => {
  await using daemon = await LoneDaemon.start();
  await daemon.stop("SIGTERM");
  daemon.configure("anyhome.yaml", {
    members: [...daemon.members, { id: "ha2", address: "127.0.0.2" }],
    timers: { "heartbeat-interval": "10ms", "peer-timeout": "50ms" },
  });
  await daemon.start();
  const patience = { deadlineMs: 30_000, intervalMs: 200 };
  const dead = await waitFor(() => daemon.log.find(({ event }) => event === "member-dead"), {
    ...patience,
    what: "ha2 to be taken for dead",
  });
  const deadAtMs = Date.parse(dead.time);
  await waitFor(() => Date.now() - deadAtMs > 6000, { ...patience, what: "the alarm to be old" });
  const { alarms } = (await daemon.ask("status")) as StatusView;
  const since = alarms.find(({ id }) => id === "member ha2")?.since ?? "";
  // It is looked at twice a second.
  expect(Date.parse(since) - deadAtMs).toBeLessThan(4000);
});
