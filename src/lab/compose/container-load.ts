/** Registrations from the container of a foreign agent. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import type { SiteLoad } from "../load/site-load.ts";
import type { ComposeLab } from "./compose-lab.ts";

/**
 * A signal to `docker exec` doesn't reach what it runs, so the end of its input stands for one: the load ends with us,
 * however we end. Accepted registrations come on the standard output, everything else as messages.
 */
const RUN = `exec 4<&0
anyhome mn load "$@" --log /dev/fd/3 3>&1 >&2 &
load=$!
{ cat <&4; kill -TERM $load; } >/dev/null 2>&1 &
wait $load`;

export async function startContainerLoad(lab: ComposeLab, node: string, options: readonly string[]): Promise<SiteLoad> {
  const place = lab.place.node(node);
  const log = `${place.directory}/accepted.ndjson`;
  const output = place.log("chaos-load");
  const container = await lab.container(node);
  // As the user whose output it is: another can't open it as a file.
  const words = ["exec", "--interactive", "--user=anyhome", container, "sh", "-c", RUN, "load", ...options];
  mkdirSync(place.directory, { recursive: true });
  const [logFile, outputFile] = [openSync(log, "w"), openSync(output, "w")];
  const child = spawn("docker", words, {
    stdio: ["pipe", logFile, outputFile],
    env: { ...process.env, ...lab.docker.environment },
  });
  child.on("error", () => {}); // It doesn't run then, which is noticed.
  child.stdin?.on("error", () => {});
  for (const file of [logFile, outputFile]) closeSync(file);
  return {
    log,
    isRunning: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    output: () => readFileSync(output, "utf8"),
    stop: () => void child.stdin?.end(),
    abandon: () => void child.stdin?.destroy(),
  };
}
