import { existsSync } from "node:fs";
import { z } from "zod";
import { forwardingView } from "../../adapters/api/forwarding.ts";
import { PROGRAMS } from "../../adapters/dataplane/bpf-forwarder.ts";
import type { Lab } from "../namespaces/lab.ts";
import { labNames } from "../place.ts";
import { LAB_TOPOLOGY, nodeAddress, nodesOf } from "../plan/topology.ts";
import { waitFor } from "../wait.ts";
import type { Stage } from "./demo-stage.ts";

/** Eight mobiles, behind one foreign agent and the other in turn. */
const MOBILES = Array.from({ length: 8 }, (_, index) => ({
  mobile: `10.64.1.${index + 1}`,
  foreignAgent: index % 2 === 0 ? "fa1" : "fa2",
}));

/** The home address of mn1. */
const PINGED = "10.64.9.1";

const PICTURE = `
  mn1 ── fa1 ──┐                ┌── ha1
  mn2 ── fa2 ──r2 ───────── r1 ─┼── ha2    each announces ${LAB_TOPOLOGY.virtualNetwork}
         cn1 ──┘                └── ha3    with ${LAB_TOPOLOGY.virtualAddress}, which mobiles know
`;

/** On routers, in network namespaces. */
export async function labDemo(stage: Stage, lab: Lab, keep: boolean): Promise<void> {
  stage.title("Anyhome: three home agents behind one address, on routers in namespaces");
  stage.show(PICTURE);
  if (labNames().includes(lab.place.name)) {
    stage.show("removing the lab that an earlier demo left");
    await lab.down();
  }
  let done = false;
  try {
    await play(stage, lab);
    done = true;
  } finally {
    if (!(keep && done)) {
      await lab.down();
      stage.show("\nThe lab is removed.");
    }
  }
  if (keep) stage.show(howToExplore(lab.place.name));
}

async function play(stage: Stage, lab: Lab): Promise<void> {
  const homeAgents = nodesOf(lab.topology, "home-agent").map(({ name }) => name);
  const mobiles = MOBILES.map(({ mobile }) => mobile);
  const ask = (node: string, args: readonly string[]) => lab.run(node, ["anyhome", ...args], { timeoutMs: 30_000 });
  const registerAll = () =>
    stage.register(MOBILES, ({ foreignAgent }, args) =>
      ask(foreignAgent, [...args, "--foreign-agent", nodeAddress(lab.node(foreignAgent))]),
    );

  stage.step("Bring up FRR on the routers, and a daemon with its ExaBGP on each home agent");
  const dataPlane = bestDataPlane(stage);
  await lab.up({ progress: (line) => stage.show(`${line} …`), signal: stage.signal, dataPlane });

  stage.step("Register eight mobiles, through a foreign agent on fa1 and one on fa2");
  await registerAll();
  const before = await stage.mobiles(mobiles, homeAgents, ask);
  stage.show(`
INGRESS is the home agent that routing took the request to. OWNER is the one
that serves the mobile: the cluster chose it, and any ingress finds it.`);

  stage.step("Routes in r1");
  await showRoutes(stage, lab);

  stage.step("Start to ping mn1, a mobile behind fa1, from cn1: a hundred times a second");
  const forwarded = await packetsForwarded(lab, homeAgents);
  const pings = ping(lab);
  const victim = await waitFor(async () => carrierOf(forwarded, await packetsForwarded(lab, homeAgents)), {
    deadlineMs: 30_000,
    what: "pings to be forwarded",
    signal: stage.signal,
  });
  stage.show(`Routing takes them to ${victim}, which sends them to fa1 by a tunnel.`);

  stage.step(`Kill ${victim}, which carries the pings: SIGKILL to its daemon`);
  const address = nodeAddress(lab.node(victim));
  const killedAt = performance.now();
  await lab.kill(victim, "daemon", "SIGKILL");
  await waitFor(async () => !(await lab.nextHops("r1")).includes(address), {
    deadlineMs: 30_000,
    what: `r1 to route around ${victim}`,
    intervalMs: 5,
    signal: stage.signal,
  });
  stage.show(`r1 has stopped routing to it after ${Math.round(performance.now() - killedAt)} ms.\n`);
  await showRoutes(stage, lab);

  const { sent, answered } = await pings;
  stage.show(`${sent} pings were sent before, while and after ${victim} died: ${answered} were answered.`);
  if (dataPlane === "bpf" && answered < sent) throw new Error(`${sent - answered} pings were lost`);

  stage.step("Register the mobiles again");
  await registerAll();
  const survivors = homeAgents.filter((name) => name !== victim);
  const after = await stage.mobiles(mobiles, survivors, ask);
  const unserved = after.filter(({ owner }) => !survivors.includes(owner));
  if (unserved.length > 0)
    throw new Error(`${victim} is dead, but owns ${unserved.map(({ mobile }) => mobile).join(", ")}`);
  const moved = before.filter(({ owner }) => owner === victim).length;
  stage.show(`\nAll are served. ${victim} owned ${moved} of them, which other home agents own now.`);
}

/** Programs in the kernel outlive the daemon that has put them there. */
function bestDataPlane(stage: Stage): "bpf" | "user" {
  if (existsSync(PROGRAMS)) return "bpf";
  stage.show("The programs that forward in the kernel are not compiled. Packets are forwarded");
  stage.show("in user space, where some are lost when a daemon dies.");
  return "user";
}

/** For ten seconds, which is longer than routes take to change. */
async function ping(lab: Lab): Promise<{ readonly sent: number; readonly answered: number }> {
  const words = ["ping", "-q", "-i", "0.01", "-c", "1000", "-W", "5", PINGED];
  const { stdout, stderr } = await lab.run("cn1", words);
  const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  if (sent === undefined) throw new Error(`ping said ${stdout}${stderr}`);
  return { sent: Number(sent), answered: Number(answered) };
}

/** Packets to mn1, by the home agent that has forwarded them. */
async function packetsForwarded(lab: Lab, homeAgents: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = homeAgents.map(async (name) => {
    const { stdout } = await lab.run(name, ["anyhome", "forwarding", "list", "-o", "json"]);
    const entries = z.array(forwardingView).parse(JSON.parse(stdout));
    return [name, entries.find(({ homeAddress }) => homeAddress === PINGED)?.toMobile.packets ?? 0] as const;
  });
  return new Map(await Promise.all(counts));
}

/** The home agent that has forwarded several packets since. */
function carrierOf(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string | undefined {
  return [...after].find(([name, count]) => count - (before.get(name) ?? 0) >= 5)?.[0];
}

async function showRoutes(stage: Stage, lab: Lab): Promise<void> {
  const { stdout } = await lab.run("r1", ["ip", "route", "show", "exact", lab.topology.virtualNetwork]);
  stage.show(stdout.replaceAll("\t", "    ").replaceAll(/ +$/gm, ""));
}

function howToExplore(name: string): string {
  return `
The lab stays. To look around:

  npm run -s anyhome -- lab status --name ${name}
  npm run -s anyhome -- lab exec --name ${name} ha1 -- anyhome peers
  npm run -s anyhome -- lab exec --name ${name} ha1 -- anyhome bindings list
  npm run -s anyhome -- lab exec --name ${name} r1 -- vtysh -c 'show bgp summary'
  npm run -s anyhome -- lab exec --name ${name} fa1 -- \\
      anyhome mn register --home-address 10.64.1.9 --foreign-agent 10.1.11.2
  npm run -s anyhome -- lab down --name ${name}      when you have seen enough
`;
}
