/**
 * Preloaded into a daemon, as `stuck-disk.ts?FILE`: its disk stops answering once the file is there. Stands in for an fsync that
 * never returns: the thread that owns the log enters a system call which nothing but the end of the process ends.
 */
import { existsSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import koffi from "koffi";

const trigger = new URL(import.meta.url).search.slice(1);
const poll = koffi.load(null).func("int poll(void *, unsigned long, int)");

if (workerData?.path?.endsWith("log.sqlite")) {
  parentPort?.on("message", () => {
    if (existsSync(trigger)) poll(null, 0, -1);
  });
}
