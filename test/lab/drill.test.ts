/**
 * The drills, once each, as an operator runs them. Their limits in time are ten times as long: a quiet machine keeps the
 * drills' own, and how busy the machine is that runs the tests must not decide.
 */
import { execa } from "execa";
import { expect, test } from "vitest";
import { DRILLS } from "../../src/lab/drill/drills.ts";
import { ANYHOME_MAIN } from "../../src/lab/place.ts";
import { withLab } from "./harness.ts";

/** Each brings the lab down, and waits until it is whole again. */
const ALL_MS = 600_000;

withLab("`anyhome drill`", (lab) => {
  const drill = (...args: string[]) =>
    execa(process.execPath, [ANYHOME_MAIN, "drill", ...args, "--name", lab.place.name], { reject: false });

  test("all: everything that may happen to a home agent has its consequences in time, and loses nothing", {
    timeout: ALL_MS,
  }, async ({ annotate }) => {
    const { stdout, stderr, exitCode } = await drill("all", "--tolerance", "10", "--rate", "100", "--mobiles", "200");
    process.stderr.write(`${stdout}\n`);
    await annotate(stdout);
    expect(exitCode, stderr).toBe(0);
    for (const name of DRILLS) expect(stdout).toMatch(new RegExp(`^${name} .* passed$`, "m"));
  });

  test("ends with 1 where a limit is exceeded, and still reports what it measured", async () => {
    const { stdout, stderr, exitCode } = await drill(
      "kill-exabgp",
      "--limit",
      "fib=0.001",
      "--rate",
      "20",
      "--mobiles",
      "10",
      "-o",
      "json",
    );
    expect(exitCode, stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      summaries: [{ drill: "kill-exabgp", runs: 1, exceeded: ["fibMs"], limits: { fibMs: 1, lost: 0 }, lost: 0 }],
      runs: [{ homeAgent: "ha1", fibMs: expect.any(Number), unanswered: 0 }],
    });
  });
});
