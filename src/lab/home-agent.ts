import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { type ReadinessView, readinessView } from "../adapters/api/members.ts";
import { LabError } from "./lab-error.ts";
import { isRunning, startIn } from "./namespaces/namespace.ts";
import { clockEnvironment } from "./namespaces/own-clock.ts";
import { ANYHOME_MAIN, type LabPlace } from "./place.ts";
import { anyhomeConfig, type LabVariant } from "./plan/anyhome-config.ts";
import type { Topology } from "./plan/topology.ts";
import { waitFor } from "./wait.ts";

const SIDECAR = fileURLToPath(new URL("../../exabgp/sidecar.sh", import.meta.url));

/** Writes what the home agents of a lab have in common. */
export function configureHomeAgents(place: LabPlace, topology: Topology, variant: LabVariant, secret: string): void {
  writeFileSync(place.secret, secret, { mode: 0o600 });
  const anyNode = place.node("{node}");
  const paths = {
    secretFile: place.secret,
    dataDirectory: anyNode.dataDirectory,
    controlSocket: anyNode.controlSocket,
    vtyDirectory: anyNode.frr,
    ...(variant.speaker === "sidecar" ? { speakerDirectory: anyNode.speakerDirectory } : {}),
  };
  // It holds the mobiles' keys.
  writeFileSync(place.config, anyhomeConfig(topology, paths, variant), { mode: 0o600 });
}

/** Starts the daemon, which starts its own ExaBGP. Returns its process id. */
export function startHomeAgent(place: LabPlace, name: string): number {
  const command = [process.execPath, ANYHOME_MAIN, "run", "--config", place.config, "--node", name];
  const node = place.node(name);
  return startIn(place.namespace(name), command, node.daemonLog, { ...process.env, ...clockEnvironment(node) });
}

/** Keeps an ExaBGP beside the daemon running, as another container or service would. */
export function superviseSidecar(place: LabPlace, name: string): void {
  const node = place.node(name);
  const command = [
    "sh",
    "-c",
    'while :; do sh "$1" "$2"; sleep 0.1; done',
    "supervisor",
    SIDECAR,
    node.speakerDirectory,
  ];
  startIn(place.namespace(name), command, node.log("exabgp"));
}

/** What the daemon says about itself. @throws if no daemon answers on the socket. */
export async function readiness(controlSocket: string): Promise<ReadinessView> {
  const dispatcher = new Agent({ connect: { socketPath: controlSocket } });
  try {
    const { body } = await request("http://localhost/readyz", { dispatcher });
    return readinessView.parse(await body.json());
  } finally {
    await dispatcher.destroy();
  }
}

export interface StartedDaemon {
  readonly name: string;
  readonly controlSocket: string;
  /** The file that it logs to. */
  readonly log: string;
  readonly pid: number;
}

/** @throws LabError where the daemon ends, or isn't ready in time; it tells the end of its log. */
export async function untilReady(daemon: StartedDaemon, deadlineMs: number, signal?: AbortSignal): Promise<void> {
  let reasons: readonly string[] = ["its control socket doesn't answer"];
  const blame = (message: string) => new LabError(`${message}\n--- end of ${daemon.log}\n${endOf(daemon.log)}`);
  const outcome = await waitFor(
    async () => {
      if (!isRunning(daemon.pid)) return "ended";
      const answer = await readiness(daemon.controlSocket);
      reasons = answer.reasons;
      return answer.ready && "ready";
    },
    { deadlineMs, what: `${daemon.name} to be ready`, intervalMs: 100, signal },
  ).catch((error) => {
    signal?.throwIfAborted();
    throw blame(`${error.message}: ${reasons.join("; ")}`);
  });
  if (outcome === "ended") throw blame(`the daemon of ${daemon.name} has ended`);
}

function endOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  } catch {
    return "(nothing was logged)";
  }
}
