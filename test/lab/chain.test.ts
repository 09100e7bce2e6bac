/**
 * Every link of the chain from the daemon to the routers, stopped and killed, by itself and together with what watches it: who
 * can't serve is out of r1's kernel, and where nothing can be done because the member still serves, `status` tells.
 * docs/advertiser.md has who notices what, and in what time.
 */
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import type { StatusView } from "../../src/adapters/api/members.ts";
import { RouteWatch } from "../../src/lab/drill/route-watch.ts";
import { LabError } from "../../src/lab/lab-error.ts";
import type { Lab } from "../../src/lab/namespaces/lab.ts";
import { enter } from "../../src/lab/namespaces/namespace.ts";
import type { ProcessKind } from "../../src/lab/operations.ts";
import { nodeAddress } from "../../src/lab/plan/topology.ts";
import { show } from "./frr-tables.ts";
import { waitFor, withLab } from "./harness.ts";

type Blow = readonly [ProcessKind, NodeJS.Signals];

/**
 * - `out`: the route leaves r1. It comes back by itself if the daemon was not hit, and not before it is repaired otherwise.
 * - `told`: the member serves as before, and so stays; its status has an alarm.
 * - `replaced`: as before, and there is another process of that kind.
 */
type Outcome = "out" | "told" | "replaced";

type Row = readonly [outcome: Outcome, ...blows: Blow[]];

const STOP = "SIGSTOP";
const KILL = "SIGKILL";
const TERM = "SIGTERM";

const EXABGP: readonly Row[] = [
  ["out", ["daemon", KILL]],
  ["out", ["daemon", STOP]],
  ["out", ["daemon", TERM]],
  ["out", ["exabgp", KILL]],
  ["out", ["exabgp", STOP]],
  ["out", ["helper", KILL]],
  ["out", ["helper", STOP]],
  ["out", ["helper", STOP], ["daemon", KILL]],
  ["out", ["helper", STOP], ["daemon", STOP]],
  ["out", ["helper", STOP], ["daemon", TERM]],
  ["out", ["exabgp", STOP], ["daemon", KILL]],
  ["out", ["exabgp", STOP], ["daemon", STOP]],
  ["out", ["exabgp", STOP], ["daemon", TERM]],
  ["out", ["exabgp", STOP], ["helper", STOP]],
];

const SIDECAR: readonly Row[] = [
  ...EXABGP,
  ["out", ["sidecar", KILL]],
  // It only waits.
  ["out", ["sidecar", STOP], ["exabgp", STOP]],
];

const OSPF: readonly Row[] = [
  ["out", ["daemon", KILL]],
  ["out", ["daemon", STOP]],
  ["out", ["daemon", TERM]],
  ["out", ["ospfd", KILL]],
  ["out", ["ospfd", STOP]],
  ["told", ["zebra", KILL]],
  ["told", ["zebra", STOP]],
  ["replaced", ["guard", KILL]],
  ["replaced", ["guard", STOP]],
  ["out", ["zebra", STOP], ["daemon", KILL]],
  ["out", ["zebra", STOP], ["daemon", STOP]],
  ["out", ["zebra", STOP], ["daemon", TERM]],
  ["out", ["zebra", KILL], ["daemon", KILL]],
  ["out", ["zebra", KILL], ["daemon", STOP]],
  ["out", ["zebra", KILL], ["daemon", TERM]],
  ["out", ["ospfd", STOP], ["daemon", KILL]],
  ["out", ["ospfd", STOP], ["daemon", TERM]],
];

const HOME_AGENTS = ["ha1", "ha2", "ha3"];
const PATIENCE_MS = 60_000;

withLab("a home agent with an ExaBGP of its own, without BFD", (lab) => forEachRow(lab, EXABGP), { bfd: false });

withLab("a home agent with an ExaBGP beside it, without BFD", (lab) => forEachRow(lab, SIDECAR), {
  bfd: false,
  speaker: "sidecar",
});

withLab("a home agent that announces by OSPF", (lab) => forEachRow(lab, OSPF), { routing: "ospf" });

function forEachRow(lab: Lab, rows: readonly Row[]): void {
  for (const [index, row] of rows.entries()) {
    const [outcome, ...blows] = row;
    test(titleOf(row), async ({ annotate }) => {
      // Not the same one each time: the pause before a restart grows.
      const member = new Member(lab, HOME_AGENTS[index % HOME_AGENTS.length] ?? "");
      await member.untilWell();
      const [watch, before, logged] = [await member.watchRoute(), await member.pids(), member.log().length];
      onTestFinished(() => member.repair(blows));
      const sinceMs = Date.now();
      for (const [kind, signal] of blows) await lab.kill(member.name, kind, signal);

      if (outcome === "out") {
        const outAtMs = await waitFor(
          async () => watch.goneAt(member.address, sinceMs) ?? ((await member.isRouted()) ? undefined : Date.now()),
          { deadlineMs: PATIENCE_MS, intervalMs: 20, what: `${member.name} to be out of r1's kernel` },
        );
        await annotate(`out of r1's kernel after ${outAtMs - sinceMs} ms`);
      } else {
        if (outcome === "told") await member.untilAlarm("speaker");
        else await member.untilReplaced(blows[0]?.[0], before);
        expect(watch.goneAt(member.address, sinceMs)).toBeUndefined();
      }
      await member.untilOthersAreRouted();

      if (blows.some(([kind]) => kind === "daemon")) {
        await member.untilSpeakerIsSettled(blows);
        expect(await member.isRouted()).toBe(false);
      }
      if (blows.some(([kind, signal]) => kind === "daemon" && signal === TERM)) {
        await member.untilDaemonHasEnded();
        const said = member.log().slice(logged);
        // What nobody has seen isn't said.
        const seen = blows.length === 1;
        expect(said.includes('"event":"route-withdrawn"')).toBe(seen);
        expect(said.includes('"event":"route-unconfirmed"')).toBe(!seen);
      }
    });
  }
}

