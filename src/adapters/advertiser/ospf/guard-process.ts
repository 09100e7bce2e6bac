/**
 * The guard of ospfd, a process of its own: it is still there when the daemon hangs or has died, and ends when ospfd
 * announces nothing for it any more. The daemon starts it and holds the other end of its stdin.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Guard, type GuardOrder, localOspfd, PATIENCE_LOOKS } from "./guard.ts";
import { GuardReporter } from "./guard-reports.ts";

const LOOK_INTERVAL_MS = 100;

const order: GuardOrder = JSON.parse(process.argv[2] ?? "");
const guard = new Guard(order.prefixes, localOspfd(order));
const reporter = new GuardReporter(process.stdout);

let isOrphan = false;
/** The kernel takes a while to remove what a dead daemon has left behind. */
let looksAsOrphan = 0;
process.stdin
  .on("close", () => {
    isOrphan = true;
  })
  .on("error", () => {})
  .resume();
process.stdout.on("error", () => {});
// A signal that ends the daemon and everything that belongs to it must not end this process first.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});

for (;;) {
  reporter.tell(await guard.look());
  if (isOrphan) looksAsOrphan += 1;
  if (looksAsOrphan > PATIENCE_LOOKS && guard.isSettled) process.exit();
  await delay(LOOK_INTERVAL_MS);
}
