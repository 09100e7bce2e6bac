/** The promise under load, in short; `anyhome lab chaos` is the long form. */
import { expect, onTestFinished, test } from "vitest";
import { peersView } from "../../src/api/schema.ts";
import { AcceptedLog } from "../../src/lab/accepted-log.ts";
import {
  ask,
  type ChaosReport,
  everyMobile,
  listingsOf,
  runChaos,
  settledFindings,
  untilRecovered,
} from "../../src/lab/chaos.ts";
import type { ChaosFindings } from "../../src/lab/chaos-check.ts";
import { begin, end, type Fault, type FaultKind } from "../../src/lab/chaos-faults.ts";
import { ChaosLoad } from "../../src/lab/chaos-load.ts";
import { waitFor, withLab } from "./harness.ts";

const LOAD = { mobiles: 200, registrationsPerSecond: 100, lifetimeSeconds: 1800 };
const MOBILES = 2 * LOAD.mobiles;
const COPIES = 3;
const KEPT: ChaosFindings = { accepted: MOBILES, lost: [], owners: [], differing: [], missing: [] };

withLab("while mobiles register", (lab) => {
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

  test("a partition is served, and its sides agree when it is over", async ({ signal }) => {
    const partition: Fault = { kind: "partition", homeAgent: "ha1", lastsMs: 0 };
    const load = new ChaosLoad(lab, LOAD);
    onTestFinished(() => load.abandon());
    const accepted = new AcceptedLog(load.logs);
    const patience = { deadlineMs: 30_000, intervalMs: 500, signal };
    await waitFor(() => everyMobile(accepted, lab, LOAD), { ...patience, what: "every mobile to be registered" });

    await begin(lab, partition);
    onTestFinished(() => end(lab, partition).catch(() => {})); // It may be over already.
    await waitFor(
      async () => {
        const [one, other] = await Promise.all(["ha1", "ha2"].map((name) => ask(lab, name, ["peers"], peersView)));
        const dead = (peers = one) => peers?.filter(({ state }) => state === "dead").map(({ id }) => id);
        return `${dead(one)}` === "ha2,ha3" && `${dead(other)}` === "ha1";
      },
      { ...patience, what: "both sides to take each other for dead" },
    );
    const separatedAtMs = Date.now();
    const servedBy = async (name: string) => {
      const views = (await listingsOf(lab, [name])).get(name) ?? [];
      accepted.read();
      return views.some(({ mobile, roles, identification }) => {
        const told = accepted.last.get(mobile);
        const isRecent = told !== undefined && Date.parse(told.time) > separatedAtMs;
        return isRecent && told.identification === identification && roles.includes("owner");
      });
    };
    // The one alone has no backup in reach: it is de-preferred, and routers that reach both sides send it nothing.
    await waitFor(() => servedBy("ha2"), { ...patience, what: "the others to serve" });

    await end(lab, partition);
    await untilRecovered(lab, signal);
    await load.stop();
    expect(await settledFindings(lab, accepted, COPIES, signal)).toEqual(KEPT);
  });

  test("a home agent that lost its store catches up from the others, and misses nothing", async ({ signal }) => {
    const { rounds, findings } = await chaos(["wipe"], 1, signal);
    expect(rounds.map(({ kind, lost }) => ({ kind, lost }))).toEqual([{ kind: "wipe", lost: [] }]);
    expect(findings).toEqual(KEPT);
  });
});
