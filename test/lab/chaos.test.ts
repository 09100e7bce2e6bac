/** The promise under load, in short; `anyhome lab chaos` is the long form. */
import { expect, onTestFinished, test } from "vitest";
import { peersView } from "../../src/adapters/api/members.ts";
import { AcceptedLog } from "../../src/lab/chaos/accepted-log.ts";
import {
  ask,
  type ChaosReport,
  everyMobile,
  listingsOf,
  runChaos,
  settledFindings,
  untilRecovered,
} from "../../src/lab/chaos/chaos.ts";
import type { ChaosFindings } from "../../src/lab/chaos/chaos-check.ts";
import { begin, end, type Fault, type FaultKind } from "../../src/lab/chaos/chaos-faults.ts";
import { ChaosLoad } from "../../src/lab/chaos/chaos-load.ts";
import { nodeAddress } from "../../src/lab/plan/topology.ts";
import { waitFor, withLab } from "./harness.ts";

const LOAD = { mobiles: 200, registrationsPerSecond: 100, lifetimeSeconds: 1800 };
const MOBILES = 2 * LOAD.mobiles;
/** Mobiles that ask again after a second, as RFC 5944 3.6.3 has it, for as long as it takes to find out who is dead. */
const PERSISTENT_LOAD = { ...LOAD, tries: 10 };
const COPIES = 3;
/** A table of r1's that holds what a router on one side of a partition knows. */
const ONE_SIDE = "100";
const KEPT: ChaosFindings = { accepted: MOBILES, lost: [], owners: [], differing: [], missing: [] };

withLab(
  "while mobiles register",
  (lab) => {
    const chaos = (faults: readonly FaultKind[], rounds: number, signal: AbortSignal): Promise<ChaosReport> =>
      runChaos(
        lab,
        { ...LOAD, seed: 1, faults, rounds, durationMs: Number.POSITIVE_INFINITY, copies: COPIES },
        { progress: () => {}, signal },
      );

    test("a home agent can be killed, and another after it: nothing that was accepted is lost", async ({ signal }) => {
      const { rounds, findings } = await chaos(["kill"], 2, signal);
      expect(rounds.map(({ kind, lost }) => ({ kind, lost }))).toEqual([
        { kind: "kill", lost: [] },
        { kind: "kill", lost: [] },
      ]);
      expect(findings).toEqual(KEPT);
    });

    test("both sides of a partition are served, and agree when it is over", async ({ signal, annotate }) => {
      const partition: Fault = { kind: "partition", homeAgent: "ha1", lastsMs: 0 };
      const load = await ChaosLoad.start(lab, PERSISTENT_LOAD);
      onTestFinished(() => load.abandon());
      let separatedAtMs = Number.POSITIVE_INFINITY;
      /** Identifications that mobiles were told are accepted while the sides were separated. */
      const toldApart = new Set<string>();
      const accepted = new AcceptedLog(load.logs, ({ time, identification }) => {
        if (identification !== null && Date.parse(time) > separatedAtMs) toldApart.add(identification);
      });
      const patience = { deadlineMs: 60_000, intervalMs: 500, signal };
      await waitFor(() => everyMobile(accepted, lab, LOAD), { ...patience, what: "every mobile to be registered" });

      await begin(lab, partition);
      onTestFinished(() => end(lab, partition).catch(() => {})); // It may be over already.
      // The one alone has no backup in reach: it is de-preferred, and a router that reaches both sides sends it nothing.
      await routeOnlyTo("ha1", "fa1");
      onTestFinished(() => routeAsUsual("fa1"));
      await waitFor(
        async () => {
          const [one, other] = await Promise.all(["ha1", "ha2"].map((name) => ask(lab, name, ["peers"], peersView)));
          const dead = (peers = one) => peers?.filter(({ state }) => state === "dead").map(({ id }) => id);
          return `${dead(one)}` === "ha2,ha3" && `${dead(other)}` === "ha1";
        },
        { ...patience, what: "both sides to take each other for dead" },
      );
      separatedAtMs = Date.now();
      const sides = [["ha1"], ["ha2", "ha3"]];
      for (const [index, side] of sides.entries()) {
        // Mobile by mobile, as there is always one whose answer is under way. Some of the other site may be among them, that came
        // before the one alone was de-preferred.
        const itsMobiles = [...new AcceptedLog(load.logs.slice(index, index + 1)).read().last.keys()];
        const served = new Set<string>();
        const isServed = async () => {
          const views = [...(await listingsOf(lab, side)).values()].flat();
          accepted.read();
          for (const { mobile, roles, identification } of views) {
            if (roles.includes("owner") && toldApart.has(identification)) served.add(mobile);
          }
          return itsMobiles.every((mobile) => served.has(mobile));
        };
        expect(itsMobiles).toHaveLength(LOAD.mobiles);
        await waitFor(isServed, { ...patience, what: `${side} to serve the site that reaches it` });
        await annotate(`${side} has served its site ${Date.now() - separatedAtMs} ms after the sides were separate`);
      }

      await end(lab, partition);
      await routeAsUsual("fa1");
      await untilRecovered(lab, signal);
      await load.stop();
      expect(await settledFindings(lab, accepted, COPIES, signal)).toEqual(KEPT);
    });

    /** The foreign agent is behind a router that sees only this home agent: on r1, by its source address. */
    async function routeOnlyTo(homeAgent: string, foreignAgent: string): Promise<void> {
      const { virtualNetwork } = lab.topology;
      const gateway = nodeAddress(lab.node(homeAgent));
      await onRouter("ip", "route", "add", virtualNetwork, "via", gateway, "table", ONE_SIDE);
      await onRouter("ip", "rule", "add", "from", nodeAddress(lab.node(foreignAgent)), "table", ONE_SIDE);
    }

    async function routeAsUsual(foreignAgent: string): Promise<void> {
      // Nothing is there to delete the second time.
      await onRouter("ip", "rule", "del", "from", nodeAddress(lab.node(foreignAgent)), "table", ONE_SIDE);
      await onRouter("ip", "route", "flush", "table", ONE_SIDE);
    }

    const onRouter = (...command: string[]) => lab.run("r1", command);

    test("a clock may be wrong by what members bear, and by more: nothing that was accepted is lost", {
      timeout: 300_000,
    }, async ({ signal }) => {
      for (const kind of ["clock-behind", "clock-ahead"] as const) {
        const { rounds, findings } = await chaos([kind], 1, signal);
        expect(rounds.map(({ kind, lost }) => ({ kind, lost }))).toEqual([{ kind, lost: [] }]);
        expect(findings).toEqual(KEPT);
      }
    });

    test("a home agent that lost its store catches up from the others, and misses nothing", async ({ signal }) => {
      const { rounds, findings } = await chaos(["wipe"], 1, signal);
      expect(rounds.map(({ kind, lost }) => ({ kind, lost }))).toEqual([{ kind: "wipe", lost: [] }]);
      expect(findings).toEqual(KEPT);
    });
  },
  { clocks: true },
);
