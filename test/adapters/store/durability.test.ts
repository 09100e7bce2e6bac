import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { siblingFile, temporaryDirectory } from "./store-fixture.ts";

interface Found {
  readonly bootCount: number;
  readonly found: Record<string, { readonly count: number; readonly highest: number }>;
}

interface Round {
  readonly signal: string | null;
  readonly stderr: string;
  readonly opened: Found | undefined;
  readonly durablePosition: number;
}

function crash(directory: string, round: number, afterMs: number): Round {
  const args = [siblingFile("crash-child.ts"), directory, String(round), String(afterMs)];
  const child = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 28 });
  // A line that the kill cut in two was not printed.
  const lines = child.stdout.split("\n").slice(0, -1);
  const [opened, ...durable] = lines.map((line) => JSON.parse(line) as unknown);
  const last = durable.at(-1) as { durable: number } | undefined;
  return {
    signal: child.signal,
    stderr: child.stderr,
    opened: opened as Found | undefined,
    durablePosition: last?.durable ?? 0,
  };
}

test("killed at any moment, a store has lost nothing that it reported durable, and kept no change without those before it", {
  timeout: 240_000,
}, () => {
  const directory = temporaryDirectory();
  // From within the first commits to well into the folds, which begin after a second.
  const killAfterMs = [1, 40, 300, 1_300, 5, 900, 2_200, 120, 1_700].map((ms) => ms + Math.random() * ms);
  const durablePositions: number[] = [];
  let bootCount = 0;

  for (const [round, afterMs] of [...killAfterMs, 0].entries()) {
    const { signal, stderr, opened, durablePosition } = crash(directory, round, afterMs);
    const story = `round ${round}; killed after ${killAfterMs.slice(0, round).join(", ")} ms`;
    expect({ story, signal, stderr }).toEqual({ story, signal: "SIGKILL", stderr: "" });
    expect(opened?.bootCount, story).toBeGreaterThan(bootCount);
    bootCount = opened?.bootCount ?? 0;
    for (const [earlier, durable] of durablePositions.entries()) {
      const { count, highest } = opened?.found[earlier] ?? { count: 0, highest: 0 };
      expect(highest, `${story}: changes of round ${earlier}`).toBeGreaterThanOrEqual(durable);
      expect(count, `${story}: changes of round ${earlier} up to ${highest}`).toBe(highest);
    }
    durablePositions.push(durablePosition);
  }
  expect(durablePositions.filter((position) => position > 0).length).toBeGreaterThan(4);
});
