/**
 * Preloaded into a daemon as `stuck-disk.ts?FILE`, it makes the disk stop answering once that file exists: the thread that owns
 * the log enters a system call that never returns, as an fsync on a broken disk does. `FILE.entered` exists from then on.
 */
import { existsSync, writeFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import koffi from "koffi";

const trigger = new URL(import.meta.url).search.slice(1);
const poll = koffi.load(null).func("int poll(void *, unsigned long, int)");

function waitForTheDisk(): void {
  if (!existsSync(trigger)) return;
  writeFileSync(`${trigger}.entered`, "");
  poll(null, 0, -1);
}

if (workerData?.path?.endsWith("log.sqlite")) {
  waitForTheDisk();
  parentPort?.on("message", waitForTheDisk);
}
