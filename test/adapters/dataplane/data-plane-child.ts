/** A data plane in a process of its own, to be killed; says so once it works. */
import { TunnelDataPlane } from "../../../src/adapters/dataplane/tunnel-data-plane.ts";
import { ENTRY, optionsOf } from "./data-plane-options.ts";

const plane = new TunnelDataPlane(optionsOf(() => [ENTRY]));
await plane.start();
process.stdout.write(`${plane.failure ?? "working"}\n`);
