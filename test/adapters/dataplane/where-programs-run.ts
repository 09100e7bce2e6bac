/** For tests that load the data plane's programs into the kernel of this machine. */
import { beforeAll, describe } from "vitest";
import { ensureBpfPrograms } from "../../../src/setup/bpf-programs.mjs";

const obstacle = await programObstacle();
const isSkipped = obstacle !== undefined && process.env.CI === undefined;
if (isSkipped) process.stderr.write(`\nSKIPPED: the programs of the data plane can't be run, because ${obstacle}\n\n`);

/** A block of tests that need a machine which runs the programs. Elsewhere it is skipped; in CI it fails. */
export function whereProgramsRun(title: string, define: () => void): void {
  describe.skipIf(isSkipped)(title, () => {
    beforeAll(() => {
      if (obstacle !== undefined) throw new Error(obstacle);
    });
    define();
  });
}

/** In one line. */
async function programObstacle(): Promise<string | undefined> {
  if (process.platform !== "linux") return "it is no Linux";
  if (process.getuid?.() !== 0) return "only root can load programs into the kernel";
  return ensureBpfPrograms();
}
