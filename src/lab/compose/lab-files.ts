/** What stands in `compose/NAME/`: all that Docker needs to run a topology, but for its secrets. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { anyhomeConfig } from "../plan/anyhome-config.ts";
import { frrFiles } from "../plan/frr-files.ts";
import { nodesOf, type Topology } from "../plan/topology.ts";
import { CLUSTER_SECRET, CONTAINER_PATHS, composeFile, mobileKeySecret } from "./compose-file.ts";

export const COMPOSE_FILE = "docker-compose.yml";

/** Texts by their paths in the directory. */
export function labFiles(topology: Topology): Map<string, string> {
  return new Map([
    [COMPOSE_FILE, composeFile(topology)],
    ["anyhome.yaml", anyhomeConfig(topology, PATHS)],
    ...nodesOf(topology, "router").flatMap((router) =>
      Object.entries(frrFiles(topology, router)).map(([name, text]) => [`${router.name}/${name}`, text] as const),
    ),
  ]);
}

const PATHS = {
  secretFile: `${CONTAINER_PATHS.keys}/${CLUSTER_SECRET}`,
  dataDirectory: CONTAINER_PATHS.store,
  controlSocket: CONTAINER_PATHS.controlSocket,
  speakerDirectory: CONTAINER_PATHS.speaker,
  keyFile: (spi: number) => `${CONTAINER_PATHS.keys}/${mobileKeySecret(spi)}`,
};

/** @param clusterSecret what home agents authenticate each other with */
export function writeSecrets(directory: string, { associations }: Topology, clusterSecret: string): void {
  write(join(directory, CLUSTER_SECRET), clusterSecret, 0o600);
  for (const { spi, key } of associations) write(join(directory, mobileKeySecret(spi)), key, 0o600);
}

function write(file: string, text: string, mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}
