/** A data plane that is started while no descriptor is left; says why it doesn't work, and what it lacks once there are some. */
import { closeSync, openSync } from "node:fs";
import { TunnelDataPlane } from "../../../src/adapters/dataplane/tunnel-data-plane.ts";
import { loadLibc } from "../../../src/adapters/kernel/libc.ts";
import { waitFor } from "../../../src/lab/wait.ts";
import { optionsOf } from "./data-plane-options.ts";

await loadLibc();
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // None is left.
}
const plane = new TunnelDataPlane({ ...optionsOf(() => []), device: "anyhome2", uplinks: ["none"] });
await plane.start();
const first = plane.failure;
for (const descriptor of taken) closeSync(descriptor);
const then = await waitFor(() => plane.failure !== first && plane.failure, {
  deadlineMs: 30_000,
  what: "the data plane to be set up",
});
plane.stop();
process.stdout.write(`${first}; then ${then}\n`);
