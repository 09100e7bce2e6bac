/** BFD with FRR's bfdd: a home agent that falls silent is out of the router's tables, though nobody closed its BGP session. */
import { expect, onTestFinished, test } from "vitest";
import type { RoutesView } from "../../src/adapters/api/routes.ts";
import { RouteWatch } from "../../src/lab/drill/route-watch.ts";
import { enter } from "../../src/lab/namespaces/namespace.ts";
import { cut, type Direction, mend } from "../../src/lab/namespaces/segment-cut.ts";
import { installedNextHops, show } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";

const VICTIM = "ha2";
const VICTIM_ADDRESS = "10.1.0.12";
const ROUTER_ADDRESS = "10.1.0.1";
const NETWORK = "10.64.0.0/12";
/** Of BGP: what happens before, BFD has brought about. */
const HOLD_TIME_MS = 9000;

interface BfdPeer {
  readonly peer: string;
  readonly status: string;
  readonly diagnostic: string;
  readonly [field: string]: unknown;
}

withLab("a router that speaks BFD with home agents", (lab) => {
  const peer = async (address = VICTIM_ADDRESS): Promise<BfdPeer> => {
    const found = (await show<BfdPeer[]>(lab, "r1", "bfd peers")).find((it) => it.peer === address);
    if (found === undefined) throw new Error(`r1 has no BFD session with ${address}`);
    return found;
  };
  const nextHops = () => installedNextHops(lab, "r1", NETWORK);
  const untilOut = () =>
    waitFor(async () => !(await nextHops()).includes(VICTIM_ADDRESS), {
      deadlineMs: HOLD_TIME_MS - 2000,
      intervalMs: 20,
      what: "the home agent to leave r1's tables",
    });
  const untilBack = async () => {
    await waitFor(async () => (await nextHops()).length === 3 && (await peer()).status === "up", {
      deadlineMs: 60_000,
      what: "the home agent to be in r1's tables again",
    });
  };
  const routes = async (homeAgent: string): Promise<RoutesView> =>
    JSON.parse((await lab.run(homeAgent, ["anyhome", "routes", "-o", "json"])).stdout);

  test("has a session with each of them, by the timers of both sides", async () => {
    for (const address of ["10.1.0.11", VICTIM_ADDRESS, "10.1.0.13"]) {
      const found = await waitFor(
        async () => {
          const it = await peer(address);
          return it.status === "up" && it["remote-transmit-interval"] === 300 && it;
        },
        { deadlineMs: 20_000, what: `the session with ${address}` },
      );
      expect(found).toMatchObject({
        diagnostic: "ok",
        "receive-interval": 300,
        "transmit-interval": 300,
        "remote-receive-interval": 300,
        "remote-detect-multiplier": 3,
      });
    }
  });

  test("is what `anyhome routes` shows, without an alarm", async () => {
    const view = await waitFor(
      async () => {
        const it = await routes(VICTIM);
        return it.bfd[0]?.detectionTimeMs === 900 && it;
      },
      { deadlineMs: 20_000, what: "both sides to use fast timers" },
    );
    expect(view.bfd).toMatchObject([
      { address: ROUTER_ADDRESS, state: "up", reason: null, detectionTimeMs: 900, transmitIntervalMs: 300 },
    ]);
    const { stdout } = await lab.run(VICTIM, ["anyhome", "status", "-o", "json"]);
    expect(JSON.parse(stdout).alarms).toEqual([]);
  });

  test("drops one that is cut off, which nobody tells it", async ({ annotate }) => {
    const both: Direction[] = [
      { from: lab.place.namespace(VICTIM), to: ROUTER_ADDRESS },
      { from: lab.place.namespace("r1"), to: VICTIM_ADDRESS },
    ];
    await untilBack();
    const sinceMs = performance.now();
    await cut(both);
    try {
      await untilOut();
      await annotate(`cut off → seen to be out of the FIB: ${Math.round(performance.now() - sinceMs)} ms`);
      expect(await peer()).toMatchObject({ status: "down", diagnostic: "control detection time expired" });
      // The home agent has noticed as well.
      await waitFor(async () => (await routes(VICTIM)).bfd[0]?.state === "down", {
        deadlineMs: 5000,
        what: "the home agent to miss the router",
      });
      expect((await routes(VICTIM)).bfd[0]?.reason).toBe("the detection time has expired");
      expect(await nextHops()).toEqual(["10.1.0.11", "10.1.0.13"]);
    } finally {
      await mend(both);
    }
    await untilBack();
  });

  test("drops one whose daemon hangs", async ({ annotate }) => {
    await untilBack();
    const sinceMs = performance.now();
    await lab.kill(VICTIM, "daemon", "SIGSTOP");
    try {
      await untilOut();
      await annotate(`SIGSTOP → seen to be out of the FIB: ${Math.round(performance.now() - sinceMs)} ms`);
      await waitFor(async () => (await peer()).status === "down", { deadlineMs: 5000, what: "the session to be down" });
    } finally {
      await lab.kill(VICTIM, "daemon", "SIGCONT");
    }
    await untilBack();
  });

  test("keeps one out whose daemon and helper are both stopped, though it takes ExaBGP back without waiting for BFD", async ({
    annotate,
  }) => {
    await untilBack();
    const watch = await RouteWatch.start(enter(lab.place.namespace("r1"), []), NETWORK);
    onTestFinished(() => watch.stop());
    const helper = async () => (await lab.processes(VICTIM)).find(({ kind }) => kind === "helper")?.pid;
    const stopped = await helper();
    const since = Date.now();
    await lab.kill(VICTIM, "helper", "SIGSTOP");
    await lab.kill(VICTIM, "daemon", "SIGSTOP");
    try {
      await untilOut();
      await annotate(`SIGSTOP to both → out of the FIB: ${(watch.goneAt(VICTIM_ADDRESS, since) ?? 0) - since} ms`);
      await waitFor(
        async () => {
          const neighbors = await show<Record<string, { bgpState: string }>>(
            lab,
            "r1",
            `bgp neighbors ${VICTIM_ADDRESS}`,
          );
          return neighbors[VICTIM_ADDRESS]?.bgpState === "Established" && (await helper()) !== stopped;
        },
        { deadlineMs: 60_000, what: "a new session, and a new helper" },
      );
      await annotate(`... and a BGP session again, without BFD: seen after ${Date.now() - since} ms`);
      expect((await peer()).status).toBe("down");
      expect(await nextHops()).not.toContain(VICTIM_ADDRESS);
      expect(watch.backAt(VICTIM_ADDRESS, since)).toBeUndefined();
    } finally {
      await lab.kill(VICTIM, "daemon", "SIGCONT");
    }
    await untilBack();
  });

  test("is told when one ends in order", async () => {
    await untilBack();
    await lab.stop(VICTIM);
    await untilOut();
    expect(await peer()).toMatchObject({ status: "down", "remote-diagnostic": "administratively down" });
    await lab.start(VICTIM);
    await untilBack();
  });
});
