/**
 * `npm run demo`: a cluster on real routers, mobiles that register through it, and what happens when a home agent dies.
 * Where network namespaces can't be had: the same without routers. Exit code 0 only if all of it happened.
 */
import { parseArgs } from "node:util";
import { Lab } from "../namespaces/lab.ts";
import { labObstacle } from "../obstacle.ts";
import { labDemo } from "./demo-lab.ts";
import { loopbackDemo } from "./demo-loopback.ts";
import { Stage } from "./demo-stage.ts";

const USAGE = `usage: npm run demo [-- OPTIONS]
  --keep             leave the lab running to explore
  --name NAME        of the lab, if not "demo"
  --without-routers  on the loopback interface, as where there is no root`;

const OPTIONS = {
  keep: { type: "boolean", default: false },
  name: { type: "string", default: "demo" },
  "without-routers": { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const abort = new AbortController();
  const interrupted = (signal: NodeJS.Signals) => abort.abort(new Error(`interrupted by ${signal}`));
  // Not `once`: without a listener a signal ends the process at once, and the lab would remain.
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  const stage = new Stage(abort.signal);
  const obstacle = values["without-routers"] ? "none was asked for" : await labObstacle();
  try {
    if (obstacle === undefined) await labDemo(stage, new Lab(values.name), values.keep);
    else await loopbackDemo(stage, obstacle, values.keep);
    return 0;
  } catch (error) {
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  // Arguments that parseArgs doesn't know.
  console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 2;
}
