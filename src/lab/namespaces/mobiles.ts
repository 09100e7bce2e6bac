/** The mobiles of a lab whose home agents forward: registered through their foreign agents, and kept so. */
import { existsSync, readFileSync } from "node:fs";
import { LabError } from "../lab-error.ts";
import type { LabPlace } from "../place.ts";
import { nodeAddress, nodesOf, type Topology, type TopologyNode } from "../plan/topology.ts";
import { waitFor } from "../wait.ts";
import { doIn, ipBatch } from "./namespace.ts";

const PYTHON = "/usr/bin/python3";
const REGISTERED_MS = 60_000;
/** Short, so that a home agent that has lost everything hears of them again soon. */
const LIFETIME_SECONDS = 60;

interface Lab {
  readonly topology: Topology;
  readonly place: LabPlace;
  spawn(name: string, command: readonly string[], title: string): number;
}

/** @throws LabError if a mobile isn't registered in time */
export async function startMobiles(lab: Lab, signal: AbortSignal | undefined): Promise<void> {
  for (const node of nodesOf(lab.topology, "correspondent")) await fillInChecksums(lab, node);
  for (const node of nodesOf(lab.topology, "foreign-agent")) startForeignAgent(lab, node);
  const mobiles = nodesOf(lab.topology, "mobile");
  for (const node of mobiles) await startMobile(lab, node);
  for (const { name } of mobiles) {
    await waitFor(() => logOf(lab, name).includes("is registered at"), {
      deadlineMs: REGISTERED_MS,
      what: `${name} to be registered`,
      signal,
    }).catch((error) => {
      signal?.throwIfAborted();
      throw new LabError(`${error.message}: ${logOf(lab, name)}`, { cause: error });
    });
  }
}

function logOf(lab: Lab, name: string): string {
  const log = lab.place.node(name).log("mobile");
  return existsSync(log) ? readFileSync(log, "utf8") : "";
}

function startForeignAgent(lab: Lab, { name, interfaces }: TopologyNode): void {
  const links = interfaces.slice(1).flatMap(({ address }) => ["--listen", address]);
  lab.spawn(name, ["anyhome", "fa", "run", "--tunnels", ...links], "foreign-agent");
}

async function startMobile(lab: Lab, node: TopologyNode): Promise<void> {
  const { name, homeAddress = "", gateway = "" } = node;
  await ipBatch(
    [`address add ${homeAddress}/32 dev lo`, `route replace default via ${gateway} src ${homeAddress}`],
    lab.place.namespace(name),
  );
  const foreignAgent = nodesOf(lab.topology, "foreign-agent").find(({ interfaces }) =>
    interfaces.some(({ address }) => address === gateway),
  );
  if (foreignAgent === undefined) throw new LabError(`${name} is at no foreign agent's`);
  lab.spawn(
    name,
    [
      ...["anyhome", "mn", "run", "--home-address", homeAddress, "--local-address", nodeAddress(node), "--flags", "T"],
      ...["--foreign-agent", gateway, "--care-of-address", nodeAddress(foreignAgent)],
      ...["--lifetime", String(LIFETIME_SECONDS)],
    ],
    "mobile",
  );
}

/** Between namespaces nobody fills in checksums that are left to a network card, nor does whoever reads a tunnel's raw socket. */
async function fillInChecksums(lab: Lab, { name }: TopologyNode): Promise<void> {
  await doIn(lab.place.namespace(name), [PYTHON, "-c", FILL_IN_CHECKSUMS]);
}

const FILL_IN_CHECKSUMS = `
import array, fcntl, socket, struct
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
for _, name in socket.if_nameindex():
    if name != "lo":
        request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
        fcntl.ioctl(socket.socket(), SIOCETHTOOL, request)
`;
