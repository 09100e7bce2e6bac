/** For tests on a lab of containers, on a Docker engine of its own. */
import { execa } from "execa";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { ComposeLab } from "../../src/lab/compose/compose-lab.ts";
import { composeObstacle } from "../../src/lab/compose/obstacle.ts";
import { ANYHOME_MAIN } from "../../src/lab/place.ts";
import type { TopologyName } from "../../src/lab/plan/topology.ts";
import { newLabName, removeLeftovers } from "../lab/harness.ts";

const obstacle = await composeObstacle("own");
const skipped = obstacle !== undefined && !process.env.CI;
if (skipped) process.stderr.write(`\nSKIPPED: all tests on a lab of containers, because ${obstacle}\n\n`);

/** The first lab of a run makes the images from nothing, with Debian's packages from the network. */
const UP_MS = 540_000;
const DOWN_MS = 60_000;

/** For `expect.poll` on what routers hear from each other: a lab is up as soon as each of them has one way. */
export const IN_TIME = { timeout: 30_000, interval: 200 };

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

/** `anyhome drill` on a lab, with ten times the time: how busy the machine is must not decide. */
export async function drill(lab: ComposeLab, ...words: string[]) {
  const where = ["--name", lab.place.name, "--tolerance", "10"];
  const result = await execa(process.execPath, [ANYHOME_MAIN, "drill", ...words, ...where], { reject: false });
  process.stderr.write(`${result.stdout}\n`);
  return result;
}

/** AS paths of the valid paths to the virtual network in a router's bgpd. */
export async function bgpPaths(lab: ComposeLab, router: string): Promise<string[]> {
  const { stdout } = await lab.run(router, [
    "vtysh",
    "-c",
    `show bgp ipv4 unicast ${lab.topology.virtualNetwork} json`,
  ]);
  const { paths = [] }: { paths?: { valid?: boolean; aspath: { string: string } }[] } = JSON.parse(stdout);
  return paths
    .filter(({ valid }) => valid)
    .map(({ aspath }) => aspath.string)
    .sort();
}
