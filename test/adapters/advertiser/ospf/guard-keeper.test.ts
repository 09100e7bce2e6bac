import { expect, test } from "vitest";
import { runCommand } from "../../../../src/adapters/kernel/command.ts";

const CHILD = new URL("guard-keeper-child.ts", import.meta.url).pathname;

test("a guard that can't be started is told of and tried again: the daemon goes on", async () => {
  const started = ["sh", "-c", `ulimit -n 64; exec "${process.execPath}" "${CHILD}"`] as const;
  const { stdout, stderr, problem } = await runCommand(started, { timeoutMs: 90_000 });
  expect({ problem, stderr }).toEqual({ problem: undefined, stderr: "" });
  expect(stdout).toMatch(/^the guard of ospfd .*EMFILE$/);
}, 100_000);
