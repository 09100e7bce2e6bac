import { readFileSync } from "node:fs";

/** The kernel tells it in hundredths of a second, rounded down. */
const RESOLUTION_MS = 10;

/** CLOCK_BOOTTIME: ms since the host was started, never earlier than it is. Nobody sets this clock, and it runs in suspends too. */
export function bootTimeMs(): number {
  return Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000 + RESOLUTION_MS;
}
