import { writeFileSync } from "node:fs";
import { Agent, request } from "undici";
import { type ReadinessView, readinessView } from "../api/schema.ts";
import { anyhomeConfig } from "./anyhome-config.ts";
import { startIn } from "./namespace.ts";
import { ANYHOME_MAIN, type LabPlace } from "./place.ts";
import type { Topology } from "./topology.ts";

/** Writes what the home agents of a lab have in common. */
export function configureHomeAgents(place: LabPlace, topology: Topology, secret: string): void {
  writeFileSync(place.secret, secret, { mode: 0o600 });
  const anyNode = place.node("{node}");
  const paths = {
    secretFile: place.secret,
    dataDirectory: `${anyNode.directory}/data`,
    controlSocket: anyNode.controlSocket,
  };
  // It holds the mobiles' keys.
  writeFileSync(place.config, anyhomeConfig(topology, paths), { mode: 0o600 });
}

/** Starts the daemon, which starts its own ExaBGP. */
export function startHomeAgent(place: LabPlace, name: string): void {
  const command = [process.execPath, ANYHOME_MAIN, "run", "--config", place.config, "--node", name];
  startIn(place.namespace(name), command, place.node(name).log("daemon"));
}

/** What the daemon says of itself. @throws where no daemon answers on the socket. */
export async function readiness(controlSocket: string): Promise<ReadinessView> {
  const dispatcher = new Agent({ connect: { socketPath: controlSocket } });
  try {
    const { body } = await request("http://localhost/readyz", { dispatcher });
    return readinessView.parse(await body.json());
  } finally {
    await dispatcher.destroy();
  }
}
