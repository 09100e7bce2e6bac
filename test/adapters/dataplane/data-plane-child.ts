/** A data plane in a process of its own, to be killed; says so once it works. */
import { BpfDataPlane } from "../../../src/adapters/dataplane/bpf-data-plane.ts";
import { ENTRY, optionsOf } from "./data-plane-options.ts";

const plane = new BpfDataPlane(optionsOf(() => [ENTRY]));
await plane.start();
process.stdout.write(`${plane.failure ?? "working"}\n`);
