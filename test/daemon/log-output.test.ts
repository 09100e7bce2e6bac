/** What the log is written to may be full, slow, broken or gone: mobiles are served, an alarm says so, and a stop is a stop. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import { waitFor } from "../../src/lab/wait.ts";
import { type Command, type Launch, LoneDaemon, type Running } from "./lone-daemon.ts";

const HOST = fileURLToPath(new URL("output-host.py", import.meta.url));
const PATIENCE = { deadlineMs: 60_000 };
/** What an orderly stop takes on a busy machine, far below what a supervisor waits for. */
const STOP_MS = 30_000;

/** The daemon's output goes to something of which output-host.py has the other end. */
class Host {
  #stdin: NodeJS.WritableStream | undefined;
  readonly launch: Launch;

  constructor(...what: readonly string[]) {
    this.launch = (command) => {
      // It dies with its host, which is what LoneDaemon kills.
      const child = execa("python3", [HOST, ...what, "--", "setpriv", "--pdeathsig=KILL", "--", ...command], {
        stdin: "pipe",
        stdout: "ignore",
        stderr: "inherit",
        reject: false,
      });
      this.#stdin = child.stdin;
      return child;
    };
  }

  tell(order: "read" | "close"): void {
    this.#stdin?.write(`${order}\n`);
  }
}

function shell(script: string): Launch {
  return (command: Command): Running =>
    execa("sh", ["-c", script, "sh", ...command], { stdio: "ignore", reject: false });
}

function closing(host: Host): Launch {
  return (command, directory) => {
    const running = host.launch(command, directory);
    host.tell("close");
    return running;
  };
}

async function logAlarm(daemon: LoneDaemon): Promise<StatusView["alarms"][number] | undefined> {
  const { alarms } = (await daemon.ask("status")) as StatusView;
  return alarms.find(({ id }) => id === "log");
}

async function stopsInOrder(daemon: LoneDaemon): Promise<void> {
  const startedAtMs = performance.now();
  expect(await daemon.stop("SIGTERM")).toBe(0);
  expect(performance.now() - startedAtMs).toBeLessThan(STOP_MS);
  expect(["control.sock", "data/pid"].filter((file) => existsSync(daemon.path(file)))).toEqual([]);
}

describe.each<[string, Launch, RegExp | undefined]>([
  ["a pipe that nobody reads", new Host("pipe", "full").launch, /nobody reads/],
  ["a pipe whose reader has gone", closing(new Host("pipe")), /EPIPE/],
  ["a socket that nobody reads, as a journal that hangs", new Host("socket", "full").launch, /nobody reads/],
  ["a socket whose reader has gone", closing(new Host("socket")), /EPIPE/],
  ["a terminal that is held", new Host("terminal", "full").launch, /nobody reads/],
  ["a terminal that was closed", closing(new Host("terminal")), /EIO/],
  ["a full device", shell('exec "$@" > /dev/full 2>&1'), /ENOSPC/],
  ["nothing, as stdout and stderr are closed", shell('exec "$@" >&- 2>&-'), undefined],
])("a daemon that logs to %s from the beginning", (_, launch, problem) => {
  test("starts, serves, says so, and stops in order", async () => {
    await using daemon = await LoneDaemon.start(launch);
    expect(await daemon.register("10.64.1.1")).toBe(0);
    if (problem !== undefined) {
      const alarm = await waitFor(() => logAlarm(daemon), { ...PATIENCE, what: "an alarm" });
      expect(alarm.message).toMatch(problem);
    }
    await stopsInOrder(daemon);
  });
});

test("a pipe whose reader stands still while the daemon runs ends the alarm when it goes on", async () => {
  const host = new Host("pipe", "full");
  await using daemon = await LoneDaemon.start(host.launch);
  await waitFor(() => logAlarm(daemon), { ...PATIENCE, what: "an alarm" });
  host.tell("read");
  await waitFor(async () => (await logAlarm(daemon)) === undefined, { ...PATIENCE, what: "the alarm to end" });
  await stopsInOrder(daemon);
});

test.skipIf(process.getuid?.() !== 0)("nothing that fits into memory is lost by a full file system", async () => {
  await using disk = smallDisk();
  await using daemon = await LoneDaemon.start(shell(`exec "$@" >> ${disk.path}/log 2>&1`));
  daemon.configure("anyhome.yaml", { log: { level: "debug" } });
  await daemon.ask("reload");
  for (let mobile = 1; mobile <= 50; mobile++) expect(await daemon.register(`10.64.1.${mobile}`)).toBe(0);
  const alarm = await waitFor(() => logAlarm(daemon), { ...PATIENCE, what: "an alarm" });
  expect(alarm.message).toMatch(/ENOSPC/);
  rmSync(`${disk.path}/filler`);
  await waitFor(async () => (await logAlarm(daemon)) === undefined, { ...PATIENCE, what: "the alarm to end" });
  await stopsInOrder(daemon);
  const lines = readFileSync(`${disk.path}/log`, "utf8").trimEnd().split("\n");
  const accepted = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "registration-accepted");
  expect(accepted).toHaveLength(50);
});

/** A file system with room for the first lines of a log, for as long as its file `filler` is there. */
function smallDisk() {
  const path = mkdtempSync(join(tmpdir(), "anyhome-log-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "anyhome-test", path]);
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(`${path}/filler`, Buffer.alloc((bavail - 1) * bsize));
  return {
    path,
    async [Symbol.asyncDispose]() {
      execFileSync("umount", ["--lazy", path]);
      rmSync(path, { recursive: true });
    },
  };
}
