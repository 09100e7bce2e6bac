/**
 * A clock of its own for a home agent's daemon, as network namespaces share the machine's: it asks libfaketime, which adds
 * what a file says. Time that only goes on (CLOCK_MONOTONIC) is not shifted, as on a machine whose clock is set.
 */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import type { NodePlace } from "../place.ts";

const LIBRARIES = "/usr/lib";
const FAKETIME = "faketime/libfaketimeMT.so.1";

/** @throws LabError where there is no libfaketime. */
export function giveClock(node: NodePlace): void {
  library();
  shiftClock(node, 0);
}

export function hasClockOfItsOwn(node: NodePlace): boolean {
  return existsSync(offsetFile(node));
}

/** It takes up to a second until the daemon sees it. */
export function shiftClock(node: NodePlace, offsetSeconds: number): void {
  writeFileSync(offsetFile(node), `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}\n`);
}

/** What a daemon is started with; nothing where the machine's clock is its own. */
export function clockEnvironment(node: NodePlace): Record<string, string> {
  if (!hasClockOfItsOwn(node)) return {};
  return {
    LD_PRELOAD: library(),
    FAKETIME_TIMESTAMP_FILE: offsetFile(node),
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

function library(): string {
  const found = readdirSync(LIBRARIES)
    .map((architecture) => join(LIBRARIES, architecture, FAKETIME))
    .find((file) => existsSync(file));
  if (found === undefined)
    throw new LabError("home agents with clocks of their own need libfaketime (Debian's package)");
  return found;
}

function offsetFile(node: NodePlace): string {
  return join(node.directory, "clock-offset");
}
