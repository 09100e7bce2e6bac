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

const PICTURE = `
  fa1 ──┐                ┌── ha1
        r2 ───────── r1 ─┼── ha2      each announces ${LAB_TOPOLOGY.virtualNetwork}
  fa2 ──┘                └── ha3      with ${LAB_TOPOLOGY.virtualAddress}, which mobiles know
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
  const foreignAgents = nodesOf(lab.topology, "foreign-agent");
  const mobiles = MOBILES.map(({ mobile }) => mobile);
  const ask = (node: string, args: readonly string[]) => lab.run(node, ["anyhome", ...args], { timeoutMs: 30_000 });
  const registerAll = () =>
    stage.register(MOBILES, ({ foreignAgent }, args) =>
      ask(foreignAgent, [...args, "--foreign-agent", nodeAddress(lab.node(foreignAgent))]),
    );

  stage.step("Bring up FRR on the routers, and a daemon with its ExaBGP on each home agent");
  await lab.up({ progress: (line) => stage.show(`${line} …`), signal: stage.signal });

  stage.step("Register eight mobiles, through a foreign agent on fa1 and one on fa2");
  for (const { name } of foreignAgents) await startForeignAgent(lab, name, stage.signal);
  await registerAll();
  const before = await stage.mobiles(mobiles, homeAgents, ask);
  stage.show(`
INGRESS is the home agent that routing took the request to. OWNER is the one
that serves the mobile: the cluster chose it, and any ingress finds it.`);

  stage.step("Routes in r1");
  await showRoutes(stage, lab);

  const victim = before[0]?.ingress ?? "ha1";
  stage.step(`Kill ${victim}, the ingress of ${before[0]?.mobile}: SIGKILL to its daemon`);
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

async function startForeignAgent(lab: Lab, name: string, signal: AbortSignal): Promise<void> {
  lab.spawn(name, ["anyhome", "fa", "run"], "foreign-agent");
  await waitFor(async () => (await lab.run(name, ["ss", "-Hlun", "sport = :434"])).stdout !== "", {
    deadlineMs: 20_000,
    what: `the foreign agent on ${name} to listen`,
    signal,
  });
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
