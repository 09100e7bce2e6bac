/** Registrations from the site of a foreign agent, in whatever its lab is made of. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../namespaces/lab.ts";
import { isRunning, kill } from "../namespaces/namespace.ts";

/** `anyhome mn load`, under way. */
export interface SiteLoad {
  /** Of accepted registrations, a file of this machine that grows. */
  readonly log: string;
  isRunning(): boolean;
  /** What it has printed. */
  output(): string;
  /** Has it end once its requests are answered or given up. */
  stop(): void;
  /** Ends it at once. */
  abandon(): void;
}

const TITLE = "chaos-load";

/** Starts it in a namespace. It goes on when we are gone, until the lab does. */
export function startNamespaceLoad(lab: Lab, node: string, options: readonly string[]): SiteLoad {
  const place = lab.place.node(node);
  const log = join(place.directory, "accepted.ndjson");
  const output = place.log(TITLE);
  for (const file of [log, output]) rmSync(file, { force: true });
  const pid = lab.spawn(node, ["anyhome", "mn", "load", ...options, "--log", log], TITLE);
  return {
    log,
    isRunning: () => isRunning(pid),
    output: () => readFileSync(output, "utf8"),
    stop: () => kill(pid, "SIGTERM"),
    abandon: () => kill(pid, "SIGKILL"),
  };
}