/** What was stopped may have been replaced since. */
function unlessItHasGone(error: unknown): void {
  if (!(error instanceof LabError)) throw error;
}

function titleOf([outcome, ...blows]: Row): string {
  const what = blows.map(([kind, signal]) => `${kind} gets ${signal}`).join(" and ");
  const then = { out: "leaves r1", told: "stays, as it serves, and tells of it", replaced: "stays, and gets another" };
  return `${then[outcome]} when its ${what}`;
}

class Member {
  readonly name: string;
  readonly address: string;
  readonly others: readonly string[];
  readonly #lab: Lab;

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.name = name;
    const addressOf = (id: string) => nodeAddress(lab.node(id));
    this.address = addressOf(name);
    this.others = HOME_AGENTS.filter((id) => id !== name).map(addressOf);
  }

  async isRouted(): Promise<boolean> {
    return (await this.#lab.nextHops("r1")).includes(this.address);
  }

  /** On a busy machine another one may be late for its own lease, and away for a moment; it must not stay away. */
  async untilOthersAreRouted(): Promise<void> {
    await waitFor(
      async () => {
        const hops = await this.#lab.nextHops("r1");
        return this.others.every((other) => hops.includes(other));
      },
      { deadlineMs: PATIENCE_MS, what: `r1 to route to all but ${this.name}` },
    );
  }

  /** All of them are routed to, and this one has no alarm of its speaker. */
  async untilWell(): Promise<void> {
    await waitFor(
      async () => {
        const hops = await this.#lab.nextHops("r1");
        return hops.length === HOME_AGENTS.length && !(await this.#alarms()).includes("speaker");
      },
      { deadlineMs: PATIENCE_MS, intervalMs: 100, what: `r1 to route to all, and ${this.name} to be well` },
    );
  }

  async untilAlarm(id: string): Promise<void> {
    const what = `the alarm ${id} of ${this.name}`;
    await waitFor(async () => (await this.#alarms()).includes(id), { deadlineMs: PATIENCE_MS, what });
  }

  async #alarms(): Promise<string[]> {
    const { stdout } = await this.#lab.run(this.name, ["anyhome", "status", "-o", "json"]);
    return (JSON.parse(stdout) as StatusView).alarms.map((alarm) => alarm.id);
  }

  async watchRoute(): Promise<RouteWatch> {
    const { place, topology } = this.#lab;
    const watch = await RouteWatch.start(enter(place.namespace("r1"), []), topology.virtualNetwork);
    onTestFinished(() => watch.stop());
    return watch;
  }

  /** All its processes of one kind, or of all. */
  async pids(kind?: ProcessKind): Promise<number[]> {
    const processes = await this.#lab.processes(this.name);
    return processes.filter((it) => kind === undefined || it.kind === kind).map(({ pid }) => pid);
  }

  async untilReplaced(kind: ProcessKind | undefined, before: readonly number[]): Promise<void> {
    await waitFor(
      async () => {
        const now = await this.pids(kind);
        return now.length > 0 && !now.some((pid) => before.includes(pid));
      },
      { deadlineMs: PATIENCE_MS, what: `another ${kind} of ${this.name}` },
    );
  }

  /** Whoever could announce again has had the occasion: an ExaBGP that outlives the blows has a session, with another helper. */
  async untilSpeakerIsSettled(blows: readonly Blow[]): Promise<void> {
    const isHit = (kind: ProcessKind) => blows.some((blow) => blow[0] === kind);
    if (!isHit("helper") || isHit("exabgp")) return;
    await waitFor(
      async () => {
        if ((await this.pids("exabgp")).length === 0) return true;
        const neighbor = await show<Record<string, { bgpState: string }>>(
          this.#lab,
          "r1",
          `bgp neighbors ${this.address}`,
        );
        return neighbor[this.address]?.bgpState === "Established";
      },
      { deadlineMs: PATIENCE_MS, what: `${this.name} to have a session, or no ExaBGP` },
    );
  }

  async untilDaemonHasEnded(): Promise<void> {
    const what = `the daemon of ${this.name} to end`;
    await waitFor(async () => (await this.pids("daemon")).length === 0, { deadlineMs: PATIENCE_MS, what });
  }

  log(): string {
    return readFileSync(this.#lab.place.node(this.name).daemonLog, "utf8");
  }

  async repair(blows: readonly Blow[]): Promise<void> {
    for (const [kind, signal] of blows) {
      if (signal === STOP) await this.#lab.kill(this.name, kind, "SIGCONT").catch(unlessItHasGone);
    }
    // FRR's own supervisor starts all of it again.
    const isZebraNew = blows.some(([kind, signal]) => kind === "zebra" && signal === KILL);
    if (isZebraNew && (await this.pids("ospfd")).length > 0) await this.#lab.kill(this.name, "ospfd", KILL);
    await this.#lab.start(this.name);
  }
}
