/** For tests on a real lab: network namespaces with FRR, ExaBGP and the daemons of this checkout. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, vi } from "vitest";
import { findLab } from "../../src/lab/find-lab.ts";
import { Lab, type UpOptions } from "../../src/lab/namespaces/lab.ts";
import { labObstacle } from "../../src/lab/obstacle.ts";
import { labNames } from "../../src/lab/place.ts";
import type { Topology } from "../../src/lab/plan/topology.ts";

export { waitFor } from "../../src/lab/wait.ts";

const obstacle = await labObstacle();
const skipped = obstacle !== undefined && !process.env.CI;
if (skipped) process.stderr.write(`\nSKIPPED: all tests on a lab, because ${obstacle}\n\n`);

/** A block of tests that need a machine on which labs can run. Elsewhere it is skipped; in CI it fails. */
export function whereLabsRun(title: string, define: () => void): void {
  // Also where the file is run without the project's own configuration.
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
  describe.skipIf(skipped)(title, () => {
    beforeAll(async () => {
      if (obstacle !== undefined) throw new Error(`the lab can't run here: ${obstacle}`);
      await removeLeftovers();
    });
    define();
  });
}

/** A block of tests in which one lab is up: built before the first of them, removed after the last, whatever happens. */
export function withLab(
  title: string,
  define: (lab: Lab) => void,
  { topology, ...variant }: UpOptions & { readonly topology?: Topology } = {},
): void {
  whereLabsRun(title, () => {
    const lab = new Lab(newLabName(), topology);
    beforeAll(() => lab.up(variant));
    afterAll(() => lab.down());
    beforeEach(({ onTestFailed }) => {
      onTestFailed(() => showLogs(lab));
    });
    define(lab);
  });
}

let labs = 0;

/** A name that no other test and no person uses, and that `removeLeftovers` knows. */
export function newLabName(): string {
  labs += 1;
  return `test-${process.pid}-${labs}`;
}

/** Labs of test runs that were killed before they could remove them. */
export async function removeLeftovers(): Promise<void> {
  for (const name of labNames()) {
    const pid = Number(/^test-(\d+)-/.exec(name)?.[1]);
    if (pid && !isAlive(pid)) await findLab(name).down();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function showLogs(lab: Lab): void {
  for (const { name, role } of lab.topology.nodes) {
    if (role !== "home-agent") continue;
    const log = readFileSync(lab.place.node(name).daemonLog, "utf8").trimEnd().split("\n").slice(-30).join("\n");
    process.stderr.write(`--- end of the log of ${name}\n${log}\n`);
  }
}
