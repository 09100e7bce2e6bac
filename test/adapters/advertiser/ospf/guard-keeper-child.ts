/** Has a guard of ospfd kept while no descriptor is left, and then some are; says in lines what is wrong with the guard. */
import { closeSync, openSync } from "node:fs";
import { GuardProcess } from "../../../../src/adapters/advertiser/ospf/guard-keeper.ts";
import { waitFor } from "../../../../src/lab/wait.ts";

const order = { vtyPath: "/nowhere/ospfd.vty", routerId: "192.0.2.1", interfaceName: "anyhome-none", prefixes: [] };
// Node opens what it needs for a start of a process when it starts the first.
const first = new GuardProcess(order, { event: () => undefined });
first.release();

const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // None is left.
}
const keeper = new GuardProcess(order, { event: () => undefined });
const patience = { deadlineMs: 60_000 };
const problem = await waitFor(() => keeper.problem, { ...patience, what: "the guard to be missed" });
for (const descriptor of taken) closeSync(descriptor);
await waitFor(() => keeper.problem === undefined, { ...patience, what: "a guard that speaks" });
keeper.release();
process.stdout.write(`${problem}\n`);
