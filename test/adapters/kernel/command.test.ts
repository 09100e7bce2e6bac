import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Command, commandEnvironment, mustRun, runCommand } from "../../../src/adapters/kernel/command.ts";
import { run } from "../../../src/setup/run.mjs";

const directory = mkdtempSync(join(tmpdir(), "anyhome-command-"));
const pids = join(directory, "pids");
const LEFT_BEHIND = `setsid sleep 600 & echo $! >> ${pids};`;

afterAll(() => {
  for (const pid of readFileSync(pids, "utf8").trim().split("\n")) process.kill(Number(pid));
  rmSync(directory, { recursive: true });
});

function sh(script: string): Command {
  return ["sh", "-c", script];
}

describe("a command", () => {
  it("is over when its process is, though something that it left behind holds its output open", async () => {
    const { stdout, stderr, exitCode, problem } = await runCommand(sh(`${LEFT_BEHIND} echo out; echo err >&2`));
    expect({ stdout, stderr, exitCode, problem }).toEqual({
      stdout: "out",
      stderr: "err",
      exitCode: 0,
      problem: undefined,
    });
  });

  it("is over when its process is, though something that it left behind goes on printing", async () => {
    const { stdout, problem } = await runCommand(sh("echo first; setsid yes & exit 0"));
    expect(problem).toBeUndefined();
    expect(stdout).toMatch(/^first/);
  });

  it("has all that it printed read, much as it may be", async () => {
    const { stdout } = await runCommand(sh("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"));
    expect(stdout).toBe(`${"x".repeat(3_000_000)}\nend`);
  });

  it("has only so much of its output kept", async () => {
    const { stdout, problem } = await runCommand(sh("head -c 3000000 /dev/zero | tr '\\0' x"), {
      outputLimitBytes: 10,
    });
    expect(problem).toBeUndefined();
    expect(stdout).toBe("xxxxxxxxxx");
  });

  it("reads what it is given, or nothing", async () => {
    expect(await mustRun(["cat"], { input: "given" })).toBe("given");
    expect(await mustRun(["cat"])).toBe("");
    expect((await runCommand(["true"], { input: "x".repeat(1_000_000) })).problem).toBeUndefined();
  });

  it.each<[string, Command, RegExp]>([
    ["exits otherwise", sh("echo why >&2; exit 3"), /it exits with 3: why$/],
    ["is ended", sh("kill -9 $$"), /it was ended by SIGKILL$/],
    ["does not exist", ["/nowhere/to/be/found"], /ENOENT/],
  ])("that %s has failed, and says how", async (_, command, problem) => {
    await expect(mustRun(command)).rejects.toThrow(problem);
  });

  it("is ended after its time, or when it is no longer wanted, and nothing of its group is left", async () => {
    const late = await runCommand(sh("sleep 200 & sleep 200"), { timeoutMs: 100, hasOwnGroup: true });
    expect(late.problem).toBe("it was killed after 0.1 s without an end");
    const unwanted = await runCommand(sh("sleep 200"), { signal: AbortSignal.timeout(50) });
    expect(unwanted.problem).toBe("it was not wanted any more");
  });

  it("gets a search path and a locale, and nothing of our environment", async () => {
    expect(Object.keys(commandEnvironment())).toEqual(["PATH", "LC_ALL"]);
    expect(await mustRun(sh('echo "$LC_ALL <$HOME>"'))).toBe("C.UTF-8 <>");
  });
});

it("a command of the setup is over when its process is, too", async () => {
  expect(await run("sh", ["-c", `${LEFT_BEHIND} echo out`])).toEqual({ ok: true, output: "out\n" });
});
