/** For tests on a lab of containers, on a Docker engine of its own. */
import { afterAll, beforeAll, describe, inject } from "vitest";
import { ComposeLab } from "../../src/lab/compose/compose-lab.ts";
import { composeObstacle } from "../../src/lab/compose/obstacle.ts";
import type { TopologyName } from "../../src/lab/topology.ts";
import { newLabName, removeLeftovers } from "../lab/harness.ts";

const obstacle = await composeObstacle("own");
const skipped = obstacle !== undefined && !process.env.CI;
if (skipped) process.stderr.write(`\nSKIPPED: all tests on a lab of containers, because ${obstacle}\n\n`);

/** The first lab of a run makes the images from nothing, with Debian's packages from the network. */
const UP_MS = 540_000;
const DOWN_MS = 60_000;

/** A block of tests in which one lab of containers is up; removed after the last, whatever happens. */
export function withComposeLab(title: string, topology: TopologyName, define: (lab: ComposeLab) => void): void {
  describe.skipIf(skipped)(title, () => {
    const lab = new ComposeLab(newLabName());
    beforeAll(async () => {
      if (obstacle !== undefined) throw new Error(`the lab can't run here: ${obstacle}`);
      await removeLeftovers();
      const progress = (line: string) => process.stderr.write(`${lab.place.name}: ${line}\n`);
      await lab.up({ topology, engine: "own", dataDirectory: inject("engineData"), progress });
    }, UP_MS);
    afterAll(() => lab.down(), DOWN_MS);
    define(lab);
  });
}
