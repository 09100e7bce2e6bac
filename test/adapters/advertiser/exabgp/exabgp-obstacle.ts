import { spawnSync } from "node:child_process";

const present = spawnSync("exabgp", ["--version"], { env: { PATH: `${process.env.PATH}:/usr/sbin` } }).status === 0;

/** Why tests with a real ExaBGP can't run; `undefined` if they can. */
export const exabgpObstacle = present ? undefined : "exabgp is not installed";

if (exabgpObstacle && !process.env.CI)
  process.stderr.write(`\nSKIPPED: tests with a real ExaBGP: ${exabgpObstacle}\n\n`);
