import { writeFileSync } from "node:fs";
import { Agent, request } from "undici";
import { type ReadinessView, readinessView } from "../api/schema.ts";
import { anyhomeConfig } from "./anyhome-config.ts";
import { startIn } from "./namespace.ts";
import { ANYHOME_MAIN, type LabPlace } from "./place.ts";
import type { Topology, TopologyNode } from "./topology.ts";

/** Writes a home agent's configuration. */
export function prepareHomeAgent(place: LabPlace, topology: Topology, homeAgent: TopologyNode, secret: string): void {
  const node = place.node(homeAgent.name);
  writeFileSync(node.secret, secret, { mode: 0o600 });
  const paths = { secretFile: node.secret, dataDirectory: node.data, controlSocket: node.controlSocket };
  writeFileSync(node.config, anyhomeConfig(topology, paths));
}

/** Starts the daemon, which starts its own ExaBGP. */
export function startHomeAgent(place: LabPlace, homeAgent: TopologyNode): void {
  const node = place.node(homeAgent.name);
  const command = [process.execPath, ANYHOME_MAIN, "run", "--config", node.config, "--node", homeAgent.name];
  startIn(place.namespace(homeAgent.name), command, node.log("daemon"));
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
