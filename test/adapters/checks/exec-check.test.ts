import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ExecCheck, type ExecSettings } from "../../../src/adapters/checks/exec-check.ts";
import type { Finding } from "../../../src/core/health/settled-check.ts";
import { waitFor } from "../../../src/lab/wait.ts";

const directory = mkdtempSync(join(tmpdir(), "anyhome-exec-"));
afterAll(() => rmSync(directory, { recursive: true }));

const settings = {
  name: "uplink",
  intervalMs: 20,
  timeoutMs: 20_000,
  rise: 1,
  fall: 1,
  onFailure: "withdraw",
} as const;

interface Running extends Disposable {
  readonly findings: Finding[];
}

function run(command: readonly [string, ...string[]], change: Partial<ExecSettings> = {}): Running {
  const findings: Finding[] = [];
  const check = new ExecCheck({ ...settings, command, ...change }, { ANYHOME_NODE: "ha1" }, (finding) =>
    findings.push(finding),
  );
  check.start();
  return { findings, [Symbol.dispose]: () => check.stop() };
}

function sh(script: string): readonly [string, ...string[]] {
  return ["sh", "-c", script];
}

async function firstFinding({ findings }: Running): Promise<Finding | undefined> {
  await waitFor(() => findings.length > 0, { deadlineMs: 30_000, what: "the command to have run" });
  return findings[0];
}

describe("a check of the operator", () => {
  it.each<[string, readonly [string, ...string[]], Finding]>([
    ["passes if it exits with 0", ["true"], { state: "pass", reason: "it exits with 0" }],
    ["fails if it exits otherwise", sh("exit 3"), { state: "fail", reason: "it exits with 3" }],
    [
      "says why by its first line, of errors first",
      sh("echo no carrier >&2; echo more; exit 1"),
      { state: "fail", reason: "no carrier" },
    ],
    ["may say something when it passes", sh("echo 3 ms"), { state: "pass", reason: "3 ms" }],
    ["fails if it is ended", sh("kill -9 $$"), { state: "fail", reason: "it was ended by SIGKILL" }],
    [
      "has no more of an environment than it needs",
      sh('echo "$ANYHOME_NODE $LANG <$HOME>"'),
      { state: "pass", reason: "ha1 C.UTF-8 <>" },
    ],
    [
      "can't spoil logs by what it prints",
      sh("printf 'red \\033[31m alert'; exit 1"),
      { state: "fail", reason: "red  [31m alert" },
    ],
  ])("%s", async (_, command, finding) => {
    using running = run(command);
    expect(await firstFinding(running)).toEqual(finding);
  });

  it("fails if there is no such program, and goes on trying", async () => {
    using running = run(["/nowhere/to/be/found"]);
    expect(await firstFinding(running)).toMatchObject({ state: "fail", reason: expect.stringMatching(/ENOENT/) });
    await waitFor(() => running.findings.length > 2, { deadlineMs: 30_000, what: "it to be tried again" });
  });

  it("can be one that only degrades", async () => {
    using running = run(["false"], { onFailure: "degrade" });
    expect(await firstFinding(running)).toMatchObject({ state: "degraded" });
  });

  it("is killed with all that it has started when it takes too long", async () => {
    const pidFile = join(directory, "pid");
    using running = run(sh(`sleep 600 & echo $! > ${pidFile}; wait`), { timeoutMs: 500, intervalMs: 60_000 });
    expect(await firstFinding(running)).toEqual({ state: "fail", reason: "it was killed after 0.5 s without an end" });
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(pid).toBeGreaterThan(1);
    await waitFor(() => isGone(pid), { deadlineMs: 10_000, what: "the child of the script to be gone" });
  });

  it("passes if it exits with 0, though a child of it keeps its output open; that child is ended", async () => {
    const pidFile = join(directory, "left-behind");
    using running = run(sh(`sleep 600 & echo $! > ${pidFile}; echo fine; exit 0`), { intervalMs: 60_000 });
    expect(await firstFinding(running)).toEqual({ state: "pass", reason: "fine" });
    const pid = Number(readFileSync(pidFile, "utf8"));
    await waitFor(() => isGone(pid), { deadlineMs: 10_000, what: "what it left behind to be gone" });
  });

  it("passes if it exits with 0, though what it left behind is in another group and can't be found", async () => {
    const pidFile = join(directory, "out-of-reach");
    using running = run(sh(`setsid sleep 600 & echo $! > ${pidFile}; echo fine; exit 0`), { intervalMs: 60_000 });
    expect(await firstFinding(running)).toEqual({ state: "pass", reason: "fine" });
    process.kill(Number(readFileSync(pidFile, "utf8")));
  });

  it("may print without end: it is read, and forgotten", async () => {
    using running = run(sh("echo first; head -c 5000000 /dev/zero"));
    expect(await firstFinding(running)).toMatchObject({ state: "pass", reason: "first" });
  });

  it("never runs twice at the same time", async () => {
    const lock = join(directory, "lock");
    using running = run(sh(`mkdir ${lock} || exit 1; sleep 0.05; rmdir ${lock}`), { intervalMs: 1 });
    await waitFor(() => running.findings.length >= 5, { deadlineMs: 30_000, what: "five runs" });
    expect(new Set(running.findings.map(({ state }) => state))).toEqual(new Set(["pass"]));
  });

  it("is ended when the daemon stops, and finds nothing any more", async () => {
    const marker = join(directory, "marker");
    const running = run(sh(`touch ${marker}; sleep 600`));
    await waitFor(() => existsSync(marker), { deadlineMs: 30_000, what: "it to run" });
    running[Symbol.dispose]();
    using other = run(["true"]);
    await firstFinding(other);
    expect(running.findings).toEqual([]);
  });
});

/** A zombie that nobody has reaped yet counts as gone. */
function isGone(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
}
