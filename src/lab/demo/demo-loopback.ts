import { LoopbackCluster } from "../loopback.ts";
import { LAB_TOPOLOGY } from "../plan/topology.ts";
import type { Stage } from "./demo-stage.ts";

/** Without routing: three home agents on the loopback interface, and mobiles that choose their ingress themselves. */
export async function loopbackDemo(stage: Stage, obstacle: string, keep: boolean): Promise<void> {
  stage.title("Anyhome: three home agents on the loopback interface, WITHOUT routers");
  stage.show(`\nNo routing is shown: ${obstacle}.`);
  if (keep) stage.show("--keep is for the lab with routers; this cluster ends with the demo.");
  const cluster = new LoopbackCluster(LAB_TOPOLOGY);
  try {
    await play(stage, cluster);
  } finally {
    await cluster.down();
    stage.show("\nThe cluster is removed. Nothing was routed: the mobiles chose their ingress.");
  }
}

async function play(stage: Stage, cluster: LoopbackCluster): Promise<void> {
  const [{ spi, key }] = LAB_TOPOLOGY.associations;
  const common = ["--home-agent", LAB_TOPOLOGY.virtualAddress, "--spi", String(spi), "--key", key];
  // A loopback address is no care-of address; nothing is ever sent to this one (RFC 5737).
  const careOfAddress = ["--care-of-address", "192.0.2.1"];
  const mobilesThrough = (ingresses: readonly string[]) =>
    Array.from({ length: 6 }, (_, index) => ({
      mobile: `10.64.1.${index + 1}`,
      ingress: ingresses[index % ingresses.length] ?? "",
    }));
  const register = (mobiles: { mobile: string; ingress: string }[]) =>
    stage.register(mobiles, ({ ingress }, args) =>
      // The virtual address is on no interface here: requests for it are handed to the ingress as if it were a foreign agent.
      cluster.anyhome(ingress, [
        ...args,
        ...common,
        ...careOfAddress,
        "--foreign-agent",
        cluster.registrationEndpoint(ingress),
      ]),
    );
  const names = (mobiles: { mobile: string }[]) => mobiles.map(({ mobile }) => mobile);

  stage.step("Start three home agents");
  await cluster.up(stage.signal);

  stage.step("Register six mobiles, each through another home agent");
  const mobiles = mobilesThrough(cluster.homeAgents);
  await register(mobiles);
  const ask = (homeAgent: string, args: readonly string[]) => cluster.anyhome(homeAgent, args);
  const before = await stage.mobiles(names(mobiles), cluster.homeAgents, ask);

  const victim = before[0]?.owner ?? "ha1";
  const survivors = cluster.homeAgents.filter((name) => name !== victim);
  stage.step(`Kill ${victim}, and register through the others`);
  await cluster.kill(victim);
  const again = mobilesThrough(survivors);
  await register(again);
  const after = await stage.mobiles(names(again), survivors, ask);
  const unserved = after.filter(({ owner }) => owner === victim);
  if (unserved.length > 0) throw new Error(`${victim} is dead, but owns ${names(unserved).join(", ")}`);
}
