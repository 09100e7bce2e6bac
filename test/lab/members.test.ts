/** Members come and go by configuration, while mobiles register. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { peersView, reloadView, statusView } from "../../src/adapters/api/members.ts";
import { AcceptedLog } from "../../src/lab/chaos/accepted-log.ts";
import { ask, everyMobile, settledFindings, untilRecovered } from "../../src/lab/chaos/chaos.ts";
import { ChaosLoad } from "../../src/lab/chaos/chaos-load.ts";
import { Lab } from "../../src/lab/namespaces/lab.ts";
import { LAB_TOPOLOGY, type Topology, type TopologyNode } from "../../src/lab/plan/topology.ts";
import { installedNextHops } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";

const LOAD = { mobiles: 200, registrationsPerSecond: 200, lifetimeSeconds: 1800 };
const COPIES = 3;
const THREE = ["ha1", "ha2", "ha3"];

const HA4: TopologyNode = {
  name: "ha4",
  role: "home-agent",
  as: 65014,
  interfaces: [{ network: "ha-lan", address: "10.1.0.14" }],
  gateway: "10.1.0.1",
  pool: ["10.79.192.0-10.79.255.254"],
};
const FOUR: Topology = { ...LAB_TOPOLOGY, nodes: [...LAB_TOPOLOGY.nodes, HA4] };

withLab("a boot count from a clock that was ahead by decades", (lab) => {
  const FAR_AHEAD = 4_000_000_000;
  const BELIEVED = { deadlineMs: 30_000, what: "ha1 to be believed, and to be level with the others" };
  const isBelieved = async () => {
    const views = await Promise.all(THREE.map((name) => ask(lab, name, ["peers"], peersView)));
    const others = views.flat().filter(({ state }) => state !== "self");
    return others.every(({ state, replication }) => state === "alive" && replication?.state === "streaming");
  };

  test("keeps nobody from being believed who starts with an empty disk and the right clock", async () => {
    const { dataDirectory } = lab.place.node("ha1");
    await lab.kill("ha1", "daemon", "SIGKILL");
    const boot = new Database(join(dataDirectory, "boot.sqlite"));
    boot.prepare("UPDATE boot SET boot_count = ?").run(FAR_AHEAD);
    boot.close();
    await lab.start("ha1");
    await waitFor(isBelieved, BELIEVED);
    expect((await ask(lab, "ha1", ["status"], statusView)).bootCount).toBe(FAR_AHEAD + 1);

    await lab.kill("ha1", "daemon", "SIGKILL");
    rmSync(dataDirectory, { recursive: true });
    await lab.start("ha1");
    await waitFor(isBelieved, BELIEVED);
    expect((await ask(lab, "ha1", ["status"], statusView)).bootCount).toBeLessThan(FAR_AHEAD);
    const load = [
      "anyhome",
      "mn",
      "load",
      "--mobiles",
      "50",
      "--first-home-address",
      "10.64.60.0",
      "--rate",
      "50",
      "--duration",
      "2",
      "-o",
      "json",
    ];
    expect(JSON.parse((await lab.run("fa1", load)).stdout)).toMatchObject({ unanswered: 0, denied: {} });
  });
});

withLab(
  "in a cluster that registers mobiles",
  (lab) => {
    /** As if the lab had been built without a node. */
    const without = (name: string) =>
      new Lab(lab.place.name, { ...FOUR, nodes: FOUR.nodes.filter((node) => node.name !== name) });

    test("a fourth home agent joins and the first one goes, by reload: nothing that was accepted is lost", async ({
      signal,
    }) => {
      const all: { members: { id: string }[] } = parse(readFileSync(lab.place.config, "utf8"));
      const configure = (absent: string | undefined) =>
        writeFileSync(lab.place.config, stringify({ ...all, members: all.members.filter(({ id }) => id !== absent) }), {
          mode: 0o600,
        });
      const reload = async (names: readonly string[]) => {
        const views = await Promise.all(names.map((name) => ask(lab, name, ["reload"], reloadView)));
        expect(views.map(({ outcome }) => outcome)).toEqual(names.map(() => "applied"));
      };
      // Three of them, which have never heard of another.
      await lab.stop("ha4");
      rmSync(lab.place.node("ha4").dataDirectory, { recursive: true });
      configure("ha4");
      await reload(THREE);
      expect(await ask(lab, "ha1", ["peers"], peersView)).toHaveLength(3);

      const load = await ChaosLoad.start(lab, LOAD);
      onTestFinished(() => load.abandon());
      const accepted = new AcceptedLog(load.logs);
      const patience = { deadlineMs: 60_000, intervalMs: 500, signal };
      await waitFor(() => everyMobile(accepted, lab, LOAD), { ...patience, what: "every mobile to be registered" });

      configure(undefined);
      const started = lab.start("ha4", signal);
      await reload(THREE);
      await started;
      await untilRecovered(lab, signal);
      await waitFor(async () => (await installedNextHops(lab, "r1")).length === 4, {
        ...patience,
        what: "r1 to route to all four",
      });
      await Promise.all(THREE.map((name) => ask(lab, name, ["rebalance"], statusView)));
      await waitFor(async () => (await ask(lab, "ha4", ["status"], statusView)).bindings.owned > 0, {
        ...patience,
        what: "ha4 to own mobiles",
      });
      load.mustRun();

      // Without a word before: what it owns is taken over.
      await lab.kill("ha1", "daemon", "SIGKILL");
      configure("ha1");
      await reload(["ha2", "ha3", "ha4"]);
      const rest = without("ha1");
      await untilRecovered(rest, signal);
      expect(await ask(lab, "ha2", ["peers"], peersView)).toHaveLength(3);
      const reports = await load.stop();
      expect(await settledFindings(rest, accepted, COPIES, signal)).toEqual({
        accepted: 2 * LOAD.mobiles,
        lost: [],
        owners: [],
        differing: [],
        missing: [],
      });
      expect(Object.values(reports).every(({ denied }) => Object.keys(denied).length === 0)).toBe(true);
    });
  },
  { topology: FOUR },
);
